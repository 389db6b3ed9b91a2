"""What random rules promise is what real Envoys do: on a right mesh verify never says not met."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.contract.conftest import end_of
from tests.objects import deployment
from tests.worlds import World, admissible, app, random_world, second

from meshdemo.walkthrough import verify

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.engines.local.engine import LocalEngine
    from meshdemo.objects.model import Object
    from meshdemo.walkthrough.verify import Measured

SECONDS = 60
SEEDS = (6, 7, 40, 78, 114, 137, 195, 217, 254, 406)
"""Of worlds that are promised a split, and another one than without their rules."""
REQUESTS = 200
LEAST_EXACT = 4
RARE = 1e-6
"""How unlikely a share must be before chance does not explain it."""
LABELS = {"app": "client"}


def pods() -> Iterator[Object]:
    """Give what stays while the rules change."""
    for name, namespace in [("app", "default"), ("web", "default"), ("app", "shop")]:
        yield from (app(name, namespace, track) for track in ("v1", "v2"))
    yield deployment(
        "testclient",
        namespace="default",
        metadata=second(0),
        labels={**LABELS, "sidecar.istio.io/inject": "true"},
        container={"name": "c"},
        selector={"matchLabels": LABELS},
    )


def replace_rules(local: LocalEngine, world: World) -> None:
    """Put a world's services and rules in the place of those that are there."""
    local.delete([item for item in local.objects() if item.kind != "Deployment"])
    local.apply([item for item in world.objects if item.kind != "Deployment"])


def asked(local: LocalEngine, world: World) -> Measured:
    question = verify.Question(request=world.request, requests=REQUESTS)
    return end_of(verify.measure(local, question))


def test_random_rules_are_met_by_the_mesh_that_has_them(local: LocalEngine) -> None:
    there = list(pods())
    local.apply(there)
    local.wait_ready(there, SECONDS)
    exact = 0
    for seed in SEEDS:
        world = replace(admissible(random_world(seed)), namespace="default", labels=LABELS)
        replace_rules(local, world)
        found = asked(local, world)
        assert found.convergence.live, seed
        assert found.sample.complete, seed
        assert not found.sample.disturbed, seed
        for each in found.verdict.judgements:
            right = each.ok or (not each.claim.exact and each.p_value > RARE)
            assert right, f"world {seed} promises {found.expectation}: {found.verdict.evidence}"
        exact += found.expectation.is_exact
    assert exact >= LEAST_EXACT, "splits by chance prove less"
