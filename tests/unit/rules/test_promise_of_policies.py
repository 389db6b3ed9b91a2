"""What policies of a DestinationRule do to the promise, and to how requests are sent."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from tests import objects as make
from tests.objects import created, made, to

from meshdemo.errors import InputError
from meshdemo.rules import promise
from meshdemo.rules.client_view import Client
from meshdemo.rules.sending import sending
from meshdemo.verdict.traffic import Request

if TYPE_CHECKING:
    from meshdemo.objects.model import Object

service = partial(make.service, namespace="default")
subsets = partial(make.destination_rule, namespace="default")
rule = partial(make.virtual_service, namespace="default", metadata=created("2024-01-01T00:00:00Z"))

PODS = [("default", {"app": "app", "version": version}) for version in ("v1", "v2")]
CLIENT = Client("default", {"app": "testclient"}, injected=True)


def promised(*objects: Object, client: Client = CLIENT) -> str:
    return str(promise.promised(objects, PODS, Request(), client))


OUTLIER: dict[str, Any] = {"outlierDetection": {"consecutive5xxErrors": 3}}


def by_locality(**setting: Any) -> dict[str, Any]:
    return {"loadBalancer": {"localityLbSetting": setting}}


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({**OUTLIER, **by_locality(failoverPriority=["version=v1"])}, "v1=100%"),
        ({**OUTLIER, **by_locality(failoverPriority=["version"])}, "v1=50%,v2=50%"),
        ({**OUTLIER, **by_locality(failoverPriority=["team", "version=v2"])}, "v1=50%,v2=50%"),
        ({**OUTLIER, **by_locality(failoverPriority=["app=app", "version=v2"])}, "v2=100%"),
        ({**OUTLIER, **by_locality(failoverPriority=["version=v2=x"])}, "v1=50%,v2=50%"),
        (
            {
                **OUTLIER,
                **by_locality(failoverPriority=["topology.istio.io/network", "version=v2"]),
            },
            "v2=100%",
        ),
        (
            {**OUTLIER, **by_locality(failoverPriority=["version=v1"], enabled=False)},
            "v1=50%,v2=50%",
        ),
        (by_locality(failoverPriority=["version=v1"]), "v1=50%,v2=50%"),
        ({**OUTLIER, **by_locality(failover=[{"from": "a", "to": "b"}])}, "v1=50%,v2=50%"),
        (by_locality(distribute=[{"from": "*", "to": {"us/*": 80, "*": 20}}]), "v1=50%,v2=50%"),
        (by_locality(distribute=[{"from": "us/*", "to": {"eu/*": 100}}]), "v1=50%,v2=50%"),
        (by_locality(distribute=[{"from": "*", "to": {"eu/*": 100}}]), ""),
        ({"loadBalancer": {"zoneAwareLbSetting": {"failoverPriority": ["version=v2"]}}}, "v2=100%"),
        (
            {
                "loadBalancer": {
                    "zoneAwareLbSetting": {"enabled": False, "failoverPriority": ["version=v2"]}
                }
            },
            "v1=50%,v2=50%",
        ),
    ],
)
def test_pods_without_a_locality_are_preferred_by_their_labels(
    policy: dict[str, Any], said: str
) -> None:
    """What istiod's own code makes of it, for a client that has the label team and no version."""
    objects = (
        service(),
        made("DestinationRule", namespace="default", host="app", trafficPolicy=policy),
    )
    client = replace(CLIENT, labels={"team": "blue"})
    if said:
        assert promised(*objects, client=client) == said
    else:
        with pytest.raises(InputError, match="leaves out pods without a locality"):
            promised(*objects, client=client)


@pytest.mark.parametrize(
    "policy",
    [
        {"connectionPool": {"http": {"http2MaxRequests": 1}}},
        OUTLIER,
        {"loadBalancer": {"consistentHash": {"httpHeaderName": "x"}}},
        {"portLevelSettings": [{"port": {"number": 80}, **OUTLIER}]},
    ],
    ids=["pool", "outliers", "hash", "of a port"],
)
def test_requests_that_depend_on_each_other_are_sent_in_turn(policy: dict[str, Any]) -> None:
    rules = (subsets("v1", "v2", trafficPolicy=policy), rule({"route": [to("v2")]}))
    assert promised(service(), *rules) == "v2=100%"
    assert not sending([service(), *rules], PODS, Request(), CLIENT).side_by_side
