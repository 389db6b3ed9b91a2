"""What goes wrong around the command: processes that die, pipes that close, signals."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from tests.paths import PROGRAM
from tests.printed import read, read_record

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Mesh

SECONDS = 60


def test_up_and_down_work_whatever_was_killed_before(mesh: Mesh) -> None:
    # The pipe has an end only when nobody of the mesh holds it.
    done = mesh.shell("meshdemo up --no-verify 2>&1 | cat")
    assert done.returncode == 0, done.stderr
    for process in mesh.processes():
        process.kill()
    mesh.run("up", "--no-verify")
    mesh.run("verify", "--expect", "v2=100%")
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


CUTS = {
    "stopped": [
        ("the start", signal.SIGINT),
        ("the installation", signal.SIGTERM),
        ("the deployment", signal.SIGINT),
        ("the first count", signal.SIGTERM),
        ("the measurement", signal.SIGINT),
    ],
    "killed": [("the deployment", signal.SIGKILL), ("the rules", signal.SIGKILL)],
}


@pytest.mark.parametrize("cuts", CUTS.values(), ids=CUTS)
def test_an_up_that_was_cut_short_can_be_looked_at_finished_and_removed(
    mesh: Mesh, cuts: list[tuple[str, signal.Signals]]
) -> None:
    for phase, signum in cuts:  # each goes on where the one before was cut
        # So many requests that the measurement is under way when the signal comes.
        up = mesh.start("up", "--requests", "1000")
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
    assert read(done.stdout)["exitCode"] == 130


@pytest.mark.parametrize(
    ("expect", "code"), [("v2=100%", 0), ("v1=100%", 1)], ids=["met", "not met"]
)
def test_a_closed_pipe_does_not_change_the_verdict(running: Mesh, expect: str, code: int) -> None:
    script = f"meshdemo verify -q --expect {expect} | head -c0; exit ${{PIPESTATUS[0]}}"
    done = running.shell(script)
    assert (done.returncode, done.stderr) == (code, "")


@pytest.mark.parametrize("line", ["status", "inject -f -", "--help", "moon"])
def test_a_folder_as_standard_input_is_the_environments_and_said_as_everything_is(
    mesh: Mesh, line: str
) -> None:
    done = mesh.shell(f"meshdemo {line} < /")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("error: standard input is a folder\n")
    assert "</dev/null" in done.stderr
    done = mesh.shell(f"meshdemo -o json {line} < /")
    assert (done.returncode, read(done.stdout)["exitCode"]) == (3, 3)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_a_measurement_is_no_verdict(
    running: Mesh, signum: signal.Signals, tmp_path: Path
) -> None:
    question = ("--expect", "v2=100%", "--requests", "200000", "-o", "json")
    file = tmp_path / "requests.jsonl"
    verify = running.start("verify", *question, "--record", str(file))
    while not (file.exists() and file.stat().st_size):
        assert verify.poll() is None
        time.sleep(0.01)
    verify.send_signal(signum)
    stdout, _ = verify.communicate(timeout=SECONDS)
    assert verify.returncode == 128 + signum
    document = read(stdout)
    assert document["exitCode"] == 128 + signum
    record = read_record(file)
    assert len(record) - document["tally"]["total"] in (0, 1), "a reply is kept, then counted"
    assert all(line["began"] and line["seconds"] for line in record)


def test_without_a_terminal_there_is_no_colour_and_nothing_that_moves(running: Mesh) -> None:
    done = running.run("up", "--requests", "20")
    assert "\x1b" not in done.stdout + done.stderr
    assert "\r" not in done.stdout + done.stderr
