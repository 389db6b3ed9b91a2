"""A rule in words: what is said, and that nothing is left out."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.objects import made

from meshdemo.engines.local import fields
from meshdemo.engines.local.fields import types
from meshdemo.rules.rule_words import in_words

if TYPE_CHECKING:
    from collections.abc import Iterator

SHOP = """
hosts: [shop]
http:
- match: [{headers: {x-user: {exact: anna}}}]
  route: [{destination: {host: shop, subset: v2}}]
- route:
  - {destination: {host: shop, subset: v1}, weight: 90}
  - {destination: {host: shop, subset: v2}, weight: 10}
  timeout: 0.1s
  fault: {abort: {percentage: {value: 30}, httpStatus: 503}}
"""


def words(kind: str, spec: Any) -> str:
    return "; ".join(in_words(made(kind, namespace="default", **spec)))


def test_a_canary_for_one_user_with_faults() -> None:
    said = "x-user = anna: v2; else v1 90, v2 10; timeout 0.1s; abort 30 % 503"
    assert words("VirtualService", yaml.safe_load(SHOP)) == f"hosts shop; {said}"


@pytest.mark.parametrize(
    ("match", "said"),
    [
        ("[{uri: {prefix: /api}}]", "path starts with /api: shop"),
        ("[{uri: {regex: '/a b;'}, method: {exact: PUT}}]",
         'path matches "/a b;" and method = PUT: shop'),
        ("[{headers: {x-a: {}}}, {withoutHeaders: {x-b: {}, x-c: {exact: d}}}]",
         "x-a is there or no x-b and x-c != d: shop"),
        ("[{queryParams: {user: {exact: anna}}, port: 80}]", "?user = anna and port 80: shop"),
        ("[{sourceLabels: {app: web}, sourceNamespace: blue}]",
         "from pods with app=web and from namespace blue: shop"),
        ("[{uri: {exact: /}}, {}]", "to shop"),
        ("[{name: only-a-name}]", "to shop"),
        ("null", "to shop"),
    ],
)  # fmt: skip
def test_conditions(match: str, said: str) -> None:
    way = {"match": yaml.safe_load(match), "route": [{"destination": {"host": "shop"}}]}
    assert words("VirtualService", {"hosts": ["shop"], "http": [way]}) == f"hosts shop; {said}"


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("{route: [{destination: {host: shop.default.svc.cluster.local, subset: v1}}]}", "to v1"),
        ("{route: [{destination: {host: cart, subset: v1, port: {number: 81}}}]}",
         "to v1 of cart (port 81)"),
        ("{route: [{destination: {host: a}}, {destination: {host: b}, weight: 1}]}", "to a 0, b 1"),
        ("{redirect: {uri: /x, redirectCode: 302}}", "redirect.uri /x, redirect.redirectCode 302"),
        ("{route: [{destination: {host: shop}}], fault: {delay: {fixedDelay: 2s}}}",
         "to shop; delay 0 % 2s"),
        ("{route: [{destination: {host: shop}}], fault: {delay: {fixedDelay: 2s, percent: 5}}}",
         "to shop; delay 5 % 2s"),
        ("{route: [{destination: {host: shop}}], headers: {request: {set: {x-a: b}, remove: [c]}}}",
         "to shop; set request header x-a = b; remove request header c"),
        ("{*r, retries: {attempts: 3}}",
         "to shop; retries 3"),
        ("{*r, retries: {attempts: 0}}", "to shop; no retries"),
        ("{*r, retries: {attempts: 2, retryOn: 5xx, backoff: 9ms}}",
         "to shop; retries 2 on 5xx (backoff 9ms)"),
        ("{*r, mirror: {host: shop-shadow}, mirrorPercent: 10}",
         "to shop; mirror 10 % to shop-shadow"),
        ("{*r, mirrors: [{destination: {host: shop, subset: v2}}]}",
         "to shop; mirror 100 % to v2"),
        ("{*r, corsPolicy: {allowOrigins: [{exact: a}, {prefix: b}]}}",
         "to shop; CORS for a or starts with b"),
        ("{*r, corsPolicy: {maxAge: 2m}}",
         "to shop; CORS for no origin (maxAge 2m)"),
        ("{directResponse: {status: 503}}", "answers 503 itself"),
        ("{delegate: {name: team}, match: [{port: 80}]}", "port 80: delegate team"),
        ("{delegate: {name: team, namespace: blue}}", "delegate blue/team"),
        ("{directResponse: {status: 418, body: {bytes: YQ==}}}",
         "answers 418 itself (bytes YQ==)"),
        ("{}", "no destination"),
    ],
)  # fmt: skip
def test_what_becomes_of_a_request(way: str, said: str) -> None:
    way = way.replace("*r", "route: [{destination: {host: shop}}]")
    spec = {"hosts": ["shop"], "http": [yaml.safe_load(way)]}
    assert words("VirtualService", spec) == f"hosts shop; {said}"


def test_a_delegate() -> None:
    http = [{"route": [{"destination": {"host": "shop"}}]}]
    assert words("VirtualService", {"http": http}) == "a delegate, for other rules; to shop"


def test_destination_rules() -> None:
    spec = yaml.safe_load("""
    host: shop
    subsets:
    - {name: v1, labels: {version: v1}}
    - {name: stable, labels: {track: main}, trafficPolicy: {loadBalancer: {simple: RANDOM}}}
    trafficPolicy: {connectionPool: {http: {http1MaxPendingRequests: 1}}}
    """)
    assert words("DestinationRule", spec) == (
        "host shop, subsets v1, stable (track=main); "
        "at most 1 pending request; stable: load balancer RANDOM"
    )


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("{loadBalancer: {consistentHash: {httpHeaderName: x-user}}}", "sticky by header x-user"),
        ("{loadBalancer: {consistentHash: {httpCookie: {name: c, ttl: 0s}}}}",
         "sticky by cookie c, trafficPolicy.loadBalancer.consistentHash.httpCookie.ttl 0s"),
        ("{loadBalancer: {consistentHash: {useSourceIp: true}}}", "sticky by source address"),
        ("{loadBalancer: {consistentHash: {httpQueryParameterName: q}}}",
         "sticky by query parameter q"),
        ("{connectionPool: {tcp: {maxConnections: 2}, http: {http2MaxRequests: 1}}}",
         "at most 2 connections, at most 1 request under way"),
        ("{outlierDetection: {consecutive5xxErrors: 3, baseEjectionTime: 1m}}",
         "ejects a pod after 3 5xx, ejected for 1m"),
        ("{outlierDetection: {consecutive5xxErrors: 0}}",
         "trafficPolicy.outlierDetection.consecutive5xxErrors 0"),
        ("{outlierDetection: {}}", "trafficPolicy.outlierDetection"),
        ("{tls: {mode: SIMPLE, sni: a.b}}", "TLS SIMPLE, as a.b"),
        ("{retryBudget: {percent: 20}}", "trafficPolicy.retryBudget.percent 20"),
        ("{portLevelSettings: [{port: {number: 80}, loadBalancer: {simple: RANDOM}, tls: {}}]}",
         "port 80: load balancer RANDOM; trafficPolicy.tls"),
    ],
)  # fmt: skip
def test_policies(policy: str, said: str) -> None:
    spec = {"host": "shop", "trafficPolicy": yaml.safe_load(policy)}
    assert words("DestinationRule", spec) == f"host shop; {said}"


IDLE = {
    "http.name", "http.match.name", "http.match.statPrefix",  # names in logs and statistics
    # Heeded only where their newer names are not there.
    "http.fault.delay.percent", "http.mirrorPercent", "http.mirror_percent",
    "http.corsPolicy.allowOrigin",
}  # fmt: skip


def full(of: Any) -> Any:
    """Give a value that has every field, and one of each choice."""
    if hasattr(of, "rows"):
        left_out = {name for group in of.one_of for name in group[1:]}
        return {name: full(row.type) for name, row in of.rows.items() if name not in left_out}
    if isinstance(of, types.ListOf):
        return [full(of.of)]
    if isinstance(of, types.MapOf):
        return {"key": full(of.of)}
    if isinstance(of, types.Boolean):
        return True
    number = isinstance(of, types.Integer | types.Number | types.Percentage | types.Port)
    return 3 if number else "text"


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in inner:
        if isinstance(item, dict | list):
            yield from leaves(item, (*path, key))
        else:
            yield (*path, key)


def changed(spec: Any, path: tuple[str | int, ...]) -> Any:
    other = copy.deepcopy(spec)
    place = other
    for key in path[:-1]:
        place = place[key]
    value = place[path[-1]]
    new = f"{value}s" if isinstance(value, str) else not value if value is True else value + 1
    place[path[-1]] = new
    return other


@pytest.mark.parametrize("kind", ["VirtualService", "DestinationRule"])
def test_whatever_is_changed_in_a_rule_changes_its_words(kind: str) -> None:
    spec = full(fields.TABLE[kind].rows["spec"].type)
    for protocol in ("http", "tcp", "tls"):
        for way in spec.get(protocol, ()):
            way["route"] *= 2  # the weight of an only destination means nothing
    paths = list(leaves(spec))
    assert len(paths) > 60
    before = words(kind, spec)
    untold = [path for path in paths if words(kind, changed(spec, path)) == before]
    assert {".".join(part for part in path if isinstance(part, str)) for path in untold} <= IDLE
