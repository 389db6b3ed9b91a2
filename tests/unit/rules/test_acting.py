"""The rules that act on a request, by the part of them that does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.objects import destination_rule, parsed, route, service, to, virtual_service

from meshdemo.rules.acting import acting
from meshdemo.rules.client_view import Client
from meshdemo.verdict.traffic import Request

if TYPE_CHECKING:
    from meshdemo.objects.model import Object

PODS = [("shop", {"app": "app", "version": version}) for version in ("v1", "v2")]
SUBSETS = destination_rule("v1", "v2")
ANNA = {"match": [{"headers": {"user": {"exact": "anna"}}}], **route(to("v2"))}


def acts(
    *objects: Object, url: str = "http://app/a", injected: bool = True, user: str = "bob"
) -> list[tuple[str, str]]:
    request = Request(url, "GET", (("user", user),))
    found = acting(objects, PODS, request, Client("shop", {"app": "c"}, injected))
    return [(each.place.subject, each.place.field) for each in found]


@pytest.mark.parametrize(
    ("user", "expected"),
    [("bob", ["http[1]", "subsets[0]"]), ("anna", ["http[0]", "subsets[1]"])],
)
def test_the_http_rule_that_takes_it_and_the_subset_that_it_names(
    user: str, expected: list[str]
) -> None:
    rule = virtual_service(ANNA, route(to("v1")))
    found = acts(service(), SUBSETS, rule, user=user)
    assert found == [
        ("VirtualService shop/app", f"spec.{expected[0]}"),
        ("DestinationRule shop/app", f"spec.{expected[1]}"),
    ]


def test_a_rule_that_leaves_it_alone_or_lost_the_host_is_not_named() -> None:
    other = virtual_service(route(to("v2")), name="b", hosts=["other"])
    later = virtual_service(route(to("v2")), name="z")
    first = virtual_service(route(to("v1")), name="a")
    found = acts(service(), SUBSETS, other, later, first)
    assert [name for name, _ in found] == ["VirtualService shop/a", "DestinationRule shop/app"]


def test_a_split_acts_by_each_of_its_subsets() -> None:
    rule = virtual_service(route(to("v1", 90), to("v2", 10)))
    places = [field for _, field in acts(service(), SUBSETS, rule)]
    assert places == ["spec.http[0]", "spec.subsets[0]", "spec.subsets[1]"]


def test_a_host_whose_rules_do_not_match_is_still_decided_by_its_rule() -> None:
    assert acts(service(), SUBSETS, virtual_service(ANNA)) == [("VirtualService shop/app", "")]


def test_without_a_rule_only_the_destination_rule_acts_and_as_a_whole() -> None:
    assert acts(service(), SUBSETS) == [("DestinationRule shop/app", "")]


@pytest.mark.parametrize(("url", "injected"), [("http://app/a", False), ("http://nobody/a", True)])
def test_no_rule_acts_on_who_has_no_sidecar_or_calls_what_nobody_knows(
    url: str, injected: bool
) -> None:
    rule = virtual_service(route(to("v1")))
    assert acts(service(), SUBSETS, rule, url=url, injected=injected) == []


def test_of_a_delegate_and_who_delegates_both_act() -> None:
    objects = parsed(
        """
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: root, namespace: shop}
        spec:
          hosts: [app]
          http:
          - delegate: {name: leaf}
        ---
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: leaf, namespace: shop}
        spec:
          http:
          - match: [{uri: {prefix: /b}}]
            route: [{destination: {host: app, subset: v1}}]
          - route: [{destination: {host: app, subset: v2}}]
        """
    )
    assert acts(service(), SUBSETS, *objects) == [
        ("VirtualService shop/root", ""),
        ("VirtualService shop/leaf", "spec.http[1]"),
        ("DestinationRule shop/app", "spec.subsets[1]"),
    ]


def test_a_connection_is_decided_by_the_tcp_rule() -> None:
    objects = parsed(
        """
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: tcp, namespace: shop}
        spec:
          hosts: [app]
          tcp:
          - route: [{destination: {host: app, subset: v1}}]
        """
    )
    ports = [{"name": "tcp", "port": 9000}]
    found = acts(service(ports=ports), SUBSETS, *objects, url="tcp://app:9000")
    assert found == [
        ("VirtualService shop/tcp", ""),
        ("DestinationRule shop/app", "spec.subsets[0]"),
    ]
