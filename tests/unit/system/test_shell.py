"""Running other programs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from meshdemo.system import shell, waiting
from meshdemo.system.shell import CommandFailed

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 60


def test_a_program_does_not_read_our_standard_input() -> None:
    program = (
        "from meshdemo.system import shell; print(shell.run(['cat'], timeout=60).stdout, input())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input="ours", capture_output=True, text=True, check=True
    )
    assert done.stdout == " ours\n"


def test_what_is_handed_to_it_is_read() -> None:
    assert shell.run(["cat"], timeout=SECONDS, stdin="ä").stdout == "ä"


def test_what_it_said_before_it_took_too_long_is_kept() -> None:
    with pytest.raises(CommandFailed, match="did not end within") as failure:
        shell.run(["sh", "-c", "echo here; echo there >&2; exec sleep 200"], timeout=3)
    assert failure.value.output == "here\nthere\n"
    assert "here" in failure.value.message


def test_output_is_utf_8_whatever_the_locale_and_however_broken() -> None:
    call = r"shell.run(['printf', '\\303\\244\\377'], timeout=60)"
    program = f"from meshdemo.system import shell; print(ascii({call}.stdout))"
    done = subprocess.run(
        [sys.executable, "-X", "utf8=0", "-c", program],
        env={**os.environ, "LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == r"'\xe4\ufffd'" + "\n"


def test_a_status_other_than_0_fails_with_all_that_was_said() -> None:
    with pytest.raises(CommandFailed, match="exit status 3") as failure:
        shell.run(["sh", "-c", "echo a; exit 3"], timeout=SECONDS)
    assert failure.value.output == "a\n"
    assert shell.run(["sh", "-c", "exit 3"], timeout=SECONDS, check=False).code == 3


def test_an_interrupt_for_us_alone_ends_what_is_attached() -> None:
    call = "shell.attach(['sh', '-c', 'echo here; exec sleep 20'], env={})"
    program = f"import sys; from meshdemo.system import shell; sys.exit({call})"
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130


def test_a_program_runs_beside_what_else_is_done(tmp_path: Path) -> None:
    file = tmp_path / "begun"
    with shell.beside(["sh", "-c", f"touch {file}; echo done"], timeout=SECONDS) as ended:
        waiting.until(file.exists, "the program to begin unasked", timeout=SECONDS)
        assert ended().stdout == "done\n"


@pytest.mark.parametrize(
    ("script", "timeout", "why"),
    [("echo no >&2; exit 3", SECONDS, "exit status 3\nno"), ("exec sleep 600", 0.5, "did not end")],
)
def test_a_program_beside_that_fails_says_so_when_it_is_asked(
    script: str, timeout: float, why: str
) -> None:
    with (
        pytest.raises(shell.CommandFailed, match=why),
        shell.beside(["sh", "-c", script], timeout=timeout) as ended,
    ):
        ended()


def test_a_program_beside_does_not_outlive_its_context(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    script = f"echo $$ > {file}.new; mv {file}.new {file}; exec sleep 20"
    with shell.beside(["sh", "-c", script], timeout=60):
        waiting.until(file.exists, "its process id", timeout=60)
    with pytest.raises(ProcessLookupError):
        os.kill(int(file.read_text()), 0)
