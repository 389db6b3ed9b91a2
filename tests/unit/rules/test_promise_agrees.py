"""What the rules promise is what Envoy is told, on random meshes.

The promise reads objects, the sidecar follows its configuration; both must mean the same. The
configuration is read by ``tests/envoy_reading.py``, which knows nothing of objects.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from tests.envoy_reading import Answered, Asked, answered
from tests.worlds import World, random_world

from meshdemo.engines.local import plan, translate
from meshdemo.engines.local.model import Mesh, PlannedPod
from meshdemo.errors import InputError
from meshdemo.objects.model import RULE_KINDS
from meshdemo.rules import promise
from meshdemo.rules.client_view import Client
from meshdemo.verdict.traffic import Request

BATCHES, WORLDS = 6, 500


def told(world: World) -> tuple[dict[str, Fraction], Answered]:
    """Give the share of each version by the client's configuration."""
    numbers = iter(range(20_000, 30_000))

    def take(count: int) -> list[int]:
        return [next(numbers) for _ in range(count)]

    pods = plan.place(plan.blueprints(world.objects), (), take)
    template: dict[str, Any] = {"metadata": {}, "spec": {"containers": []}}
    client = PlannedPod(
        "client", world.namespace, world.labels, template, "client", injected=True, outbound=1
    )
    config = translate.sidecar(Mesh(world.objects, (*pods, client)), client, "FOLDER")
    named = world.host if world.port == 80 else f"{world.host}:{world.port}"
    query = dict([world.query[1:].split("=")] if world.query else [])
    found = answered(config, Asked(named, world.path, query, world.headers))
    versions = {port.entry: pod.labels["version"] for pod in pods for port in pod.ports}
    shares: dict[str, Fraction] = {}
    for port, share in found.ports.items():
        shares[versions[port]] = shares.get(versions[port], Fraction(0)) + share
    return shares, found


def promised(world: World) -> dict[str, Fraction] | str:
    """Give what the rules promise, or why they promise nothing."""
    url = f"http://{world.host}:{world.port}{world.path}{world.query}"
    request = Request(url, "GET", tuple(world.headers.items()))
    pods = [(found.pod.namespace, found.pod.labels) for found in plan.blueprints(world.objects)]
    client = Client(world.namespace, world.labels, injected=True)
    try:
        return dict(promise.promised(world.objects, pods, request, client).shares)
    except InputError as error:
        return error.message


def disagreement(world: World) -> str:
    """Say how promise and configuration differ; empty if they do not."""
    shares, found = told(world)
    said = promised(world)
    if isinstance(said, str):
        # Where a connection chooses the pod, a kept one would stay with it: nothing is promised.
        right = not shares or (found.connections and len(shares) > 1)
    else:
        right = said == shares
    return "" if right else f"the sidecar is told {shares or 'nothing'}, the promise is: {said}"


def smallest(world: World) -> World:
    """Leave out what the disagreement does not need."""
    for item in world.objects:
        fewer = replace(world, objects=tuple(other for other in world.objects if other != item))
        if disagreement(fewer):
            return smallest(fewer)
    return world


def without_rules(world: World) -> World:
    kept = (item for item in world.objects if item.kind not in RULE_KINDS)
    return replace(world, objects=tuple(kept))


@pytest.mark.parametrize("batch", range(BATCHES))
def test_the_promise_is_what_the_sidecar_is_told(batch: int) -> None:
    decided = by_rules = 0
    for number in range(batch * WORLDS, (batch + 1) * WORLDS):
        world = random_world(number)
        if disagreement(world):
            least = smallest(world)
            pytest.fail(f"world {number}: {disagreement(least)}\n{least}")
        said = promised(world)
        decided += not isinstance(said, str)
        by_rules += said != promised(without_rules(world))
    assert decided > WORLDS // 3, "most worlds say nothing"
    assert by_rules > WORLDS // 3, "most rules decide nothing"
