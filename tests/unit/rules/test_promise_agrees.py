"""What the rules promise is what Envoy is told, on random meshes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.agreement import disagreement, promised
from tests.connection_worlds import connection_world
from tests.reach_worlds import reach_world, versions
from tests.worlds import World, random_world

from meshdemo.objects.model import REACH_KINDS, RULE_KINDS

if TYPE_CHECKING:
    from collections.abc import Callable

BATCHES, WORLDS = (3 if "CI" in os.environ else 1), 500


def smallest(world: World) -> World:
    """Leave out what the disagreement does not need."""
    for item in world.objects:
        fewer = replace(world, objects=tuple(other for other in world.objects if other != item))
        if disagreement(fewer, endpoints=versions(fewer)):
            return smallest(fewer)
    return world


def agreed(
    batch: int, make: Callable[[int], World], without: Callable[[World], World], enough: int
) -> tuple[int, int]:
    """Compare the worlds of a batch: how many promise something, and how many by what is tried.

    Of the latter it is enough to find one more than ``enough``.
    """
    decided = by_it = 0
    for number in range(batch * WORLDS, (batch + 1) * WORLDS):
        world = make(number)
        said = promised(world)
        if disagreement(world, said, versions(world)):
            least = smallest(world)
            found = disagreement(least, endpoints=versions(least))
            pytest.fail(f"world {number}: {found}\n{least}")
        decided += not isinstance(said, str)
        if by_it <= enough:
            by_it += said != promised(without(world))
    return decided, by_it


def without_rules(world: World) -> World:
    kept = (item for item in world.objects if item.kind not in RULE_KINDS)
    return replace(world, objects=tuple(kept))


@pytest.mark.parametrize("batch", range(BATCHES))
def test_the_promise_is_what_the_sidecar_is_told(batch: int) -> None:
    decided, by_rules = agreed(batch, random_world, without_rules, WORLDS // 3)
    assert decided > WORLDS // 3, "most worlds say nothing"
    assert by_rules > WORLDS // 3, "most rules decide nothing"


def without_reach(world: World) -> World:
    """Leave out what decides on the client's reach; headless Services stay."""
    kept = (item for item in world.objects if item.kind not in REACH_KINDS)
    return replace(world, objects=tuple(kept))


@pytest.mark.parametrize("batch", range(BATCHES))
def test_so_it_is_where_a_client_reaches_more_or_less_than_services(batch: int) -> None:
    decided, by_reach = agreed(batch, reach_world, without_reach, WORLDS // 10)
    assert decided > WORLDS // 4, "most worlds say nothing"
    assert by_reach > WORLDS // 10, "what is added decides nothing"


def without_connection_rules(world: World) -> World:
    kept = (item for item in world.objects if not item.name.startswith("l4-"))
    return replace(world, objects=tuple(kept))


@pytest.mark.parametrize("batch", range(BATCHES))
def test_so_it_is_for_connections(batch: int) -> None:
    decided, by_rules = agreed(batch, connection_world, without_connection_rules, WORLDS // 4)
    assert decided > WORLDS // 4, "most worlds say nothing"
    assert by_rules > WORLDS // 4, "most rules decide nothing"
