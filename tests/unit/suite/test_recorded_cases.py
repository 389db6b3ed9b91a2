"""Recorded cases of real Istio, as route tests: some of them; make fidelity runs all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import yaml
from tests.fidelity import route_tests
from tests.paths import RECORDED_CASES

if TYPE_CHECKING:
    from pathlib import Path

EVERY = 14
CASES = [
    path
    for path in sorted(RECORDED_CASES.glob("*.yaml"))
    if not route_tests.left_out(yaml.load(path.read_text(), yaml.CSafeLoader))
]
TIMED = re.compile("(?i)timeout|delay")
"""What is about time is late on a busy machine: make fidelity tries it on a quiet one."""
TRIED = [path for path in CASES[::EVERY] if not TIMED.search(path.read_text())]


@pytest.mark.parametrize("case", TRIED, ids=[each.stem for each in TRIED])
def test_a_route_test_agrees_with_what_istio_is_recorded_to_do(case: Path) -> None:
    assert route_tests.difference(case) in ("", None)


def test_most_cases_are_carried() -> None:
    assert len(CASES) > 160
    assert len(TRIED) > 8
