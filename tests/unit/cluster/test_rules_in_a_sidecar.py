"""Whether a rule is in a sidecar's configuration, and whether it speaks of what is there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from meshdemo import manifests
from meshdemo.engines.cluster import references
from meshdemo.engines.cluster.routes import Dump

FQDN = "app.shop.svc.cluster.local"
BASE = "/apis/networking.istio.io/v1/namespaces/shop"


def origin(kind: str, name: str) -> dict[str, Any]:
    return {"filter_metadata": {"istio": {"config": f"{BASE}/{kind}/{name}"}}}


def dump(*routes: dict[str, Any], subsets: tuple[str, ...] = (), dr: str = "app") -> Dump:
    hosts = [
        {"routes": [{"route": r, "metadata": origin("virtual-service", "split")}]} for r in routes
    ]
    clusters: list[dict[str, Any]] = [{"cluster": {"name": f"outbound|80||{FQDN}"}}]
    clusters += [
        {"cluster": {"name": f"outbound|80|{s}|{FQDN}", "metadata": origin("destination-rule", dr)}}
        for s in subsets
    ]
    return Dump.of({"configs": [{"route_config": {"virtual_hosts": hosts}}]}, {"configs": clusters})


def to(subset: str) -> dict[str, Any]:
    return {"cluster": f"outbound|80|{subset}|{FQDN}"}


def weighted(**weights: int) -> dict[str, Any]:
    clusters = [{"name": to(s)["cluster"], "weight": w} for s, w in weights.items()]
    return {"weighted_clusters": {"clusters": clusters}}


def rule(
    spec: dict[str, Any], kind: str = "VirtualService", name: str = "split"
) -> manifests.Object:
    metadata = {"name": name, "namespace": "shop"}
    data = {"apiVersion": "networking.istio.io/v1beta1", "kind": kind, "metadata": metadata}
    return manifests.Object({**data, "spec": spec})


def split(**weights: int) -> manifests.Object:
    routes: list[dict[str, Any]] = [
        {"destination": {"host": "app", "subset": s}, "weight": w} for s, w in weights.items()
    ]
    if len(routes) == 1:
        del routes[0]["weight"]
    return rule({"hosts": ["app"], "http": [{"route": routes}]})


SUBSETS = rule(
    {"host": "app", "subsets": [{"name": "v1"}, {"name": "v2"}]}, "DestinationRule", "app"
)


@pytest.mark.parametrize(
    ("wanted", "there", "live"),
    [
        (split(v2=100), dump(to("v2")), True),
        (split(v2=100), dump(to("v1")), False),
        (split(v2=100), dump(), False),
        (split(v1=90, v2=10), dump(weighted(v1=90, v2=10)), True),
        (split(v1=50, v2=50), dump(weighted(v1=90, v2=10)), False),
        (split(v1=100, v2=0), dump(weighted(v1=100)), True),
        (SUBSETS, dump(subsets=("v1", "v2")), True),
        (SUBSETS, dump(subsets=("v1",)), False),
    ],
    ids=["one", "another", "none", "weights", "other weights", "weight 0", "subsets",
         "a subset is missing"],
)  # fmt: skip
def test_a_rule_is_live_when_the_sidecar_has_what_it_says(
    wanted: manifests.Object, there: Dump, live: bool
) -> None:
    assert there.is_live(wanted, [wanted]) is live


def test_a_rule_that_is_not_for_sidecars_is_not_waited_for() -> None:
    spec = {"hosts": ["app"], "gateways": ["front"], "http": [{"route": []}]}
    assert dump().is_live(rule(spec), [])


def test_a_rule_with_a_rival_is_not_waited_for() -> None:
    mine, rival = split(v2=100), rule({"hosts": [FQDN]}, name="older")
    assert dump().is_live(mine, [mine, rival])


def test_what_is_left_of_a_rule_is_seen() -> None:
    assert dump(to("v2")).has_rule(split(v2=100))
    assert not dump(subsets=("v1",)).has_rule(split(v2=100))
    assert dump(subsets=("v1",)).has_rule(SUBSETS)


def test_references_to_nothing_are_warned_of_with_their_line() -> None:
    service = manifests.Object(
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "app", "namespace": "shop"}}
    )
    text = json.dumps(split(v9=100).data)
    (given,) = manifests.parse(text, "r.yaml", [])
    (found,) = references.warnings([given], [service, SUBSETS])
    assert (found.code, found.line) == ("IST0101", 1)
    assert "v9" in found.message
    assert not list(references.warnings([split(v2=100)], [service, SUBSETS]))
    (missing,) = references.warnings([split(v2=100)], [SUBSETS])
    assert "no Service" in missing.message
