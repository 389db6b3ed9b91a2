"""Why a process ends each time it is started, as its log and supervisord say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from meshdemo.engines.local.pods import failure_causes
from meshdemo.engines.local.processes.start_counts import End
from meshdemo.engines.local.processes.supervisor import CRASHING, RUNNING, State

if TYPE_CHECKING:
    from pathlib import Path

CRASH = """\
[2026-01-01 10:00:00.799][{0}][critical][assert] [source/watcher_impl.cc:25] assert failure: {1}
[2026-01-01 10:00:00.799][{0}][error][envoy_bug] [./source/assert.h:60] stacktrace for envoy bug
[2026-01-01 10:00:00.810][{0}][critical][backtrace] [./backtrace.h:173] Caught Aborted
"""
ABORTED = "terminated by SIGABRT"


def crashing(pid: int, how: str = ABORTED, restarts: int = 1) -> State:
    return State(0, CRASHING, restarts, end=End(pid, how))


def test_an_envoys_critical_line_says_why_it_ends(tmp_path: Path) -> None:
    log = tmp_path / "istio-proxy.log"
    log.write_text(CRASH.format(7, "of its former life") + CRASH.format(8, "no  inotify"))
    said = failure_causes.of_envoy(crashing(8), log)
    assert (
        said == f"istio-proxy ends each time it is started ({ABORTED}): assert failure: no inotify"
    )
    assert "sysctl" in failure_causes.hint_of_envoy(said, log)
    assert str(log) in failure_causes.hint_of_envoy(said, log)


def test_what_envoy_wraps_around_the_reason_is_left_out(tmp_path: Path) -> None:
    log = tmp_path / "istio-proxy.log"
    log.write_text(
        "[2026-01-01 10:00:00.238][8][critical][main] [source/server/server.cc:449] error `cannot "
        "bind '/x': No such file or directory` initializing config 'goo.gle/debugonly\n"
        "  bootstrap.json'\ncannot bind '/x': No such file or directory\n"
    )
    said = failure_causes.of_envoy(crashing(8), log)
    assert said.endswith("): cannot bind '/x': No such file or directory")


@pytest.mark.parametrize("name", ["istio-proxy", "kube-proxy"])
def test_without_such_a_line_its_last_lines_are_shown(tmp_path: Path, name: str) -> None:
    log = tmp_path / f"{name}.log"
    log.write_text(CRASH.format(7, "of its former life") + "libc.so.6: cannot open\n")
    said = failure_causes.of_envoy(crashing(8, "exit status 127"), log, 1)
    assert said == (
        f"{name} ends each time it is started (exit status 127); its last lines:\n"
        "    libc.so.6: cannot open"
    )


def test_who_wrote_nothing_and_who_could_not_be_started_is_said(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    assert failure_causes.of_container("app", crashing(8), log).endswith("\n    (it wrote nothing)")
    lost = State(0, CRASHING, unstartable="can't find command 'x'")
    for said in (failure_causes.of_container("app", lost, log), failure_causes.of_envoy(lost, log)):
        assert said.endswith(" cannot be started: can't find command 'x'")


@pytest.mark.parametrize(
    ("state", "given_up"),
    [
        (crashing(8, restarts=0), False),
        (crashing(8), True),
        (State(0, CRASHING, unstartable="can't find command 'x'"), True),
        (State(8, RUNNING, 9), False),
    ],
    ids=["the first end", "the second end", "not startable", "up again"],
)
def test_one_end_is_bad_luck_and_two_are_not(state: State, given_up: bool) -> None:
    assert failure_causes.is_given_up(state) is given_up


def test_where_nothing_more_may_be_started_the_way_out_is_another_one(tmp_path: Path) -> None:
    why = "Too many processes in process table to spawn 'default.app'"
    state = State(0, CRASHING, 0, unstartable=why)
    envoy, app = (
        of("app", state, tmp_path / "log") for of in (_of_envoy, failure_causes.of_container)
    )
    assert why in envoy
    assert why in app
    hints = failure_causes.hint_of_envoy(envoy, tmp_path), failure_causes.hint_of_container(app)
    assert all("ulimit -u" in hint for hint in hints)


def _of_envoy(_: str, state: State, log: Path) -> str:
    return failure_causes.of_envoy(state, log)
