"""The README is true: its commands work, its tables are complete, its numbers agree."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from meshdemo import __version__
from meshdemo.engines.local import fields
from meshdemo.engines.local.admission import bounds
from meshdemo.engines.local.fields.types import Standing
from meshdemo.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent
LIMIT = 180
"""Seconds that a command of the README may take."""
FILES = re.findall(r"^`([\w.]+)`:\n\n```\w+\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def sections() -> dict[str, list[str]]:
    """Give the commands of each section that has some."""
    found: dict[str, list[str]] = {}
    for part in re.split(r"^#+ ", README, flags=re.MULTILINE)[1:]:
        title = part.splitlines()[0]
        blocks = re.findall(r"^```console\n(.*?)^```", part, re.MULTILINE | re.DOTALL)
        commands = re.findall(r"^\$ (.*)$", "".join(blocks), re.MULTILINE)
        if commands:
            found[title] = commands
    return found


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Put the command on PATH, and its mesh into a folder of the test."""
    environment = {
        **os.environ,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "MESHDEMO_STATE_DIR": str(tmp_path / "state"),
    }
    yield environment
    subprocess.run([BIN / "meshdemo", "down"], env=environment, check=True, capture_output=True)


@pytest.mark.parametrize("title", [t for t, c in sections().items() if "make up" not in c])
def test_the_commands_of_each_section_work_in_their_order(
    title: str, environment: dict[str, str], tmp_path: Path
) -> None:
    for name, text in FILES:
        (tmp_path / name).write_text(text)
    for command in sections()[title]:
        # Targets of make that run the tests or change the sources are only looked up.
        make = command.startswith("make ")
        done = subprocess.run(
            ["sh", "-c", f"{command} --dry-run" if make else command],
            cwd=ROOT if make else tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def test_the_first_command_of_all_works(environment: dict[str, str]) -> None:
    # As `make up` does it; make itself would first bring .venv up to date.
    recipe = ["make", "--dry-run", "--old-file=.venv/run.stamp", "up"]
    printed = subprocess.run(recipe, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert printed.split() == [".venv/bin/meshdemo", "up"]
    argv = [str(BIN / "meshdemo"), "up"]
    subprocess.run(argv, env=environment, check=True, capture_output=True, timeout=LIMIT)


def test_every_command_has_its_row_and_every_row_its_command() -> None:
    said = subprocess.run([BIN / "meshdemo", "--help"], check=True, capture_output=True, text=True)
    commands = set(re.findall(r"^  ([a-z][a-z-]+)  ", said.stdout, re.MULTILINE))
    table = README.partition("## Commands")[2].partition("\n\nOn every")[0]
    rows = " ".join(line.split("|")[1] for line in table.splitlines() if line.startswith("| `"))
    assert {name.split()[0] for name in re.findall(r"`([^`]+)`", rows)} == commands


def test_every_exit_code_has_its_row() -> None:
    table = README.partition("## Exit codes")[2].partition("##")[0]
    codes = {
        int(code) for code in re.findall(r"\b(\d+)\b", "".join(re.findall(r"\n\|([^|]*)", table)))
    }
    assert codes == {int(code) for code in ExitCode}


def test_the_changelog_knows_the_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## \[(.+?)\]", changelog, re.MULTILINE)[1] == __version__  # type: ignore[index]  # None fails as well


def test_every_file_that_the_readme_links_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    assert all((ROOT / link).exists() for link in links)


def words_of(bullet: str) -> list[str]:
    """Give what stands in backticks in the one bullet of the README that begins so."""
    (line,) = [line for line in README.splitlines() if line.startswith(f"- {bullet}")]
    return re.findall(r"`(\w+)`", line)


@pytest.mark.parametrize(
    ("bullet", "standing"),
    [("Accepted without effect", Standing.IDLE), ("Refused, as", Standing.UNSUPPORTED)],
)
def test_what_becomes_of_a_field_is_what_the_table_says(bullet: str, standing: Standing) -> None:
    found = {path.rpartition(".")[2]: row.standing for path, row in fields.every_row("Deployment")}
    words = words_of(bullet)
    assert words
    assert {word: found[word] for word in words} == dict.fromkeys(words, standing)


def test_the_bounds_are_those_that_hold() -> None:
    (line,) = [line for line in README.splitlines() if line.startswith("- At most ")]
    numbers = [int(number.replace(",", "")) for number in re.findall(r"[\d,]*\d", line)]
    bounded = [bounds.MOST_PODS, bounds.MOST_OBJECTS, bounds.MOST_PORTS, bounds.MOST_ITEMS]
    assert numbers == bounded
