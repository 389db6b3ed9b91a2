"""What touches a request and has no part in the promise is named; what stands by is not."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from tests.objects import destination_rule, made, route, service, to, virtual_service

from meshdemo.errors import InputError
from meshdemo.rules import promise
from meshdemo.rules.client_view import Client
from meshdemo.rules.unaccounted import unaccounted
from meshdemo.verdict.traffic import Request

if TYPE_CHECKING:
    from meshdemo.objects.model import Object

PODS = [("shop", {"app": "app", "version": version}) for version in ("v1", "v2")]
CLIENT = Client("shop", {"app": "testclient"}, injected=True)
OUTSIDER = Client("shop", {"app": "testclient"}, injected=False)
TLS = {"tls": {"mode": "DISABLE"}}


APP = service()
EGRESS = {"hosts": ["*/*"]}
LISTENER = {**EGRESS, "port": {"number": 80, "protocol": "HTTP", "name": "http"}}
LABELS = {"labels": {"app": "testclient"}}
OTHERS = {"labels": {"app": "other"}}
SUBSETS = partial(destination_rule, "v1", "v2")
ROUTE = virtual_service(route(to("v2")))


@pytest.mark.parametrize(
    ("item", "named"),
    [
        (made("Sidecar", egress=[EGRESS]), False),
        (made("Sidecar", egress=[LISTENER]), True),
        (made("Sidecar", egress=[LISTENER], workloadSelector=LABELS), True),
        (made("Sidecar", egress=[LISTENER], workloadSelector=OTHERS), False),
        (made("Sidecar", egress=[LISTENER], namespace="elsewhere"), False),
        (made("Sidecar", egress=[LISTENER], namespace="istio-system"), True),
        (made("Sidecar", ingress=[{"port": {"number": 80}}], workloadSelector=OTHERS), False),
        (made("Sidecar", ingress=[{"port": {"number": 80}}]), True),
        (made("AuthorizationPolicy", selector={"matchLabels": {"version": "v2"}}), True),
        (made("AuthorizationPolicy", selector={"matchLabels": {"app": "testclient"}}), False),
        (made("AuthorizationPolicy", namespace="istio-system"), True),
        (made("PeerAuthentication", mtls={"mode": "STRICT"}), True),
        (made("PeerAuthentication", namespace="elsewhere"), False),
        (made("ConfigMap"), False),
    ],
    ids=[
        "Sidecar", "its listener", "the client's", "another's", "of another namespace",
        "of the root namespace",
        "how others take requests", "how pods take requests",
        "of a version", "of the client", "of all", "mTLS", "mTLS elsewhere", "neither",
    ],
)  # fmt: skip
def test_what_selects_the_client_or_a_pod_that_answers_is_named(item: Object, named: bool) -> None:
    found = unaccounted([APP, SUBSETS(), ROUTE, item], PODS, Request(), CLIENT)
    assert found == ((item.title,) if named else ())


@pytest.mark.parametrize(
    ("rule", "client", "named"),
    [
        (SUBSETS(trafficPolicy=TLS), CLIENT, True),
        (SUBSETS(trafficPolicy={"portLevelSettings": [TLS]}), CLIENT, True),
        (SUBSETS(subsets=[{"name": "v2", "trafficPolicy": TLS}]), CLIENT, True),
        (SUBSETS(subsets=[{"name": "v2"}, {"name": "v1", "trafficPolicy": TLS}]), CLIENT, False),
        (SUBSETS(trafficPolicy=TLS, host="other"), CLIENT, False),
        (SUBSETS(trafficPolicy=TLS), OUTSIDER, False),
    ],
    ids=["policy", "port", "subset", "another subset", "another host", "no sidecar"],
)
def test_the_tls_of_the_rule_that_the_client_follows_is_named(
    rule: Object, client: Client, named: bool
) -> None:
    found = unaccounted([APP, rule, ROUTE], PODS, Request(), client)
    assert found == (("the tls of DestinationRule shop/app",) if named else ())


HERE = {"annotations": {"networking.istio.io/exportTo": "shop"}}
PASSTHROUGH = SUBSETS(trafficPolicy={"loadBalancer": {"simple": "PASSTHROUGH"}})


@pytest.mark.parametrize(
    ("objects", "client", "host"),
    [
        ([APP, ROUTE], OUTSIDER, "app"),
        ([APP, PASSTHROUGH], CLIENT, "app"),
        ([service({"name": "tcp", "port": 80})], CLIENT, "app"),
        ([service({"name": "tcp", "port": 80}), PASSTHROUGH], CLIENT, "app"),
        ([service(metadata=HERE)], Client("far", {}, injected=True), "app.shop"),
    ],
    ids=["no sidecar", "PASSTHROUGH", "TCP", "TCP and PASSTHROUGH", "not exported to the client"],
)
def test_what_pods_take_is_named_also_where_a_connection_chooses_among_them(
    objects: list[Object], client: Client, host: str
) -> None:
    policy = made("PeerAuthentication", mtls={"mode": "STRICT"})
    found = unaccounted([*objects, policy], PODS, Request(f"http://{host}/"), client)
    assert found == (policy.title,)


@pytest.mark.parametrize("client", [CLIENT, OUTSIDER], ids=["sidecar", "no sidecar"])
def test_of_a_headless_service_no_share_is_promised_as_dns_chooses_the_pod(client: Client) -> None:
    objects = (service(clusterIP="None"), SUBSETS(), ROUTE)
    with pytest.raises(InputError, match="Service shop/app is headless, so DNS chooses the pod"):
        promise.promised(objects, PODS, Request(), client)
    assert str(promise.promised(objects, PODS[1:], Request(), client)) == "v2=100%"
