"""A supervisord that is started ahead: it waits, runs when told, and never stays behind."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from meshdemo.engines.local.processes import configuration, daemon
from meshdemo.engines.local.processes.spare import Spare
from meshdemo.engines.local.processes.supervisor import Supervisor
from meshdemo.system import waiting

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE = 60.0


@pytest.fixture
def spare(tmp_path: Path) -> Iterator[Spare]:
    found = Spare(tmp_path)
    yield found
    found._waiting.end()


def process_of(spare: Spare) -> psutil.Process:
    waiting = spare._waiting._process
    assert waiting
    return psutil.Process(waiting.pid)


def test_it_becomes_the_supervisord_of_its_run_and_of_no_other(
    spare: Spare, tmp_path: Path
) -> None:
    process = process_of(spare)
    assert spare.take("another") is None
    assert [*tmp_path.iterdir()] == [], "it has left nothing yet"
    supervisor = Supervisor(tmp_path, tmp_path, spare.run, spare)
    supervisor.start([])
    try:
        assert (tmp_path / configuration.PID_FILE).read_text().strip() == str(process.pid)
        assert supervisor.is_up()
    finally:
        assert supervisor.stop()


def test_one_that_has_ended_is_replaced(spare: Spare, tmp_path: Path) -> None:
    process_of(spare).kill()
    supervisor = Supervisor(tmp_path, tmp_path, spare.run, spare)
    supervisor.start([])
    assert supervisor.is_up()
    assert supervisor.stop()


def test_it_ends_with_whoever_started_it_also_by_sigkill(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys; from meshdemo.engines.local.processes.spare import Spare;"
        "spare = Spare(pathlib.Path(sys.argv[1]));"
        "print(spare._waiting._process.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as starter:
        assert starter.stdout
        process = psutil.Process(int(starter.stdout.readline()))
        starter.kill()
    waiting.until(lambda: not process.is_running(), "its end", timeout=PATIENCE)


def test_a_version_of_supervisor_that_needs_more_gets_it() -> None:
    code = (
        "import runpy, sys; daemon = runpy.run_path(sys.argv[1]);"
        "daemon['LEFT_OUT']['http.client'].clear(); _, supervisord = daemon['imported']();"
        "import http.client, importlib.metadata;"
        "assert http.client.HTTPConnection.request and importlib.metadata.version;"
        "print(supervisord.__name__)"
    )
    argv = [sys.executable, "-c", code, daemon.__file__]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("supervisor.supervisord", "")
