"""What is told of one request: who decides, why rules did not match, where it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.objects import created, destination_rule, parsed, route, service, to, virtual_service

from meshdemo.rules import request_trace, rewrites
from meshdemo.rules.client_view import Client
from meshdemo.verdict.traffic import Request

if TYPE_CHECKING:
    from meshdemo.objects.model import Object
    from meshdemo.rules.request_trace import Trace

PODS = [("shop", {"app": "app", "version": version}) for version in ("v1", "v2")]


def trace(
    *objects: Object,
    url: str = "http://app/a",
    method: str = "GET",
    namespace: str = "shop",
    **headers: str,
) -> Trace:
    request = Request(url, method, tuple(headers.items()))
    return request_trace.trace(objects, PODS, request, Client(namespace, {"app": "c"}, True))


def matching(subset: str, *matches: dict[str, object]) -> dict[str, object]:
    return {"match": list(matches), **route(to(subset))}


RULES = virtual_service(
    matching("v1", {"uri": {"prefix": "/b"}}, {"method": {"exact": "POST"}}),
    matching("v1", {"uri": {"prefix": "/a"}, "headers": {"user": {"exact": "anna"}}}),
    route(to("v1", 90), to("v2", 10)),
)


def test_each_match_before_says_what_failed_first() -> None:
    found = trace(service(), destination_rule("v1", "v2"), RULES)
    failed = [[c.path for c in step.tried.failed] for step in found.steps]
    assert failed == [[("uri",), ("method",)], [("headers", "user")], []]
    assert found.chosen is not None
    assert found.chosen.origin.path == ("spec", "http", 2)
    shares = {each.target.subset: float(each.share) for each in found.destinations}
    assert shares == {"v1": 0.9, "v2": 0.1}
    behind = [[each.takes(*pod) for pod in PODS] for each in found.destinations]
    assert behind == [[True, False], [False, True]]


def test_a_condition_says_what_was_wanted_and_what_was_there() -> None:
    found = trace(service(), destination_rule("v1", "v2"), RULES, user="bob")
    (condition,) = found.steps[1].tried.failed
    assert (condition.wanted, condition.found) == ({"exact": "anna"}, "bob")


def test_where_no_rule_takes_it_the_closest_is_told() -> None:
    rules = virtual_service(
        matching("v1", {"uri": {"prefix": "/b"}, "method": {"exact": "POST"}}),
        matching("v2", {"uri": {"prefix": "/a"}, "method": {"exact": "POST"}}),
    )
    found = trace(service(), destination_rule("v1", "v2"), rules)
    assert found.chosen is None
    assert found.closest is not None
    near, origin = found.closest
    assert (origin.number, [each.path for each in near.differing]) == (1, [("method",)])


def test_a_destination_that_is_missing_says_so() -> None:
    found = trace(service(), destination_rule("v1"), virtual_service(route(to("v3"))))
    (destination,) = found.destinations
    assert destination.refusal == (
        "no DestinationRule has the subset v3 of Service shop/app, so it gets 503"
    )
    assert not any(destination.takes(*pod) for pod in PODS)


OLD, NEW = created("2026-01-01T00:00:00Z"), created("2026-02-01T00:00:00Z")


@pytest.mark.parametrize(
    ("winner", "loser", "why"),
    [
        ({"metadata": OLD}, {"metadata": NEW}, "it is older, of 2026-01-01T00:00:00Z and not of"),
        ({"metadata": NEW}, {"hosts": ["*.local"]}, "is more specific than *.local"),
        ({"metadata": NEW, "exportTo": ["."]}, {"metadata": OLD}, "exportTo names fewer"),
        ({}, {}, "its name comes first"),
        ({}, {"metadata": OLD, "gateways": ["front"]}, "it is bound to front only"),
        ({}, {"metadata": OLD, "exportTo": ["b"]}, "its exportTo leaves out namespace shop"),
        ({}, {"metadata": OLD, "http": [matching("v1", {"port": 81})]}, "is for port 80 and this"),
    ],
)
def test_of_several_rules_for_a_host_it_is_said_who_decides_and_why(
    winner: dict[str, object], loser: dict[str, object], why: str
) -> None:
    first = virtual_service(name="a", **{"http": [route(to("v1"))], **winner})
    second = virtual_service(name="b", **{"http": [route(to("v2"))], **loser})
    found = trace(service(), destination_rule("v1", "v2"), second, first)
    assert [(claim.rule.name, claim.wins) for claim in found.claims] == [("a", True), ("b", False)]
    assert why in found.claims[1].why
    assert found.destinations[0].target.subset == "v1"


def test_a_rule_whose_short_name_is_of_another_namespace_is_named() -> None:
    elsewhere = virtual_service(route(to("v2")), namespace="ops")
    found = trace(service(), elsewhere)
    (claim,) = found.claims
    assert not claim.wins
    assert claim.why.startswith("its host app stands for app.ops.svc.cluster.local")


def test_a_host_that_nobody_knows_is_compared_with_those_that_are() -> None:
    found = trace(service(), url="http://ap/")
    assert (found.dialled, found.similar) == (None, ("app",))


def test_a_rule_of_a_delegate_is_found_where_it_was_written() -> None:
    objects = parsed(
        """
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: root, namespace: shop}
        spec:
          hosts: [app]
          http:
          - match: [{uri: {prefix: /a}}]
            delegate: {name: leaf}
        ---
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: leaf, namespace: shop}
        spec:
          http:
          - match: [{uri: {prefix: /z}}]
            route: [{destination: {host: app}}]
          - match: [{uri: {prefix: /a/b}}]
            route: [{destination: {host: app}}]
        """
    )
    found = trace(service(), *objects, url="http://app/a/b")
    assert found.chosen is not None
    origin = found.chosen.origin
    assert (origin.item.name, origin.number) == ("leaf", 1)
    assert origin.item.line(*origin.path) == 18


@pytest.mark.parametrize(
    ("uri", "rewrite", "sent", "seen"),
    [
        ({"prefix": "/a"}, {"uri": "/x"}, "/a/b", "/x/b"),
        ({"exact": "/a"}, {"uri": "/x"}, "/a", "/x"),
        ({"regex": "/a.*"}, {"uri": "/x"}, "/a/b", "/x"),
        (None, {"uri": "/x/"}, "/a/b", "/x/a/b"),
        (None, {"uriRegexRewrite": {"match": "/a/(.*)", "rewrite": r"/\1"}}, "/a/b", "/b"),
        (None, {}, "/a", "/a"),
    ],
)
def test_the_path_that_an_app_sees(
    uri: dict[str, str] | None, rewrite: dict[str, object], sent: str, seen: str
) -> None:
    assert rewrites.path({"rewrite": rewrite}, {"uri": uri} if uri else None, sent) == seen


TCP = {"name": "tcp", "port": 9000}
BY_TCP = virtual_service(
    route(to("v1")), tcp=[{"match": [{"port": 9000}], "route": [to("v2")]}], name="l4"
)


@pytest.mark.parametrize("url", ["http://app:9000/", "tcp://app:9000"])
def test_where_no_http_is_seen_the_rules_for_connections_are_told(url: str) -> None:
    found = trace(service(TCP), destination_rule("v1", "v2"), BY_TCP, url=url)
    assert [(claim.rule.name, claim.wins) for claim in found.claims] == [("l4", True)]
    (destination,) = found.destinations
    assert destination.target.subset == "v2"
    assert destination.share == 1
    assert [destination.takes(*pod) for pod in PODS] == [False, True]
    assert found.steps == ()


@pytest.mark.parametrize(
    ("tcp", "why"),
    [
        ([], "port 9000 of Service shop/app is not HTTP for Istio"),
        ([{"match": [{"port": 9001}], "route": [to("v2")]}], "none of its tcp or tls rules takes"),
        ([{"route": [to("v1")]}], "VirtualService shop/l4 takes precedence: "),
    ],
)
def test_of_rules_for_connections_it_is_said_why_one_does_not_decide(
    tcp: list[dict[str, object]], why: str
) -> None:
    other = virtual_service(route(to("v1")), tcp=tcp, name="z")
    found = trace(service(TCP), destination_rule("v1", "v2"), BY_TCP, other, url="http://app:9000/")
    assert [(claim.rule.name, claim.wins) for claim in found.claims] == [("l4", True), ("z", False)]
    assert found.claims[1].why.startswith(why)
