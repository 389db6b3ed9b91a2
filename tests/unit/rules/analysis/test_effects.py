"""Which of the applied rules act, and why others do not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from meshdemo.objects.model import Object
from meshdemo.rules.analysis.effects import Followed, Scene

HOST = "app.shop.svc.cluster.local"


def thing(kind: str, name: str = "app", namespace: str = "shop", **spec: Any) -> Object:
    api = "v1" if kind == "Service" else "networking.istio.io/v1"
    metadata = {"name": name, "namespace": namespace, "creationTimestamp": "2026-01-02T00:00:00Z"}
    return Object({"apiVersion": api, "kind": kind, "metadata": metadata, "spec": spec})


def to(*subsets: str, weight: int | None = None) -> dict[str, Any]:
    weights = {} if weight is None else {"weight": weight}
    return {"route": [{"destination": {"host": "app", "subset": s}, **weights} for s in subsets]}


def rule(*http: dict[str, Any], **spec: Any) -> Object:
    return thing("VirtualService", **{"hosts": ["app"], "http": list(http or (to("v2"),)), **spec})


def subsets(*versions: str, **spec: Any) -> Object:
    each = [{"name": v, "labels": {"version": v}} for v in versions]
    return thing("DestinationRule", **{"host": "app", "subsets": each, **spec})


def service(port: str = "http") -> Object:
    return thing("Service", selector={"app": "app"}, ports=[{"name": port, "port": 80}])


PODS = (("shop", {"app": "app", "version": "v2"}), ("shop", {"app": "testclient"}))
ELDER = replace(
    rule(),
    data={**rule().data, "metadata": {**rule().metadata, "name": "elder", "creationTimestamp": ""}},
)


def scene(*objects: Object, **more: Any) -> Scene:
    return Scene(objects, PODS, "shop", "istio-system", **more)


def idle(item: Object, *beside: Object, **more: Any) -> str:
    (found,) = scene(item, *beside, **more).effects([item])
    return found.idle


@pytest.mark.parametrize(
    ("item", "beside", "why"),
    [
        (rule(), [service(), subsets("v2")], ""),
        (rule(), [service(), subsets("v2"), ELDER], "behind VirtualService shop/elder"),
        (rule(gateways=["gw"]), [service()], "bound to the gateway gw, which is not there"),
        (rule(gateways=["there"]), [service()], ""),
        (rule(gateways=["infra/gw", "gw"]), [service()],
         "bound to the gateways infra/gw, gw, which are not there"),
        (rule(gateways=["gw", "mesh"]), [service(), subsets("v2")], ""),
        (rule(exportTo=["other"]), [service(), subsets("v2")],
         "its exportTo leaves out namespace shop"),
        (rule(), [service("tcp"), subsets("v2")], "no port of app is HTTP, and it has only http"),
        (rule(), [service()], "all of its requests get 503: no DestinationRule for"),
        (rule(), [service(), subsets("v1")], "all of its requests get 503: no DestinationRule for"),
        (rule(to("v2"), to("gone")), [service(), subsets("v2")], ""),
        (rule({"redirect": {"uri": "/"}}), [service()], ""),
        (rule(), [], "all of its requests get 503: no service has the host"),
        (subsets("v2"), [service()], ""),
        (subsets("v2", host="nobody"), [service()], 'no service has the host "nobody"'),
        (subsets("v2", workloadSelector={"matchLabels": {"app": "none"}}), [service()],
         "its workloadSelector selects no pod"),
        (subsets("v2", exportTo=["other"]), [service()], "its exportTo leaves out the clients"),
    ],
    ids=[
        "acts", "overruled", "no gateway", "a gateway", "no gateways", "a gateway and mesh",
        "not exported", "not HTTP", "no DestinationRule", "no such subset", "some of it",
        "a redirect", "no service", "subsets", "subsets of nobody", "for nobody", "kept away",
    ],
)  # fmt: skip
def test_a_rule_acts_or_it_is_said_why_not(item: Object, beside: list[Object], why: str) -> None:
    found = idle(item, *beside, gateways=frozenset({"shop/there"}))
    assert (found.startswith(why) and bool(found)) is bool(why), found


def test_of_a_gateway_that_may_not_be_seen_nothing_is_said() -> None:
    assert idle(rule(gateways=["gw"]), service(), gateways=None) == ""


def test_clients_that_follow_another_destination_rule_are_told_which() -> None:
    item = thing("DestinationRule", "everywhere", "istio-system", host=HOST)
    assert idle(item, service(), subsets("v2")) == (
        "clients here follow DestinationRule shop/app instead"
    )


def test_a_subset_without_pods_is_remarked_and_the_rule_acts_all_the_same() -> None:
    objects = (service(), subsets("v1", "v2"), rule(to("v1", "v2", weight=50)))
    both = scene(*objects).effects(objects[1:])
    assert [effect.idle for effect in both] == ["", ""]
    assert [len(effect.remarks) for effect in both] == [1, 1]
    assert all("v1" in effect.remarks[0] for effect in both)
    assert "requests to it get 503" in both[0].remarks[0]


@pytest.mark.parametrize(
    ("rules", "why", "strangers"),
    [
        ((("shop", "app"),), "", []),
        ((("far", "steal"),), "the test client's sidecar follows VirtualService far/steal instead",
         ["VirtualService far/steal"]),
        ((), "the test client's sidecar has not got it", []),
    ],
    ids=["it", "another", "none"],
)  # fmt: skip
def test_what_the_sidecar_follows_has_the_last_word(
    rules: tuple[tuple[str, str], ...], why: str, strangers: list[str]
) -> None:
    followed = (Followed(HOST, rules), Followed("other.far.svc.cluster.local", (("far", "own"),)))
    there = scene(rule(), service(), subsets("v2"), followed=followed)
    (effect,) = there.effects([rule()])
    assert effect.idle == why
    assert [each.rule.title for each in there.strangers()] == strangers
    assert not any(each.is_seen for each in there.strangers())
