"""The repositories in examples/: the commands of each README work, in their order."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests import chance
from tests.paths import ROOT
from tests.printed import hold

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = ROOT / "examples"
BIN = Path(sys.executable).parent
LIMIT = 180
"""Seconds that a command may take."""


def commands(folder: Path) -> list[str]:
    text = (folder / "README.md").read_text()
    blocks = re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return re.findall(r"^\$ (.*)$", "".join(blocks), re.MULTILINE)


FOLDERS = sorted(file.parent for file in EXAMPLES.glob("*/README.md"))
BY_KUBECTL = [
    (folder, command)
    for folder in FOLDERS
    for command in commands(folder)
    if command.startswith("kubectl ")
]


@pytest.fixture
def repository(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Copy an example to where nothing else is: its tests must not need our own repository."""
    return shutil.copytree(request.param, tmp_path / "repository")


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Put the command on PATH, and its mesh into a folder of the test."""
    state = tmp_path / "state"
    environment = {
        **os.environ,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "MESHDEMO_STATE_DIR": str(state),
    }
    yield environment
    if state.exists():
        subprocess.run([BIN / "meshdemo", "down"], env=environment, check=True, capture_output=True)


def must_work(command: str, folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    right = done.returncode == 0 or chance.of_route_tests(done)
    assert right, f"{command}\n{done.stdout}\n{done.stderr}"
    hold(done.stdout)


@pytest.mark.parametrize(
    "repository", [pytest.param(each, id=each.name) for each in FOLDERS], indirect=True
)
def test_the_commands_of_the_readme_work(repository: Path, environment: dict[str, str]) -> None:
    found = [each for each in commands(repository) if not each.startswith("kubectl ")]
    assert any("meshdemo test" in command for command in found)
    for command in found:
        must_work(command, repository, environment)


@pytest.mark.parametrize(
    ("repository", "command"),
    [pytest.param(*each, id=each[1]) for each in BY_KUBECTL],
    indirect=["repository"],
)
def test_what_kustomize_makes_passes_and_is_what_is_kept(
    repository: Path, command: str, environment: dict[str, str]
) -> None:
    if not shutil.which("kubectl"):
        pytest.skip(f"ATTENTION: there is no kubectl here, so this was NOT run: {command}")
    must_work(command, repository, environment)


def test_each_example_is_in_the_list() -> None:
    listed = re.findall(r"^\| \[(.*?)\]", (EXAMPLES / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == [folder.name for folder in FOLDERS]


@pytest.mark.parametrize(
    ("got", "by_chance"),
    [
        ("v1 76.3 %, v2 23.7 % of 885 answers", True),
        ("v1 60 %, v2 40 % of 885 answers", False),
        ("v1 80 %, error 20 % of 885 answers", False),
    ],
)
def test_what_may_be_chance_is_told_from_what_is_none(got: str, by_chance: bool) -> None:
    said = (
        f"  ✔ a\n  ✘ b (885 requests)\n      expected: shares v1=80%,v2=20%\n      got:      {got}"
    )
    assert chance.of_route_tests(subprocess.CompletedProcess((), 1, said)) is by_chance
    assert not chance.of_route_tests(subprocess.CompletedProcess((), 2, said))
    more = f"{said}\n  ✘ c\n      expected: version v1\n      got:      version v2"
    assert not chance.of_route_tests(subprocess.CompletedProcess((), 1, more))
