"""The page's levers: what is moved is written, and all else of the rule stays as it was."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdemo.errors import InputError
from meshdemo.objects.kinds import NETWORKING_API
from meshdemo.objects.model import Object
from meshdemo.verdict.expectation import parse_split
from meshdemo.walkthrough.levers import Abort, Delay, Levers, Position
from meshdemo.walkthrough.splits import Splitting

KNOWN = ["v1", "v2", "v3"]


def rule(kind: str, name: str, spec: dict[str, Any]) -> Object:
    metadata = {"name": name, "namespace": "default"}
    return Object({"apiVersion": NETWORKING_API, "kind": kind, "metadata": metadata, "spec": spec})


SUBSETS = rule(
    "DestinationRule",
    "app",
    {"host": "app", "subsets": [{"name": v, "labels": {"version": v}} for v in KNOWN]},
)


def to(subset: str, weight: int | None = None, **more: Any) -> dict[str, Any]:
    found = {"destination": {"host": "app", "subset": subset}, **more}
    return found if weight is None else {**found, "weight": weight}


def levers(http: dict[str, Any], *others: Object, known: list[str] = KNOWN) -> Levers:
    """Read the levers of the second rule of a VirtualService."""
    first = {"match": [{"headers": {"x": {"exact": "y"}}}], "route": [to("v3")], "timeout": "9s"}
    service = rule("VirtualService", "mine", {"hosts": ["app"], "http": [first, http]})
    splitting = Splitting("app", "default", [service, *others], on_cluster=False)
    return Levers.of(splitting, known, (service, 1))


def after(found: Levers, wanted: Position) -> Levers:
    """Read the levers of what a move makes."""
    moved = found.moved(wanted)
    keys = {item.key for item in moved}
    objects = [*moved, *(item for item in found.splitting.objects if item.key not in keys)]
    (service,) = [item for item in objects if item.kind == "VirtualService"]
    splitting = Splitting("app", "default", objects, on_cluster=False)
    return Levers.of(splitting, found.known, (service, found.number))


EXTRAS: dict[str, Any] = {
    "match": [{"uri": {"prefix": "/a"}}],
    "retries": {"attempts": 2},
    "headers": {"request": {"set": {"a": "b"}}},
}


def _parts(cuts: list[int]) -> tuple[int, ...]:
    return cuts[0], cuts[1] - cuts[0], 100 - cuts[1]


POSITIONS = st.builds(
    Position,
    weights=st.tuples(st.integers(0, 100), st.integers(0, 100)).map(sorted).map(_parts),
    abort=st.none() | st.builds(Abort, st.integers(1, 100).map(float), st.integers(200, 599)),
    delay=st.none() | st.builds(Delay, st.sampled_from([0.5, 50.0]), st.sampled_from([0.001, 2.5])),
    timeout=st.none() | st.sampled_from([0.001, 0.25, 3600.0]),
)


@given(start=POSITIONS, wanted=POSITIONS)
def test_levers_stand_where_they_were_moved_and_nothing_else_has(
    start: Position, wanted: Position
) -> None:
    found = levers({**EXTRAS, "route": [to("v2")]}, SUBSETS)
    found = after(found, start) if start != found.position else found
    before = copy.deepcopy([item.data for item in found.splitting.objects])
    then = after(found, wanted) if wanted != found.position else found
    assert then.position == wanted
    assert then.rule is not None
    first, http = then.rule.spec["http"]
    assert {name: http[name] for name in EXTRAS} == EXTRAS
    assert first["timeout"] == "9s"
    assert [item.data for item in found.splitting.objects] == before, "nothing changed in place"
    assert (then.base == found.base) == (wanted == found.position)


@pytest.mark.parametrize("split", [["v1=90", "v2=10"], ["v2"], ["v1=1", "v2=2", "v3=97"]])
def test_a_split_without_rules_is_what_route_writes(split: list[str]) -> None:
    wanted = dict(parse_split(split).weights)
    splitting = Splitting("app", "default", [], on_cluster=False)
    found = Levers.of(splitting, KNOWN, None)
    assert sum(found.position.weights) == 100
    moved = found.moved(Position(tuple(wanted.get(name, 0) for name in KNOWN)))
    written = splitting.rules(parse_split(split), KNOWN)
    assert [item.data for item in moved] == [item.data for item in written]


def test_a_version_that_joins_gets_its_subset_before_the_rule_names_it() -> None:
    subsets = rule("DestinationRule", "app", {"host": "app", "subsets": [{"name": "v2"}]})
    moved = levers({"route": [to("v2")]}, subsets).moved(Position((10, 90, 0)))
    assert [item.kind for item in moved] == ["DestinationRule", "VirtualService"]
    assert [each["name"] for each in moved[0].spec["subsets"]] == ["v2", "v1"]
    assert moved[1].spec["http"][1]["route"] == [to("v2", 90), to("v1", 10)]


def test_a_destination_of_which_more_is_said_keeps_its_place_with_nothing() -> None:
    more = {"headers": {"request": {"set": {"a": "b"}}}}
    found = levers({"route": [to("v1", 50, **more), to("v2", 50)]}, SUBSETS, known=["v1", "v2"])
    (service,) = found.moved(Position((0, 100)))
    assert service.spec["http"][1]["route"] == [to("v1", 0, **more), to("v2", 100)]


KEPT = [
    ({"fault": {"abort": {"percentage": {"value": 5}, "grpcStatus": "ABORTED"}}}, "abort"),
    ({"fault": {"delay": {"percentage": {"value": 5}, "exponentialDelay": "1s"}}}, "delay"),
]


@pytest.mark.parametrize(("said", "name"), KEPT)
def test_what_no_lever_can_say_is_kept(said: dict[str, Any], name: str) -> None:
    found = levers({**said, "route": [to("v2")]}, SUBSETS)
    assert found.kept == (name,)
    (service,) = found.moved(Position((0, 50, 50)))
    assert service.spec["http"][1]["fault"] == said["fault"]
    asked = Position((0, 50, 50), abort=Abort(1, 503))
    if name == "delay":
        asked = Position((0, 50, 50), delay=Delay(1, 1))
    with pytest.raises(InputError, match="edit the rule"):
        found.moved(asked)


def test_weights_are_shown_in_per_cent_and_stay_as_written_until_they_are_moved() -> None:
    found = levers({"route": [to("v1", 1), to("v2", 2)]}, SUBSETS)
    assert found.position.weights == (33, 67, 0)
    (service,) = found.moved(Position((33, 67, 0), timeout=1))
    assert service.spec["http"][1]["route"] == [to("v1", 1), to("v2", 2)]


def test_other_services_among_the_destinations_are_weighed_and_no_version_joins() -> None:
    other = {"destination": {"host": "shop", "subset": "v1"}, "weight": 30}
    found = levers({"route": [to("v2", 70), other]}, SUBSETS)
    assert [way.name for way in found.ways] == ["v1 of shop", "v2"]
    assert found.position.weights == (30, 70)


@pytest.mark.parametrize("http", [{"redirect": {"uri": "/"}}, {"directResponse": {"status": 418}}])
def test_a_rule_without_destinations_has_no_levers(http: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="no destinations"):
        levers(http, SUBSETS)


@pytest.mark.parametrize(
    ("weights", "said"),
    [((0, 50, 60), "add up to 110, and not to 100"), ((50, 50), "there are 3 weights, and not 2")],
)
def test_weights_that_cannot_be_are_refused(weights: tuple[int, ...], said: str) -> None:
    with pytest.raises(InputError, match=said):
        levers({"route": [to("v2")]}, SUBSETS).moved(Position(weights))
