"""What random rules promise is what real Envoys do: on a right mesh verify never says not met."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from msgspec.structs import replace
from tests.agreement import promised
from tests.contract.conftest import end_of
from tests.objects import deployment
from tests.worlds import World, admissible, app, random_world, second

from meshdemo.engines.local.admission import admit
from meshdemo.objects.model import RULE_KINDS
from meshdemo.walkthrough import verify

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meshdemo.engines.local.engine import LocalEngine
    from meshdemo.objects.model import Object
    from meshdemo.walkthrough.verify import Measured

SECONDS = 60
EACH = 5
"""So many worlds are tried whose promise is exact, and so many whose splits are by chance."""
REQUESTS = 200
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


def worlds(there: Sequence[Object]) -> Iterator[tuple[int, World]]:
    """Give worlds of these pods whose rules promise a split, and another than without rules.

    All of a world is applied at once, so nothing in it is older than the rest.
    """
    wanted = {True: EACH, False: EACH}
    for seed in count():
        world = replace(admissible(random_world(seed)), namespace="default", labels=LABELS)
        rules = [_undated(item) for item in world.objects if item.kind != "Deployment"]
        world, objects = replace(world, objects=tuple(rules)), [*rules, *there]
        said = promised(replace(world, objects=tuple(objects)))
        unruled = tuple(item for item in objects if item.kind not in RULE_KINDS)
        plain = promised(replace(world, objects=unruled))
        if isinstance(said, str) or said == plain or admit(objects, []).problems:
            continue
        exact = len(said) == 1
        if wanted[exact]:
            wanted[exact] -= 1
            yield seed, world
        if not any(wanted.values()):
            return


def _undated(item: Object) -> Object:
    metadata = {k: v for k, v in item.metadata.items() if k != "creationTimestamp"}
    return item.with_data({**item.data, "metadata": metadata})


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
    for seed, world in worlds(there):
        replace_rules(local, world)
        found = asked(local, world)
        assert found.convergence.live, seed
        assert found.sample.complete, seed
        assert not found.sample.disturbed, seed
        for each in found.verdict.judgements:
            right = each.ok or (not each.claim.exact and each.p_value > RARE)
            assert right, f"world {seed} promises {found.expectation}: {found.verdict.evidence}"
