"""What goes wrong around the command: processes that die, pipes that close, signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from tests.paths import PROGRAM

if TYPE_CHECKING:
    from pathlib import Path

    import psutil
    from tests.e2e.conftest import Mesh

SECONDS = 60
APP = "meshdemo.engines.local.apps.flaskapp"


def until_back(mesh: Mesh, dead: psutil.Process, *words: str) -> None:
    """Wait until another process has taken the place of a dead one."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        now = [p for p in mesh.processes() if p != dead and all(w in _line(p) for w in words)]
        if now and set(mesh.ready().values()) == {"2/2"}:
            return
        time.sleep(0.1)
    pytest.fail(f"nothing came back in {SECONDS} s: {mesh.run('status').stdout}")


def _line(process: psutil.Process) -> str:
    return " ".join(process.cmdline()) if process.is_running() else ""


@pytest.mark.parametrize("which", ["app", "envoy"])
def test_what_crashes_is_started_again(running: Mesh, which: str) -> None:
    running.run("route", "v1=50", "v2=50")
    words = (APP,) if which == "app" else (running.envoy(), "app-v2")
    victim = next(p for p in running.processes() if all(w in _line(p) for w in words))
    victim.kill()
    until_back(running, victim, *words)
    assert sum(pod["restarts"] for pod in running.json("status")["pods"]) >= 1
    running.verify_split("--expect", "v1=50%,v2=50%")


def test_after_kill_9_of_everything_up_and_down_work(mesh: Mesh) -> None:
    mesh.run("up", "--no-verify")
    for process in mesh.processes():
        process.kill()
    mesh.run("up", "--no-verify")
    mesh.run("verify", "--expect", "v2=100%")


def test_after_kill_9_of_the_supervisor_down_leaves_nothing(mesh: Mesh) -> None:
    mesh.run("up", "--no-verify")
    mesh.process("supervisord").kill()
    known = mesh.processes()
    assert known
    mesh.run("down")
    assert not mesh.alive(known)


# What the last line on standard error has in it when a phase begins.
PHASES = {
    "the start": "",
    "the installation": "engine local",
    "the deployment": "inject",
    "the first count": "deploy",
    "the rules": "DestinationRule",
    "the measurement": "VirtualService",
}


def until_said(process: subprocess.Popen[str], words: str) -> None:
    """Read standard error until a line with these words; at once if there are none."""
    assert process.stderr is not None
    seen: list[str] = []
    while words and not (seen and words in seen[-1]):
        seen.append(process.stderr.readline())
        assert seen[-1], f"it ended without saying {words}: {seen}"


@pytest.mark.parametrize(
    ("phase", "signum"),
    [
        ("the start", signal.SIGINT),
        ("the installation", signal.SIGTERM),
        ("the deployment", signal.SIGINT),
        ("the deployment", signal.SIGKILL),
        ("the first count", signal.SIGTERM),
        ("the rules", signal.SIGKILL),
        ("the measurement", signal.SIGINT),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_an_up_that_was_cut_short_can_be_looked_at_finished_and_removed(
    mesh: Mesh, phase: str, signum: signal.Signals
) -> None:
    # So many requests that the measurement is under way when the signal comes.
    up = mesh.start("up", "--requests", "3000")
    until_said(up, PHASES[phase])
    up.send_signal(signum)
    _, said = up.communicate(timeout=SECONDS)
    # Before Python has installed its handlers the signal itself ends the process.
    assert up.returncode in {128 + signum, -signum}, said
    assert mesh.run_any("status").returncode in {0, 3}
    mesh.run("up", "--no-verify")
    mesh.run("verify", "--expect", "v2=100%", "--requests", "100")


def test_ctrl_c_while_python_starts_is_no_crash_and_no_verdict(tmp_path: Path) -> None:
    if subprocess.run(["env", "--block-signal=INT", "true"], check=False).returncode:
        pytest.skip("ATTENTION: Ctrl-C while Python starts was NOT tried: it needs GNU's env")
    # Python runs this before anything of ours.
    text = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n"
    (tmp_path / "sitecustomize.py").write_text(text)
    done = subprocess.run(
        [PROGRAM, "version", "-o", "json"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (130, b"")
    assert json.loads(done.stdout)["exitCode"] == 130


@pytest.mark.parametrize(
    ("expect", "code"), [("v2=100%", 0), ("v1=100%", 1)], ids=["met", "not met"]
)
def test_a_closed_pipe_does_not_change_the_verdict(running: Mesh, expect: str, code: int) -> None:
    running.run("route", "v2")
    script = f"meshdemo verify --expect {expect} | head -c0; exit ${{PIPESTATUS[0]}}"
    assert running.shell(script).returncode == code


@pytest.mark.parametrize("line", ["status", "inject -f -", "--help", "moon"])
def test_a_folder_as_standard_input_is_the_environments_and_said_as_everything_is(
    mesh: Mesh, line: str
) -> None:
    done = mesh.shell(f"meshdemo {line} < /")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("error: standard input is a folder\n")
    assert "</dev/null" in done.stderr
    done = mesh.shell(f"meshdemo -o json {line} < /")
    assert (done.returncode, json.loads(done.stdout)["exitCode"]) == (3, 3)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_a_measurement_is_no_verdict(running: Mesh, signum: signal.Signals) -> None:
    verify = running.start("verify", "--expect", "v2=100%", "--requests", "200000", "-o", "json")
    until_said(verify, "engine local")
    verify.send_signal(signum)
    stdout, _ = verify.communicate(timeout=SECONDS)
    assert verify.returncode == 128 + signum
    assert json.loads(stdout)["exitCode"] == 128 + signum


def test_up_leaves_nobody_who_holds_its_streams(mesh: Mesh) -> None:
    done = mesh.shell("meshdemo up --no-verify 2>&1 | cat")
    assert done.returncode == 0, done.stderr


def test_without_a_terminal_there_is_no_colour_and_nothing_that_moves(running: Mesh) -> None:
    done = running.run("up")
    assert "\x1b" not in done.stdout + done.stderr
    assert "\r" not in done.stdout + done.stderr
