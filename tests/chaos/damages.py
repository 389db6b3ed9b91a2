"""Damaged state directories below a mesh that runs: the damage is said, and ``down`` goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests import damage
from tests.chaos import trial as t

from meshdemo.engines import run_record

if TYPE_CHECKING:
    from tests.chaos.trial import Trial

COUNT = 100
SEEDED = 150
"""Values of another type among the ways to choose from; the others are some three hundred."""


def run(trial: Trial) -> None:
    """Damage it, look at it, try to change it, and take it down."""
    rng, outside = trial.rng, trial.top / "outside"
    outside.mkdir()
    (outside / "precious").write_text("mine")
    (outside / "program").write_text(f"#!/bin/sh\ntouch {outside}/it-ran\n")
    (outside / "program").chmod(0o755)
    trial.watch(outside, *outside.iterdir())
    trial.have_mesh()

    seeded = damage.seeded(trial.state, rng.randrange(1 << 30), SEEDED)
    hurt = rng.choice([*damage.common(), *damage.of_the_record(), *seeded])
    trial.did.append(f"# {hurt}")
    hurt.do(trial.state, outside)
    mark = trial.state / run_record.MADE
    if mark.is_symlink() or not mark.exists():
        trial.watch(trial.state)  # without the mark that it is ours it is the user's, and stays

    trial.run(*rng.choice(damage.LOOKING).split(), codes=(0, 3, 4))
    done = trial.run(*rng.choice(damage.CHANGING).split(), codes=(3,) if hurt.stops else (0, 3))
    trial.outcome = f"a change ends with {done.code}"
    way_out = "meshdemo down" if hurt.stops else "\n  "  # else any hint
    if done.code == 3 and way_out not in done.err:
        trial.fail(t.STUCK, f"{done.line} says no way out:\n{done.said}")
    if done.code == 0 and "up" in done.line:
        trial.run("verify", "--requests", "200", "--expect", "v2=100%", kind=t.STUCK)
    trial.end()
    if (outside / "it-ran").exists():
        trial.fail(t.FOREIGN, "a program of the user's was run, because a record named it")
