"""What touches a request and has no part in the promise is named; what stands by is not."""

from __future__ import annotations

from typing import Any

import pytest

from meshdemo.errors import InputError
from meshdemo.objects.model import Object
from meshdemo.rules import promise
from meshdemo.rules.promise import Client
from meshdemo.rules.unaccounted import unaccounted
from meshdemo.verdict.traffic import Request

PODS = [("default", {"app": "app", "version": version}) for version in ("v1", "v2")]
CLIENT = Client("default", {"app": "testclient"}, injected=True)
OUTSIDER = Client("default", {"app": "testclient"}, injected=False)
TLS = {"tls": {"mode": "DISABLE"}}


def thing(kind: str, namespace: str = "default", **spec: Any) -> Object:
    return Object({"kind": kind, "metadata": {"name": "it", "namespace": namespace}, "spec": spec})


def service(**spec: Any) -> Object:
    ports = [{"name": "http", "port": 80}]
    metadata = {"name": "app", "namespace": "default"}
    wanted = {"selector": {"app": "app"}, "ports": ports, **spec}
    return Object({"kind": "Service", "metadata": metadata, "spec": wanted})


def subsets(**spec: Any) -> Object:
    each = [{"name": version, "labels": {"version": version}} for version in ("v1", "v2")]
    return thing("DestinationRule", **{"host": "app", "subsets": each, **spec})


ROUTE = thing(
    "VirtualService",
    hosts=["app"],
    http=[{"route": [{"destination": {"host": "app", "subset": "v2"}}]}],
)


@pytest.mark.parametrize(
    ("item", "named"),
    [
        (thing("Sidecar"), True),
        (thing("Sidecar", workloadSelector={"labels": {"app": "testclient"}}), True),
        (thing("Sidecar", workloadSelector={"labels": {"app": "other"}}), False),
        (thing("Sidecar", "elsewhere"), False),
        (thing("Sidecar", "istio-system"), True),
        (thing("AuthorizationPolicy", selector={"matchLabels": {"version": "v2"}}), True),
        (thing("AuthorizationPolicy", selector={"matchLabels": {"app": "testclient"}}), False),
        (thing("AuthorizationPolicy", "istio-system"), True),
        (thing("PeerAuthentication", mtls={"mode": "STRICT"}), True),
        (thing("PeerAuthentication", "elsewhere"), False),
        (thing("ConfigMap"), False),
    ],
    ids=[
        "Sidecar", "the client's", "another's", "of another namespace", "of the root namespace",
        "of a version", "of the client", "of all", "mTLS", "mTLS elsewhere", "neither",
    ],
)  # fmt: skip
def test_what_selects_the_client_or_a_pod_that_answers_is_named(item: Object, named: bool) -> None:
    found = unaccounted([service(), subsets(), ROUTE, item], PODS, Request(), CLIENT)
    assert found == ((item.title,) if named else ())


@pytest.mark.parametrize(
    ("rule", "client", "named"),
    [
        (subsets(trafficPolicy=TLS), CLIENT, True),
        (subsets(trafficPolicy={"portLevelSettings": [TLS]}), CLIENT, True),
        (subsets(subsets=[{"name": "v2", "trafficPolicy": TLS}]), CLIENT, True),
        (subsets(subsets=[{"name": "v2"}, {"name": "v1", "trafficPolicy": TLS}]), CLIENT, False),
        (subsets(trafficPolicy=TLS, host="other"), CLIENT, False),
        (subsets(trafficPolicy=TLS), OUTSIDER, False),
    ],
    ids=["policy", "port", "subset", "another subset", "another host", "no sidecar"],
)
def test_the_tls_of_the_rule_that_the_client_follows_is_named(
    rule: Object, client: Client, named: bool
) -> None:
    found = unaccounted([service(), rule, ROUTE], PODS, Request(), client)
    assert found == (("the tls of DestinationRule default/it",) if named else ())


def test_of_a_headless_service_no_share_is_promised_as_dns_chooses_the_pod() -> None:
    objects = (service(clusterIP="None"), subsets(), ROUTE)
    with pytest.raises(InputError, match="Service default/app is headless, so DNS chooses the pod"):
        promise.promised(objects, PODS, Request(), CLIENT)
    assert str(promise.promised(objects, PODS[1:], Request(), CLIENT)) == "v2=100%"
