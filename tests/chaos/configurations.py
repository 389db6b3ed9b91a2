"""Random meshes: one Envoy that lives long takes over the configuration of each, one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chaos import trial as t
from tests.living_envoy import living
from tests.random_configurations import configurations

if TYPE_CHECKING:
    from tests.chaos.trial import Trial

COUNT = 4
SEEDS = 250
"""In a trial: from each come three or four configurations."""


def run(trial: Trial) -> None:
    """Tell an Envoy the configurations of some seeds, and see that it rejects none."""
    first, told = trial.rng.randrange(10**6), 0
    trial.did.append(f"# seeds {first} to {first + SEEDS - 1} of tests/random_configurations.py")
    with living(trial.top) as envoy:
        for name, config in configurations(range(first, first + SEEDS), trial.top):
            told += 1
            if why := envoy.takes(config):
                trial.fail(t.REJECTED, f"{name}: {why}")
        if envoy.count("update_success") < told:
            trial.fail(t.REJECTED, f"it took over less than {told} configurations")
    trial.outcome = f"{told} configurations"
