"""ServiceEntries and Sidecars: what Istio's admission takes, and what it refuses.

Each verdict is that of Istio's CRDs and of istiod's webhook.
"""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from tests.objects import made, service

from meshdemo.engines.local.admission import admit

PORT = {"number": 80, "name": "http", "protocol": "HTTP"}
TCP = {"number": 81, "name": "tcp", "protocol": "TCP"}
LOCAL = {"address": "127.0.0.1"}


def entry(*left_out: str, **more: Any) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "hosts": ["a.example.com"],
        "ports": [PORT],
        "resolution": "STATIC",
        "endpoints": [LOCAL],
        **more,
    }
    return {name: value for name, value in spec.items() if name not in left_out}


TAKEN_ENTRIES = [
    entry(),
    entry("endpoints"),
    entry("ports", "endpoints"),
    entry("endpoints", resolution="NONE", hosts=["*.example.com"]),
    entry("endpoints", "resolution"),
    entry("endpoints", resolution="DNS"),
    entry("endpoints", resolution="DNS", hosts=["a.example.com", "b.example.com"]),
    entry(resolution="DNS", hosts=["*.example.com"], endpoints=[{"address": "a.b"}]),
    entry(resolution="DNS_ROUND_ROBIN", endpoints=[{"address": "localhost"}]),
    entry("endpoints", workloadSelector={"labels": {"app": "a"}}),
    entry("endpoints", workloadSelector={}),
    entry("endpoints", workloadSelector={"labels": {}}),
    entry(addresses=["10.0.0.1", "10.0.0.0/8", "2001:db8::1"]),
    entry(addresses=["10.0.0.1"], resolution="DNS"),
    entry(exportTo=["~"]),
    entry(exportTo=[".", "shop2"]),
    entry(endpoints=[{**LOCAL, "ports": {"http": 1}, "labels": {"a": "b"}, "weight": 3}]),
    entry(endpoints=[{**LOCAL, "locality": "a/b/c", "serviceAccount": "x", "weight": 0}]),
    entry(ports=[{"number": 80, "name": "any"}]),
    entry(ports=[{**PORT, "protocol": "grpc"}, {**TCP, "protocol": "Redis", "targetPort": 9}]),
    entry(location="MESH_INTERNAL", subjectAltNames=["x"]),
    entry(hosts=["a", "b"]),
    entry("endpoints", resolution="NONE", hosts=["a.b", "c.d"], ports=[TCP]),
    entry(hosts=["*.a.b", "*-x.a.b"]),
]
SOCKET = {"address": "unix:///tmp/a"}
REFUSED_ENTRIES = [
    (entry(endpoints=[{"address": "unix://tmp/a"}]), "an absolute path"),
    (entry(endpoints=[{"address": "unix:///tmp/"}]), "not a folder"),
    (entry(endpoints=[{**SOCKET, "ports": {"http": 1}}]), "has no ports"),
    (entry(endpoints=[SOCKET], ports=[PORT, TCP]), "exactly one port"),
    (entry(endpoints=[SOCKET], resolution="DNS"), "neither a host nor an IP address"),
    (entry("hosts"), "hosts"),
    (entry(hosts=[]), "at least one host"),
    (entry(hosts=["*"]), 'the host "*"'),
    (entry(hosts=["a_b"]), "not a valid domain name"),
    (entry(addresses=["x"]), "neither an IP address"),
    (entry(addresses=["10.0.0.0/8"], resolution="DNS"), "a range of addresses"),
    (entry(ports=[PORT, PORT]), "duplicate port"),
    (entry(ports=[{**PORT, "name": ["a"]}]), "ports[0].name"),
    (entry(ports=[PORT, {**PORT, "name": "b"}]), "duplicate port 80"),
    (entry(ports=[{**PORT, "number": 0}]), "not in the range"),
    (entry(ports=[{"number": 80}]), "name"),
    (entry(ports=[{**PORT, "name": "a_b"}]), "not a valid port name"),
    (entry(ports=[{**PORT, "protocol": "nonsense"}]), "not one that Istio knows"),
    (entry(ports=[{**PORT, "targetPort": 70000}]), "not in the range"),
    (entry("endpoints", workloadSelector={"labels": {"app": "*"}}), "no wildcard"),
    (entry(workloadSelector={"labels": {"app": "a"}}), "only one of"),
    (entry(resolution="NONE"), "takes no endpoints"),
    (entry(resolution="DNS_ROUND_ROBIN", endpoints=[LOCAL, LOCAL]), "one endpoint at most"),
    (entry("endpoints", resolution="DNS", hosts=["*.a.b"]), "DNS cannot resolve"),
    (entry(endpoints=[{"address": "a.b"}]), "not an IP address"),
    (entry(resolution="DNS", endpoints=[{"address": "a_b"}]), "neither a host nor an IP"),
    (entry(endpoints=[{"labels": {"a": "b"}}]), "needs an address"),
    (entry(endpoints=[{**LOCAL, "ports": {"other": 1}}]), "no port named"),
    (entry(endpoints=[{**LOCAL, "ports": {"http": 0}}]), "not in the range"),
    (entry(endpoints=[{**LOCAL, "labels": {"a b": "c"}}]), "not a valid label key"),
    (entry(resolution="SOMEHOW"), "SOMEHOW"),
    (entry(location="NOWHERE"), "NOWHERE"),
    (entry(exportTo=["~", "."]), "exportTo"),
    (entry(exportTo=["*", "."]), "exportTo"),
    (entry(exportTo=[".", "shop"]), "duplicate entry"),
    (entry(hosts=["a.b", "c.d"], ports=[TCP]), "several hosts"),
    (entry(hosts=["a.b", "c.d"], ports=[{"number": 1, "name": "x"}]), "several hosts"),
]
EGRESS = {"hosts": ["./*"]}
PROXY = {"host": "a.b", "port": {"number": 80}}
TAKEN_SIDECARS: list[dict[str, Any]] = [
    {"egress": [EGRESS]},
    {"egress": [{"hosts": ["*/*", "istio-system/a.b", "~/x.y", "~shop2/*", "./*.example.com"]}]},
    {"outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}},
    {"outboundTrafficPolicy": {}},
    {"workloadSelector": {"labels": {"app": "a"}}, "egress": [EGRESS]},
    {"workloadSelector": {}, "egress": [EGRESS]},
    {"egress": [{**EGRESS, "captureMode": "IPTABLES"}]},
]
REFUSED_SIDECARS: list[tuple[dict[str, Any], str]] = [
    ({}, "the Sidecar is empty"),
    ({"egress": []}, "the Sidecar is empty"),
    ({"workloadSelector": {"labels": {"app": "a"}}}, "the Sidecar is empty"),
    ({"egress": [{"hosts": []}]}, "at least one host"),
    ({"egress": [{}]}, "hosts"),
    ({"egress": [EGRESS, EGRESS]}, "only the last egress"),
    ({"egress": [{"hosts": ["app"]}]}, "is not NAMESPACE/HOST"),
    ({"egress": [{"hosts": ["/app"]}]}, "names no namespace"),
    ({"egress": [{"hosts": ["a_b/*"]}]}, "is not a namespace"),
    ({"egress": [{"hosts": ["./a_b"]}]}, "not a valid domain name"),
    ({"outboundTrafficPolicy": {"mode": "SOME"}}, "SOME"),
    ({"workloadSelector": {"labels": {"app": "*"}}, "egress": [EGRESS]}, "no wildcard"),
]


def judged(kind: str, spec: dict[str, Any]) -> str:
    found = admit([made(kind, **spec)], [])
    return "\n".join(f"{problem}" for problem in found.problems)


@pytest.mark.parametrize("spec", TAKEN_ENTRIES, ids=yaml.safe_dump)
def test_a_service_entry_that_istio_takes_is_taken(spec: dict[str, Any]) -> None:
    assert not judged("ServiceEntry", spec)


@pytest.mark.parametrize(("spec", "words"), REFUSED_ENTRIES, ids=str)
def test_a_service_entry_that_istio_refuses_is_refused(spec: dict[str, Any], words: str) -> None:
    assert words in judged("ServiceEntry", spec)


@pytest.mark.parametrize("spec", TAKEN_SIDECARS, ids=yaml.safe_dump)
def test_a_sidecar_that_istio_takes_is_taken(spec: dict[str, Any]) -> None:
    assert not judged("Sidecar", spec)


@pytest.mark.parametrize(("spec", "words"), REFUSED_SIDECARS, ids=str)
def test_a_sidecar_that_istio_refuses_is_refused(spec: dict[str, Any], words: str) -> None:
    assert words in judged("Sidecar", spec)


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("ServiceEntry", entry("endpoints", resolution="DYNAMIC_DNS", hosts=["*.example.com"])),
        ("ServiceEntry", entry(endpoints=[{"address": "unix:///tmp/a"}])),
        ("ServiceEntry", entry(endpoints=[{**LOCAL, "network": "n"}])),
        ("Sidecar", {"egress": [{**EGRESS, "port": {"number": 80, "protocol": "HTTP"}}]}),
        ("Sidecar", {"ingress": [{"port": {"number": 80, "protocol": "HTTP", "name": "h"}}]}),
        ("Sidecar", {"inboundConnectionPool": {"tcp": {"maxConnections": 1}}}),
        ("Sidecar", {"outboundTrafficPolicy": {"mode": "ALLOW_ANY", "egressProxy": PROXY}}),
    ],
    ids=str,
)  # fmt: skip
def test_what_istio_takes_and_this_engine_cannot_do_is_refused_by_name(
    kind: str, spec: dict[str, Any]
) -> None:
    assert "does not support" in judged(kind, spec)


@pytest.mark.parametrize(
    ("spec", "place"),
    [
        (entry(), ""),
        (entry("endpoints", workloadSelector={"labels": {"app": "a"}}), ""),
        (entry(resolution="DNS", endpoints=[{"address": "localhost"}]), ""),
        (entry(resolution="DNS", endpoints=[{"address": "app.shop"}]), ""),
        (entry(endpoints=[LOCAL, {"address": "10.1.2.3"}]), "10.1.2.3"),
        (entry("endpoints", resolution="DNS"), "a.example.com"),
        (entry("endpoints", resolution="NONE", hosts=["*.example.com"]), "*.example.com"),
    ],
    ids=["loopback", "pods", "localhost", "a Service", "an address", "by DNS", "as dialled"],
)
def test_what_leads_out_of_the_mesh_is_named_as_it_is_applied(
    spec: dict[str, Any], place: str
) -> None:
    notes = admit([made("ServiceEntry", **spec)], [service()]).notes
    said = f"ServiceEntry shop/app leads out of the mesh, to {place}: requests there get 502 here"
    assert notes == ((said,) if place else ())
