"""Rules that speak of what is not there, by what can be seen of one namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.objects import created, destination_rule, made, route, service, to, virtual_service

from meshdemo.engines.cluster import rule_warnings
from meshdemo.engines.results import Pod

if TYPE_CHECKING:
    from meshdemo.errors import Problem
    from meshdemo.objects.model import Object

PODS = [
    Pod("app-v1-0", "shop", {"app": "app", "version": "v1"}, (), injected=True, phase="Running")
]


APP, SUBSETS = service(), destination_rule("v1")


def mine(host: str = "app", subset: str = "v1", **more: Any) -> Object:
    return virtual_service(route(to(subset, host=host)), **{"name": "mine", **more})


def warned(*objects: Object, seen: tuple[Object, ...] = (APP, SUBSETS)) -> list[Problem]:
    return list(rule_warnings.warnings(objects, seen, PODS, "shop"))


def test_what_refers_to_what_is_there_is_not_warned_of() -> None:
    assert warned(mine(), SUBSETS) == []


@pytest.mark.parametrize(
    ("host", "subset", "words"),
    [
        ("app", "v9", 'no DestinationRule for "app" has the subset "v9"'),
        ("nobody", "v1", 'no service has the host "nobody"'),
        ("app.shop", "v1", "did you mean app.shop.svc.cluster.local?"),
    ],
)
def test_a_destination_that_is_not_there_is_warned_of(host: str, subset: str, words: str) -> None:
    (found,) = warned(mine(host, subset))
    assert found.code == "IST0101"
    assert words in str(found)


@pytest.mark.parametrize("host", ["app.other.svc.cluster.local", "example.com"])
def test_of_a_service_that_cannot_be_seen_nothing_is_said(host: str) -> None:
    subsets = destination_rule("v1", name="far", host=host)
    assert warned(mine(host), subsets) == []


def test_a_subset_without_pods_is_warned_of_unless_something_to_come_makes_them() -> None:
    new = destination_rule("v2", name="new")
    (found,) = warned(new)
    assert found.code == "IST0173"
    template = {"metadata": {"labels": {"app": "app", "version": "v2"}}}
    assert warned(new, made("StatefulSet", "app-v2", template=template)) == []


@pytest.mark.parametrize("is_there", [True, False], ids=["after it was created", "before"])
def test_of_two_rules_for_one_host_the_older_one_wins(*, is_there: bool) -> None:
    older = mine(name="zebra", metadata=created("2026-01-01T00:00:00Z"))
    there = mine(metadata=created("2026-01-01T00:00:01Z"))
    (found,) = warned(mine(), seen=(APP, SUBSETS, older, *([there] if is_there else [])))
    assert found.code == "IST0109"
    assert "VirtualService shop/zebra names the same host" in found.message
    assert "VirtualService shop/zebra takes precedence" in found.hint


def test_of_two_rules_that_each_namespace_has_nearer_it_is_said_for_whom_which_counts() -> None:
    full = "app.shop.svc.cluster.local"
    theirs = mine(name="theirs", namespace="web", hosts=[full], exportTo=[".", "shop"])
    (found,) = warned(mine(exportTo=[".", "web"]), seen=(APP, SUBSETS, theirs))
    assert found.code == "IST0109"
    for client, first in (("shop", "shop/mine"), ("web", "web/theirs")):
        assert f"for clients in {client}: VirtualService {first} takes precedence" in found.hint
    assert "closer to the client" in found.hint


def test_a_route_into_a_subset_that_selects_no_pod_is_warned_of() -> None:
    (found,) = warned(mine(subset="v2"), seen=(APP, destination_rule("v2")))
    assert (found.code, found.field) == ("IST0173", "spec.http[0].route[0].destination.subset")
    assert 'the subset "v2" of "app" selects no pod' in str(found)
    assert found.hint == "requests to it get 503"


@pytest.mark.parametrize(
    ("host", "exported", "warns"),
    [
        ("app.other.svc.cluster.local", None, True),
        ("app.other.svc.cluster.local", ["*"], True),
        ("app.other.svc.cluster.local", ["."], False),
        ("app.shop.svc.cluster.local", None, False),
        ("api.example.com", None, False),
    ],
    ids=["another's", "said so", "kept to oneself", "one's own", "no Service"],
)
def test_a_rule_for_a_service_of_another_namespace_is_warned_of(
    host: str, exported: list[str] | None, warns: bool
) -> None:
    spec: dict[str, Any] = {"hosts": [host], **({"exportTo": exported} if exported else {})}
    found = [str(each) for each in warned(mine(**spec))]
    assert bool(found) is warns
    assert all("namespace other: the rule holds there as well" in each for each in found)
