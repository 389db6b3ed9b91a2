from __future__ import annotations

import os
import signal
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import psutil
import pytest

from meshdemo.system import shell

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

SLOW = "import sys, time; print('one', flush=True); time.sleep(600)"
"""Whoever waits for its end fails by pytest's own timeout."""


def stream(program: str, timeout: float = 60) -> Generator[str, None, None]:
    yield from shell.stream([sys.executable, "-c", program], timeout=timeout)


def test_lines_of_both_streams_come_in_their_order() -> None:
    program = (
        "import sys; print('a', flush=True); print('b', file=sys.stderr, flush=True);"
        "print('c', end='', flush=True)"
    )
    assert list(stream(program)) == ["a", "b", "c"]


def test_a_line_comes_while_the_program_still_runs() -> None:
    with closing(stream(SLOW)) as lines:
        assert next(lines) == "one"


def test_who_stops_reading_stops_the_program() -> None:
    with closing(stream(SLOW)) as lines:
        next(lines)
        # Supervisors that other tests started and stopped may be there as zombies.
        there = [p for p in psutil.Process().children() if p.status() != psutil.STATUS_ZOMBIE]
        (child,) = [p for p in there if SLOW in p.cmdline()]
    assert not child.is_running()


def test_a_failure_comes_after_the_last_line_and_holds_them_all() -> None:
    lines = stream("import sys; print('a'); print('b'); sys.exit(3)")
    assert next(lines) == "a"
    assert next(lines) == "b"
    with pytest.raises(shell.CommandFailed, match="exit status 3") as caught:
        next(lines)
    assert caught.value.output == "a\nb"


def test_a_program_that_takes_too_long_is_stopped_and_what_it_said_is_kept() -> None:
    with pytest.raises(shell.CommandFailed, match="did not end within 2 s") as caught:
        list(shell.stream(["sh", "-c", "echo one; exec sleep 600"], timeout=2))
    assert caught.value.output == "one"


def test_a_child_that_keeps_the_stream_open_does_not_keep_us() -> None:
    with pytest.raises(shell.CommandFailed, match="did not end within 1 s") as caught:
        list(shell.stream(["sh", "-c", "sleep 600 & echo $!"], timeout=1))
    os.kill(int(caught.value.output), signal.SIGKILL)


def test_bytes_that_are_not_text_do_no_harm() -> None:
    program = "import sys; sys.stdout.buffer.write(b'\\xff\\n')"
    assert list(stream(program)) == ["\N{REPLACEMENT CHARACTER}"]


def test_a_program_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(shell.CommandFailed, match="cannot be run"):
        list(shell.stream([str(tmp_path / "none")], timeout=1))
