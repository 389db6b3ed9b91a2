"""Strange environments: what is missing is said with a way out, never as a bug of ours."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

# The program in a container with a user id of its own, which no password database knows. It runs
# one command line after the other, as a shell with variables before the words, and tells how each
# of them ended.
UNKNOWN_USER = """
import io, itertools, json, os, pwd, sys
def getpwuid(number):
    raise KeyError(f"getpwuid(): uid not found: {number}")
pwd.getpwuid = getpwuid
from meshdemo.cli import main
from meshdemo.cli.invocation import Invocation
from meshdemo.report.progress import Progress
if gone := os.environ.pop("GONE", ""):
    os.chdir(gone)
    os.rmdir(gone)
ended = []
for line in sys.argv[1:]:
    words = line.split()
    own = dict(word.split("=") for word in itertools.takewhile(lambda word: "=" in word, words))
    os.environ.update(own)
    said = io.StringIO()
    run = Invocation(progress=Progress.on(said, said))
    ended.append((line, main(words[len(own):], invocation=run), said.getvalue()))
    for name in own:
        del os.environ[name]
print()
print(json.dumps(ended))
"""
COMMANDS = ("status", "up --no-verify", "down", "verify", "exec -- true", "logs", "proxy-url",
            "route v2", "route --clear", "deploy", "inject", "doctor", "get pods")  # fmt: skip
NOBODY = "~no-such-user-here/state"


@dataclass(frozen=True)
class Ended:
    """How one command line ended."""

    line: str
    code: int
    said: str

    def assert_refused(self, *words: str) -> None:
        assert self.code == 3, self
        assert not [word for word in words if word not in self.said], self


def call(lines: Iterable[str], environment: Mapping[str, str], *prefix: str) -> list[Ended]:
    """Run command lines there, in a small environment."""
    done = subprocess.run(
        [*prefix, sys.executable, "-c", UNKNOWN_USER, *lines],
        env={"PATH": os.environ["PATH"], **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done
    return [Ended(*each) for each in json.loads(done.stdout.splitlines()[-1])]


def test_without_a_home_folder_the_state_needs_a_name() -> None:
    for ended in call(COMMANDS, {}):
        ended.assert_refused("HOME is not set", "--state-dir", "MESHDEMO_STATE_DIR")


def test_what_needs_no_state_needs_no_home_folder(tmp_path: Path) -> None:
    lines = ("version", "--help", "inject --help", f"manifests {tmp_path}")
    assert {ended.code for ended in call(lines, {})} == {0}


def test_with_a_folder_for_the_state_all_of_it_works_without_a_home_folder(tmp_path: Path) -> None:
    state = tmp_path / "state"
    lines = ("doctor", "up --requests 20", "status", "route v1", "verify --expect v1=100%",
             "exec -- true", "logs app-v1", "proxy-url", "route --clear", "down")  # fmt: skip
    for ended in call([f"--state-dir {state} {line}" for line in lines], {}):
        assert ended.code == 0, ended
    assert not state.exists()


def test_a_mesh_comes_up_where_fewer_processes_and_files_are_allowed_than_supervisord_asks_for(
    tmp_path: Path,
) -> None:
    # Root's own limit is looked at and not enforced; others may have more processes than that.
    few = "ulimit -n 500; ulimit -u 150" if os.geteuid() == 0 else "ulimit -n 500"
    limited = ("sh", "-c", f'{few}; exec "$@"', "sh")
    environment = {"MESHDEMO_STATE_DIR": str(tmp_path / "state")}
    lines = ("up --no-verify", "verify --expect v2=100%", "exec -- true", "down")
    for ended in call(lines, environment, *limited):
        assert ended.code == 0, ended


def test_a_home_folder_that_nobody_has_is_named() -> None:
    lines = (
        f"--state-dir {NOBODY} status",
        f"up --state-dir {NOBODY}",
        f"MESHDEMO_STATE_DIR={NOBODY} down",
        f"XDG_STATE_HOME={NOBODY} verify",
        f"MESHDEMO_ISTIOCTL={NOBODY} images --engine cluster",
        f"images --engine cluster --istioctl {NOBODY}",
        f"status --kubeconfig {NOBODY}",
        f"KUBECONFIG={NOBODY} verify --engine cluster",
    )
    for ended in call(lines, {}):
        ended.assert_refused("no-such-user-here")


def test_below_a_folder_that_we_may_not_enter_there_is_no_state(tmp_path: Path) -> None:
    # Root may enter everywhere, unless somebody takes that right away.
    powerless = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        pytest.skip("setpriv is not there, and root may enter every folder")
    closed = tmp_path / "closed"
    (closed / "below").mkdir(parents=True)
    closed.chmod(0)
    environment = {"MESHDEMO_STATE_DIR": str(closed / "below" / "state")}
    try:
        for ended in call(COMMANDS, environment, *(powerless if os.geteuid() == 0 else ())):
            ended.assert_refused("Permission denied", "--state-dir")
    finally:
        closed.chmod(0o700)


def test_a_name_that_is_too_long_cannot_be_used(tmp_path: Path) -> None:
    long = [f"{tmp_path}/{name}" for name in ("a" * 300, "/".join(["a" * 200] * 30))]
    lines = [f"MESHDEMO_STATE_DIR={state} {line}" for state in long for line in COMMANDS]
    for ended in call(lines, {}):
        ended.assert_refused("File name too long", "--state-dir")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("state", ["not there any more", "Change to a folder"]),
        ("{tmp}/state", ["not there any more"]),  # where would its commands run?
        ("/proc/state", ["cannot be used", "--state-dir"]),
        ("/dev/null/state", ["cannot be used", "--state-dir"]),
        ("{tmp}/\udcff", ["is not text", "--state-dir"]),
        ("{tmp}/a\nb", ["characters", "--state-dir"]),
    ],
    ids=["relative to nothing", "from nowhere", "proc", "null", "no UTF-8", "two lines"],
)
def test_where_no_mesh_can_be_up_says_so(state: str, words: list[str], tmp_path: Path) -> None:
    environment = {"MESHDEMO_STATE_DIR": state.format(tmp=tmp_path)}
    if "not there any more" in words:
        environment["GONE"] = str(tmp_path / "gone")
        (tmp_path / "gone").mkdir()
    up, down = call(["up --no-verify", "down"], environment)
    up.assert_refused(*words)
    assert down.code in {0, 3}, down
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("state", ["/proc/state", "/dev/null/state", "{tmp}/a\nb"])
def test_doctor_sees_that_no_mesh_can_be_up(state: str, tmp_path: Path) -> None:
    (doctor,) = call(["doctor"], {"MESHDEMO_STATE_DIR": state.format(tmp=tmp_path)})
    assert doctor.code == 3, doctor
    assert "the state directory can be written" in doctor.said
    assert not list(tmp_path.iterdir())
