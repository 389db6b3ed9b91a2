"""The route configuration as a whole: what must hold whatever the objects say."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict, replace
from tests.objects import created, route, service, to, virtual_service

from meshdemo.engines.local import translate
from meshdemo.engines.local.model import Mesh, PlannedPod
from meshdemo.engines.local.translate import resources, route_actions

if TYPE_CHECKING:
    from meshdemo.objects.model import Object

NAMESPACES = st.sampled_from(["default", "shop"])
HOSTS = st.sampled_from(
    [
        "app",
        "other",
        "app.shop",
        "app.default.svc.cluster.local",
        "*.example",
        "x.example",
        "*.local",
    ]
)
ONCE = created("2026-01-01T00:00:00Z")


@st.composite
def _services(draw: st.DrawFn) -> Object:
    numbers = draw(st.lists(st.sampled_from([80, 8000]), min_size=1, unique=True))
    names = st.sampled_from(["http", "tcp", ""])
    ports = [{"port": number, "name": draw(names)} for number in numbers]
    name = draw(st.sampled_from(["app", "other"]))
    space = draw(NAMESPACES)
    return service(*ports, name=name, namespace=space, metadata=ONCE, selector={"a": "b"})


@st.composite
def _rules(draw: st.DrawFn) -> Object:
    hosts = draw(st.lists(HOSTS, min_size=1, unique=True))
    match = draw(st.sampled_from([[], [{"port": 80}], [{"uri": {"prefix": "/a"}}]]))
    rule = {"match": match, **route(to(host=draw(HOSTS)))}
    name = draw(st.sampled_from(["one", "two"]))
    space = draw(NAMESPACES)
    return virtual_service(rule, name=name, namespace=space, metadata=ONCE, hosts=hosts)


def _client(namespace: str) -> PlannedPod:
    return PlannedPod("client", namespace, {}, {}, "", injected=True, outbound=20001)


@given(st.lists(_services()), st.lists(_rules()), NAMESPACES)
def test_virtual_hosts_are_as_envoy_wants_them(
    services: list[Object], rules: list[Object], namespace: str
) -> None:
    known = {item.key: item for item in [*services, *rules]}
    client = _client(namespace)
    config = translate.sidecar(Mesh(tuple(known.values()), (client,)), client, "FOLDER")
    hosts = config.routes[0]["virtual_hosts"]
    domains = [domain for host in hosts for domain in host["domains"]]
    assert len(domains) == len(set(domains)), "each domain once"
    assert len(hosts) == len({host["name"] for host in hosts}), "each name once"
    assert all(host["domains"] and host["routes"] for host in hosts), "none of them empty"
    assert domains[-1] == "*", "and one for all the rest"


@given(st.lists(_services()))
def test_an_envoy_watches_one_file_beside_those_of_clusters_and_listeners(
    services: list[Object],
) -> None:
    known = tuple({item.key: item for item in services}.values())
    client = replace(_client("default"), outbound=1)
    config = translate.sidecar(Mesh(known, (client,)), client, "FOLDER")
    assert re.findall(r'"path": "([^"]+)"', json.dumps(asdict(config))) == ["FOLDER/rds.json"]


@pytest.mark.parametrize(
    ("written", "read"),
    [("1.5s", "1.5s"), ("1m30s", "90s"), ("500ms", "0.5s"), ("1h", "3600s"), ("1us", "0.000001s")],
)
def test_envoy_reads_durations_in_seconds(written: str, read: str) -> None:
    assert resources.duration(written) == read


@pytest.mark.parametrize(
    ("wanted", "port", "expected"),
    [
        ({"port": 8443}, 80, 8443),
        ({"port": 80}, 80, None),
        ({"port": 443}, 80, 443),
        ({"port": 443, "scheme": "https"}, 80, None),
        ({"port": 80, "scheme": "https"}, 80, 80),
        ({"derivePort": "FROM_REQUEST_PORT"}, 8000, 8000),
        ({"derivePort": "FROM_REQUEST_PORT"}, 80, None),
        ({"derivePort": "FROM_PROTOCOL_DEFAULT"}, 8000, None),
        ({}, 8000, None),
    ],
    ids=str,
)
def test_a_redirect_names_the_port_unless_it_goes_without_saying(
    wanted: dict[str, Any], port: int, expected: int | None
) -> None:
    assert route_actions.redirect(wanted, port).get("port_redirect") == expected
