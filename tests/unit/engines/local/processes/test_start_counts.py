"""How often each process was started, and how it ended."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from meshdemo.engines.local.processes.start_counts import End, Starts

if TYPE_CHECKING:
    from pathlib import Path

BEGUN = "2026-01-01 10:00:00,000 INFO supervisord started with pid 1\n"


def spawned(name: str, pid: int = 7) -> str:
    return f"2026-01-01 10:00:00,001 INFO spawned: '{name}' with pid {pid}\n"


def stopped(name: str) -> str:
    return f"2026-01-01 10:00:00,002 WARN stopped: {name} (terminated by SIGTERM)\n"


def exited(name: str, how: str) -> str:
    return f"2026-01-01 10:00:00,003 WARN exited: {name} ({how})\n"


def test_without_a_log_nothing_was_started(tmp_path: Path) -> None:
    assert Starts(tmp_path / "log").count() == {}


def test_starts_count_since_the_process_was_added_or_supervisord_was_started(
    tmp_path: Path,
) -> None:
    log = tmp_path / "log"
    log.write_text(spawned("a") + BEGUN + spawned("a") * 2 + spawned("b") + stopped("b"))
    assert Starts(log).count() == {"a": 2, "b": 0}


def test_who_asks_again_reads_only_what_is_new(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(BEGUN + spawned("a"))
    starts = Starts(log)
    assert starts.count() == {"a": 1}
    with log.open("r+") as file:  # were the beginning read again, this would count
        file.write("x" * len(BEGUN + spawned("a")))
        file.write(spawned("a") + spawned("b")[:-1])
    assert starts.count() == {"a": 2}
    with log.open("a") as file:
        file.write("\n")
    assert starts.count() == {"a": 2, "b": 1}


def test_a_rotation_loses_no_start(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(BEGUN + spawned("a"))
    starts = Starts(log)
    starts.count()
    with log.open("a") as file:
        file.write(spawned("a"))
    log.rename(tmp_path / "log.1")
    log.write_text(spawned("a"))
    assert starts.count() == Starts(log).count() == {"a": 3}


def test_how_each_ended_the_last_time_is_known(tmp_path: Path) -> None:
    log = tmp_path / "log"
    ends = (
        exited("a", "exit status 1; not expected"),
        exited("a", "terminated by SIGABRT (core dumped); not expected"),
        exited("b", "exit status 0; expected"),
    )
    log.write_text(exited("c", "exit status 1; expected") + BEGUN + spawned("a") + "".join(ends))
    starts = Starts(log)
    starts.count()
    assert starts.ends == {
        "a": End(7, "terminated by SIGABRT (core dumped)"),
        "b": End(0, "exit status 0"),
    }


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says that a process is ending")
def test_a_process_that_ends_is_known_before_anybody_has_waited_for_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    starts = Starts(log)
    assert not starts.is_ending("a")
    with subprocess.Popen(["sleep", "60"]) as process:
        log.write_text(spawned("a", process.pid))
        assert not starts.is_ending("a")
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert starts.is_ending("a")
    assert starts.is_ending("a")
