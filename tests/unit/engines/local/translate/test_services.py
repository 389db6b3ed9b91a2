"""Services: what is spoken on a port, who sees it, and where its pods are reached."""

from __future__ import annotations

from typing import Any

import pytest

from meshdemo.engines.local.model import PlannedPod, PodPort
from meshdemo.engines.local.translate import endpoints
from meshdemo.rules import visibility
from meshdemo.rules.protocols import Protocol, protocol_of
from meshdemo.rules.services import Service, ServicePort


@pytest.mark.parametrize(
    ("port", "protocol"),
    [
        ({"name": "http"}, Protocol.HTTP),
        ({"name": "HTTP-alt"}, Protocol.HTTP),
        ({"name": "http2-x"}, Protocol.HTTP2),
        ({"name": "grpc"}, Protocol.HTTP2),
        ({"name": "grpc-web-x"}, Protocol.HTTP2),
        ({"name": "httpish"}, Protocol.AUTO),
        ({"name": "main"}, Protocol.AUTO),
        ({}, Protocol.AUTO),
        ({"name": None}, Protocol.AUTO),
        ({"port": 3306}, Protocol.TCP),
        ({"port": 3306, "name": "http"}, Protocol.HTTP),
        ({"name": "tcp-app"}, Protocol.TCP),
        ({"name": "https"}, Protocol.TLS),
        ({"name": "tcp", "appProtocol": "http"}, Protocol.HTTP),
        ({"name": "http", "appProtocol": "tcp"}, Protocol.TCP),
        ({"name": "http", "appProtocol": "other"}, Protocol.AUTO),
        ({"name": "tcp", "appProtocol": "kubernetes.io/h2c"}, Protocol.HTTP2),
        ({"name": "tcp", "appProtocol": "kubernetes.io/ws"}, Protocol.HTTP),
        ({"name": "http", "appProtocol": "kubernetes.io/wss"}, Protocol.TLS),
        ({"name": "http", "protocol": "UDP"}, Protocol.UDP),
    ],
    ids=str,
)
def test_protocol_is_app_protocol_else_the_names_prefix(
    port: dict[str, Any], protocol: Protocol
) -> None:
    assert protocol_of({"port": 80, **port}) is protocol


@pytest.mark.parametrize(
    ("exported", "seen_at_home", "seen_elsewhere"),
    [
        ({"*"}, True, True),
        ({"."}, True, False),
        ({"~"}, False, False),
        ({"stock"}, False, True),
        ({".", "stock"}, True, True),
        ({"*", "~"}, True, True),
        ({".", "~"}, False, False),
        (set(), True, True),
    ],
    ids=lambda value: " ".join(sorted(value)) if isinstance(value, set) else str(value),
)
def test_export_to_decides_who_sees_a_service_or_a_rule(
    exported: set[str],
    seen_at_home: bool,
    seen_elsewhere: bool,
) -> None:
    found = visibility.exported_to(exported, "shop")
    assert visibility.sees(found, "shop") is seen_at_home
    assert visibility.sees(found, "stock") is seen_elsewhere


def _pod(name: str, *ports: PodPort, namespace: str = "default", **labels: str) -> PlannedPod:
    return PlannedPod(name, namespace, labels, {}, "", injected=False, ports=ports)


PODS = (
    _pod("c", PodPort(8080, 3), app="app", version="v2"),
    _pod("a", PodPort(8080, 1, name="web"), app="app", version="v1"),
    _pod("b", PodPort(9090, 2, inbound=12, name="web"), app="app", version="v1"),
    _pod("other", PodPort(8080, 4, name="web"), app="other"),
    _pod("far", PodPort(8080, 5, name="web"), namespace="shop", app="app"),
)


@pytest.mark.parametrize(
    ("target", "labels", "expected"),
    [
        (8080, {}, [1, endpoints.CLOSED, 3]),
        ("web", {}, [1, 12]),
        (8080, {"version": "v2"}, [3]),
        ("web", {"version": "v2"}, []),
        (8080, {"version": "v9"}, []),
    ],
)
def test_a_port_leads_to_selected_pods_of_its_namespace(
    target: int | str, labels: dict[str, str], expected: list[int]
) -> None:
    port = ServicePort(80, "http", Protocol.HTTP, target)
    service = Service("app", "default", (port,), {"app": "app"}, frozenset("*"))
    assert [entry for entry, _ in endpoints.entries(service, port, PODS, labels)] == expected


def test_a_service_without_selector_has_no_pods() -> None:
    port = ServicePort(80, "http", Protocol.HTTP, 8080)
    service = Service("app", "default", (port,), {}, frozenset("*"))
    assert not list(endpoints.entries(service, port, PODS, {}))
