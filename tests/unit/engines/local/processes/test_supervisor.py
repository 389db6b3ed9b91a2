"""What is understood of supervisord's answers, and of none."""

from __future__ import annotations

import http.client
import socket
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
import pytest

from meshdemo.engines.local import runs
from meshdemo.engines.local.envoy.unix_http import Unreachable
from meshdemo.engines.local.processes import orphans
from meshdemo.engines.local.processes.configuration import PID_FILE, SOCKET, Process
from meshdemo.engines.local.processes.supervisor import Supervisor
from meshdemo.errors import EnvironmentFailed
from meshdemo.system import waiting

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def answering(path: Path, answer: bytes) -> Iterator[None]:
    """Answer one question on a unix socket with these bytes."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as question:
                # All of it: to close a socket with something unread resets the connection.
                question.readline()
                length = int(http.client.parse_headers(question)["Content-Length"])
                question.read(length)
                connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        thread.join(5)


@pytest.mark.parametrize(
    "body", [b"", b"Internal Server Error", b"<a/>", b"<methodResponse/>"], ids=repr
)
def test_an_answer_that_is_none_is_a_failure_of_the_environment(
    tmp_path: Path, body: bytes
) -> None:
    head = b"HTTP/1.1 500 x\r\nContent-Length: %d\r\n\r\n" % len(body)
    with (
        answering(tmp_path / SOCKET, head + body),
        pytest.raises(EnvironmentFailed, match="supervisord"),
    ):
        Supervisor(tmp_path, tmp_path, "run").is_up()


def test_nobody_there_is_no_supervisor_and_no_process(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, tmp_path, "run")
    assert not supervisor.is_up()
    assert supervisor.states() == {}


def test_a_supervisor_that_ends_while_it_is_told_is_a_failure_of_the_environment(
    tmp_path: Path,
) -> None:
    with pytest.raises(EnvironmentFailed, match="nobody answers") as failure:
        Supervisor(tmp_path, tmp_path, "run")._reload()
    assert "meshdemo up" in failure.value.hint


def test_one_that_was_killed_is_not_followed_by_another_while_what_it_ran_is_there(
    tmp_path: Path,
) -> None:
    program = Process("p", (sys.executable, "-c", "import time; time.sleep(600)"), tmp_path / "log")
    supervisor = Supervisor(tmp_path, tmp_path, runs.new_name())
    supervisor.start([program])
    try:
        waiting.until(lambda: supervisor.states()["p"].is_up, "the program", timeout=60)
        family = orphans.Family(supervisor.run, tmp_path)
        # Not by its words: a program that it forks has the same until it becomes the program.
        leader = psutil.Process(int((tmp_path / PID_FILE).read_text()))
        assert leader in family.look()
        leader.kill()
        leader.wait(60)
        with pytest.raises(Unreachable):
            supervisor.ensure([program])
        assert len(family.look()) == 1, "the program, and no other supervisord"
    finally:
        assert supervisor.stop()
    assert not family.look()


def test_what_a_killed_down_has_stopped_is_started_again(tmp_path: Path) -> None:
    program = Process("p", ("sh", "-c", "while :; do sleep 0.01; done"), tmp_path / "log")
    supervisor = Supervisor(tmp_path, tmp_path, runs.new_name())
    supervisor.start([program])
    try:
        waiting.until(lambda: supervisor.states()["p"].is_settled, "the program", timeout=60)
        before = supervisor.states()["p"].pid
        supervisor._call("stopAllProcesses", False)
        supervisor.ensure([program], loaded=True)
        now = supervisor.states()["p"]
        assert now.is_up
        assert now.pid != before
    finally:
        assert supervisor.stop()


UNTIL_BOTH_ARE_TOLD = """
cd "$1"
finish() { touch $0.told; until [ -e a.told -a -e b.told ]; do sleep 0.01; done; touch $0.ended; }
trap "finish; exit" TERM
touch $0.there
while :; do sleep 0.01; done
"""
"""Called a or b: told to end, it waits until both are told. Whoever waits too long is killed."""


def test_all_are_told_to_end_before_any_is_waited_for(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(UNTIL_BOTH_ARE_TOLD)
    both = [
        Process(name, ("sh", "-c", f". {program}", name, str(tmp_path)), tmp_path / "log")
        for name in "ab"
    ]
    supervisor = Supervisor(tmp_path, tmp_path, runs.new_name())
    supervisor.start(both)
    try:
        waiting.until(lambda: len(list(tmp_path.glob("*.there"))) == 2, "both", timeout=60)
    finally:
        assert supervisor.stop()
    assert sorted(file.name for file in tmp_path.glob("*.ended")) == ["a.ended", "b.ended"]
