"""A disk that is full: pods live on, and a command that fails half way leaves nothing behind."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from meshdemo.errors import EnvironmentFailed
from meshdemo.walkthrough import bundled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IN_NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec"]
ON_SMALL_DISK = 'mount -t tmpfs -o size=4m none "$0"; exec "$@"'


def on_small_disk(folder: Path, *argv: str, timeout: float) -> subprocess.CompletedProcess[str]:
    """Run a program in a namespace in which a small disk is mounted on the folder."""
    return subprocess.run(
        [*IN_NAMESPACE, ON_SMALL_DISK, str(folder), *argv],
        capture_output=True, text=True, check=False, timeout=timeout,
    )  # fmt: skip


SCRIPT = """
import contextlib, json, pathlib, subprocess, sys, time
import psutil
from meshdemo.engines.local.engine import LocalEngine
from meshdemo.engines.local.processes import orphans
from meshdemo.settings import Settings
disk = pathlib.Path(sys.argv[1])
state, fill = disk / "state", disk / "fill"

def meshdemo(*argv):
    command = [sys.executable, "-m", "meshdemo", *argv, "--state-dir", str(state)]
    return subprocess.run(command, capture_output=True, text=True)

def show(*argv):
    done = meshdemo(*argv)
    left = sorted(str(path.relative_to(disk)) for path in disk.rglob("*"))
    print(json.dumps({"argv": argv, "code": done.returncode, "said": done.stdout + done.stderr,
                      "left": left}), flush=True)

def fill_up():
    with open(fill, "wb", buffering=0) as file:
        try:
            while file.write(bytes(512)):
                pass
        except OSError:
            return

def kill(part):
    run = json.loads((state / "run.json").read_text())["run"]
    for process in orphans.of_run(run):
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended just now
            if part in " ".join(process.cmdline()):
                process.kill()

def until_ready():
    deadline = time.monotonic() + 30
    mesh = LocalEngine(Settings(state_dir=state))
    while not all(pod.is_ready for pod in mesh.pods()) and time.monotonic() < deadline:
        time.sleep(0.05)

show("up", "--no-verify")
try:
    fill_up()
    show("verify", "--expect", "v2=100%", "--requests", "500")
    kill("apps.flaskapp")
    kill("bootstrap.json")
    until_ready()
    show("status")
    show("route", "v1")
    show("verify", "--expect", "v2=100%")
    fill.unlink()
    show("route", "v1")
    show("verify", "--expect", "v1=100%")
finally:
    show("down")
"""


def test_pods_outlive_a_full_disk(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if not shutil.which(IN_NAMESPACE[0]) or on_small_disk(disk, "true", timeout=10).returncode:
        pytest.skip("ATTENTION: this needs unshare and user namespaces, which are not allowed here")
    done = on_small_disk(disk, sys.executable, "-c", SCRIPT, str(disk), timeout=85)
    assert done.returncode == 0, done.stderr
    steps = [json.loads(line) for line in done.stdout.splitlines()]
    assert [step["code"] for step in steps] == [0, 0, 0, 3, 0, 0, 0, 0], steps
    assert "No space left on device" in steps[3]["said"]
    assert not [name for name in steps[3]["left"] if name.endswith(".new")]
    assert not steps[-1]["left"]


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Have a longer write fail, as on a disk that is full by then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("there", [False, True], ids=["a new folder", "a folder of mine"])
def test_manifests_that_cannot_all_be_written_leave_none_behind(
    tmp_path: Path, there: bool
) -> None:
    mine = tmp_path / "deep" / "mine.txt"
    if there:
        mine.parent.mkdir()
        mine.write_text("precious")
    first = (bundled.folder() / bundled.APP_MANIFEST).stat().st_size
    with files_of_at_most(first), pytest.raises(EnvironmentFailed, match="cannot be written"):
        bundled.write(mine.parent)
    left = [mine.parent, mine] if there else []
    assert sorted(tmp_path.rglob("*")) == left
    assert set(bundled.write(mine.parent).values()) == {"created"}
