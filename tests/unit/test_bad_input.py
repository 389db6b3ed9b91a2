"""Whatever the input is: 0, or 2 and the name of its file, and never anything else."""

from __future__ import annotations

import io
from itertools import cycle
from typing import TYPE_CHECKING

import pytest
from tests import bad_input

from meshdemo.cli import main
from meshdemo.cli.invocation import Invocation
from meshdemo.report.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path

SEEDS = range(4)
COUNT = 25
"""Of each seed; ``make chaos`` takes more."""
COMMANDS = (["up", "--dry-run"], ["inject"], ["inject", "--injection", "auto"])


def run(state: Path, *argv: str) -> tuple[int, str]:
    """Run a command line on the local engine; give its status and what it says."""
    out, err = io.StringIO(), io.StringIO()
    invocation = Invocation(progress=Progress.on(out, err))
    return main(["--state-dir", str(state), *argv], invocation=invocation), err.getvalue()


@pytest.mark.parametrize("seed", SEEDS)
def test_bad_input_is_refused_by_its_file_or_means_something(seed: int, tmp_path: Path) -> None:
    file, state = tmp_path / "input.yaml", tmp_path / "state"
    for case, command in zip(bad_input.cases(seed, COUNT), cycle(COMMANDS), strict=False):
        case.write(file)
        code, said = run(state, *command, "-f", str(file))
        assert code in (0, 2), f"{case.name}: {command}\n{said}"
        assert code == 0 or str(file) in said, f"{case.name}: {command}\n{said}"
    assert not state.exists()


@pytest.mark.parametrize("name", bad_input.FILES, ids=lambda name: repr(name)[:24])
def test_what_is_not_a_file_of_manifests_is_refused(name: str, tmp_path: Path) -> None:
    code, said = run(tmp_path / "state", "inject", "-f", name)
    assert code == 2
    assert "error: the manifests cannot be used\n  " in said
