"""The http rule that a trace names is the one that Envoy is told, on random meshes."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from tests.agreement import asked, configured
from tests.envoy_reading import route_for
from tests.reach_worlds import reach_world
from tests.worlds import World, random_world

from meshdemo.rules import request_trace
from meshdemo.rules.client_view import Client

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshdemo.objects.model import Object

WORLDS = 400


def named(item: Object) -> Object:
    """Give each http rule of a VirtualService the name of the place where it stands."""
    if item.kind != "VirtualService":
        return item
    http = [
        {**rule, "name": f"{item.namespace}_{item.name}_{number}"}
        for number, rule in enumerate(item.spec.get("http") or ())
    ]
    return item.with_data({**item.data, "spec": {**item.spec, "http": http}}) if http else item


def clusters(route: dict[str, Any] | None) -> dict[str, Fraction]:
    """Give the clusters of a route with their parts; none where it answers by itself."""
    action = (route or {}).get("route", {})
    if "cluster" in action:
        return {action["cluster"]: Fraction(1)}
    parts = action.get("weighted_clusters", {}).get("clusters", ())
    total = sum(part["weight"] for part in parts)
    found: dict[str, Fraction] = {}
    for part in parts:
        share = Fraction(part["weight"], total)
        found[part["name"]] = found.get(part["name"], Fraction(0)) + share
    return found


@pytest.mark.parametrize("make", [random_world, reach_world])
def test_a_trace_names_the_rule_that_the_sidecar_is_told(make: Callable[[int], World]) -> None:
    compared = 0
    for number in range(WORLDS):
        world = make(number)
        world = replace(world, objects=tuple(map(named, world.objects)))
        pods = [(found.pod.namespace, found.pod.labels) for found in world.blueprints]
        client = Client(world.namespace, world.labels, injected=True)
        found = request_trace.trace(world.objects, pods, world.request, client)
        route = route_for(configured(world)[1], asked(world))
        by_rule = route is not None and "metadata" in route
        if found.chosen is None:
            # What no rule takes, or what cannot be tried, leads to no rule either.
            assert not by_rule or found.undecided, (number, route, world)
            continue
        assert route is not None, (number, found, world)
        compared += 1
        where = found.chosen.origin
        place = f"{where.item.namespace}_{where.item.name}_{where.number}"
        assert route["name"].split(".")[0].split("-")[-1] == place, (number, route, world)
        if found.own_answers and not found.destinations:
            continue
        if any(each.target.passes_through for each in found.destinations):
            continue
        told: dict[str, Fraction] = {}
        for each in found.destinations:
            told[each.target.cluster] = told.get(each.target.cluster, Fraction(0)) + each.share
        assert told == clusters(route), (number, route, world)
    assert compared > WORLDS // 10, "most worlds have no rule to compare"
