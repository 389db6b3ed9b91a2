"""What Istio takes of a traffic policy and a sidecar's Envoy would reject: refused by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests import static_envoy
from tests.objects import created, made, service

from meshdemo.engines.local import translate
from meshdemo.engines.local.admission import admit
from meshdemo.engines.local.model import Mesh, PlannedPod

if TYPE_CHECKING:
    from pathlib import Path

    from meshdemo.objects.model import Object

ONCE = created("2026-01-01T00:00:00Z")


def consistent(**key: Any) -> dict[str, Any]:
    return {"loadBalancer": {"consistentHash": key}}


def cookie(**more: Any) -> dict[str, Any]:
    return consistent(httpCookie={"name": "c", **more})


def alive(**times: str) -> dict[str, Any]:
    return {"connectionPool": {"tcp": {"tcpKeepalive": times}}}


REFUSED = {
    "an empty header": consistent(httpHeaderName=""),
    "a header of two lines": consistent(httpHeaderName="a\nb"),
    "an empty parameter": consistent(httpQueryParameterName=""),
    "a ring too large": consistent(minimumRingSize=8 * 1024 * 1024 + 1),
    "another ring too large": consistent(ringHash={"minimumRingSize": 2**32 - 1}),
    "a table of one": consistent(maglev={"tableSize": 1}),
    "a ttl before now": cookie(ttl="-3s"),
    "an attribute of two lines": cookie(attributes=[{"name": "a", "value": "a\rb"}]),
    "an attribute too long": cookie(attributes=[{"name": "a" * 16_385}]),
    "a budget before now": {"retryBudget": {"budgetInterval": "-1s"}},
    "a keepalive too long": alive(time="2000000h"),
}
EDGES = {
    "the largest ring": consistent(ringHash={"minimumRingSize": 8 * 1024 * 1024}),
    "a table of two": consistent(maglev={"tableSize": 2}),
    "the longest attribute": cookie(attributes=[{"name": "a" * 16_384}]),
    "a name with a space": consistent(httpHeaderName="a b"),
    "a cookie for this session": cookie(ttl="0s"),
    "no budget at all": {"retryBudget": {"percent": 0, "budgetInterval": "0s"}},
    "a keepalive of parts of a second": alive(time="1ms", interval="1ms"),
    "the longest times": {"outlierDetection": {"interval": "9000000s", "baseEjectionTime": "1ms"}},
    "the most streams": {
        "connectionPool": {
            "tcp": {"idleTimeout": "0s"},
            "http": {"maxConcurrentStreams": 2**31 - 1, "h2UpgradePolicy": "UPGRADE"},
        }
    },
    "the source of a connection": consistent(useSourceIp=True),
    "a tunnel": {"tunnel": {"targetHost": "::1", "targetPort": 443, "protocol": "POST"}},
    "all of TLS": {
        "tls": {"mode": "SIMPLE", "insecureSkipVerify": True},
        "proxyProtocol": {"version": "V2"},
    },
    "names in a certificate": {
        "tls": {"mode": "SIMPLE", "subjectAltNames": ["a", "spiffe://b", "10.0.0.1"], "sni": "a"}
    },
    "detection of everything": {
        "outlierDetection": {
            "consecutive5xxErrors": 2**32 - 1,
            "consecutiveGatewayErrors": 0,
            "splitExternalLocalOriginErrors": True,
            "consecutiveLocalOriginFailures": 2**32 - 1,
            "maxEjectionPercent": 100,
            "minHealthPercent": 100,
        }
    },
}
"""What is taken, at the bounds of what Envoy takes."""


def rule(policy: dict[str, Any]) -> Object:
    return made("DestinationRule", namespace="default", host="app", trafficPolicy=policy)


@pytest.mark.parametrize("policy", REFUSED.values(), ids=REFUSED)
def test_what_envoy_would_reject_is_refused_at_its_place(policy: dict[str, Any]) -> None:
    problems = admit([rule(policy)], ()).problems
    assert len(problems) == 1
    assert "Envoy" in str(problems[0])
    of_port = {"portLevelSettings": [{"port": {"number": 80}, **policy}]}
    if "retryBudget" not in policy:
        assert admit([rule(of_port)], ()).problems


def test_what_is_taken_envoy_takes(tmp_path: Path) -> None:
    ports = [
        {"name": name, "port": number} for number, name in enumerate(("http", "tcp", "http2"), 80)
    ]
    app = service(*ports, name="app", namespace="default", metadata=ONCE)
    client = PlannedPod("client", "default", {}, {}, "", injected=True, outbound=20_001)
    found = []
    for name, policy in EDGES.items():
        admission = admit([rule(policy)], ())
        assert not admission.problems, name
        item = admission.objects[0]
        dated = item.with_data({**item.data, "metadata": {**item.metadata, **ONCE}})
        found.append((name, translate.sidecar(Mesh((app, dated), (client,)), client, "FOLDER")))
    said = static_envoy.validate(found, tmp_path)
    assert said.returncode == 0, said.stdout + said.stderr


@pytest.mark.parametrize(
    ("policy", "idle"),
    [
        ({"tls": {"mode": "ISTIO_MUTUAL"}}, "tls.mode ISTIO_MUTUAL"),
        ({"loadBalancer": {"warmup": {"duration": "1s"}}}, "loadBalancer.warmup"),
        ({"loadBalancer": {"warmupDurationSecs": "1s"}}, "loadBalancer.warmupDurationSecs"),
        ({"tls": {"mode": "DISABLE"}}, ""),
    ],
)
def test_what_has_no_effect_on_loopback_is_said_once(policy: dict[str, Any], idle: str) -> None:
    other = made("DestinationRule", "other", "default", host="app", trafficPolicy=policy)
    notes = admit([rule(policy), other], ()).notes
    said = f"DestinationRule spec.trafficPolicy.{idle} has no effect on the local engine"
    assert notes == ((said,) if idle else ())


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        ({"tls": {"mode": "SIMPLE", "credentialName": "c"}}, "its Secret comes from istiod"),
        ({"loadBalancer": {"backendUtilization": {}}}, "no meaning to the Istio that it follows"),
    ],
)
def test_what_cannot_be_honoured_is_refused_with_its_reason(
    policy: dict[str, Any], reason: str
) -> None:
    assert reason in str(admit([rule(policy)], ()).problems[0])
