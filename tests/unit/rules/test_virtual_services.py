"""Which of several VirtualServices for one host a sidecar heeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.objects import created, virtual_service

from meshdemo.rules import virtual_services

if TYPE_CHECKING:
    from meshdemo.objects.model import Object

FULL = "app.shop.svc.cluster.local"


def rule(name: str, second: int, namespace: str = "shop", **spec: Any) -> Object:
    when = created(f"2026-01-01T00:00:0{second}Z")
    return virtual_service(name=name, namespace=namespace, metadata=when, **spec)


def overruling(mine: Object, *others: Object, namespace: str = "shop") -> list[str]:
    return [item.name for item in virtual_services.overruling(mine, [*others, mine], namespace)]


def test_the_older_one_wins_and_within_a_second_the_first_by_name() -> None:
    assert overruling(rule("b", 2), rule("c", 1)) == ["c"]
    assert overruling(rule("b", 1), rule("c", 2)) == []
    assert overruling(rule("b", 1), rule("a", 1)) == ["a"]


def test_the_age_is_that_of_the_rule_as_it_is_applied() -> None:
    applied, older = rule("mine", 2), rule("other", 1)
    written = applied.with_data({**applied.data, "metadata": {"name": "mine", "namespace": "shop"}})
    assert virtual_services.overruling(written, [applied, older], "shop") == (older,)


def test_one_that_fewer_namespaces_see_wins_though_it_is_newer() -> None:
    assert overruling(rule("public", 1), rule("own", 2, exportTo=["."])) == ["own"]
    assert overruling(rule("public", 1), rule("own", 2, exportTo=["shop", "other"])) == ["own"]
    assert overruling(rule("own", 2, exportTo=["."]), rule("public", 1)) == []


@pytest.mark.parametrize(
    "spec",
    [
        {"hosts": ["other"]},
        {"hosts": ["app.other.svc.cluster.local"]},
        {"hosts": ["*.shop.svc.cluster.local"]},
        {"gateways": ["front"]},
        {"exportTo": ["other"]},
        {"exportTo": ["~"]},
        {"hosts": "app"},
    ],
    ids=str,
)
def test_one_that_no_sidecar_could_take_for_the_other_overrules_nothing(
    spec: dict[str, Any],
) -> None:
    assert overruling(rule("mine", 2), rule("other", 1, **spec)) == []


def test_the_full_name_and_capitals_make_no_difference() -> None:
    assert overruling(rule("mine", 2), rule("other", 1, "far", hosts=[FULL.title()])) == ["other"]


def test_a_rule_is_overruled_when_none_of_its_hosts_is_left() -> None:
    mine = rule("mine", 3, hosts=["app", "web"])
    assert overruling(mine, rule("a", 1)) == []
    assert overruling(mine, rule("a", 1), rule("w", 2, hosts=["web"])) == ["a", "w"]


def test_what_is_for_gateways_alone_is_overruled_by_nothing() -> None:
    assert overruling(rule("mine", 2, gateways=["front"]), rule("other", 1)) == []
