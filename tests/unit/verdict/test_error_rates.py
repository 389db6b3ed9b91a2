"""The whole decision on simulated meshes: a small part of `make simulate`, with fixed seeds."""

from __future__ import annotations

import pytest
from tests.simulation import MESHES, Mesh, ours, simulate

from meshdemo.verdict.judgement import Outcome

RUNS = 100
FOUND = {
    # expected, real, in turn: met, not met, median and 95 % of the requests
    ("v1=50,v2=50", "v1=50,v2=50", False): (99, 1, 1_240, 3_480),
    ("v1=90,v2=10", "v1=90,v2=10", False): (99, 1, 480, 1_100),
    ("v1=50,v2=50", "v1=60,v2=40", False): (0, 100, 320, 600),
    ("v1=90,v2=10", "v1=80,v2=20", False): (0, 100, 160, 320),
    ("v2=100", "v2=99,v1=1", False): (2, 98, 120, 320),
    ("v1=50,v2=50", "v1=49.5,v2=49.5,error=1", False): (0, 100, 100, 340),
}


@pytest.mark.parametrize(
    "mesh", [m for m in MESHES if (m.expected, m.real, m.in_turn) in FOUND], ids=str
)
def test_verdicts_are_right_and_quick(mesh: Mesh) -> None:
    found = simulate(ours, mesh, RUNS, seed=1)
    counts = (found.outcomes[Outcome.MET], found.outcomes[Outcome.NOT_MET])
    assert (*counts, found.median, found.late) == FOUND[mesh.expected, mesh.real, mesh.in_turn]
