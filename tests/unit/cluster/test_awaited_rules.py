"""Which rules are waited for in the test client's sidecar: those that it follows."""

from __future__ import annotations

from typing import Any

import pytest

from meshdemo.engines.cluster import routes
from meshdemo.manifests import Object
from meshdemo.promise import Client

FQDN = "app.shop.svc.cluster.local"
CLIENT = Client("client", {"app": "testclient"}, injected=True, root_namespace="root")


def rule(kind: str, namespace: str, name: str = "mine", year: int = 1, **spec: Any) -> Object:
    created = f"200{year}-01-01T00:00:00Z"
    metadata = {"name": name, "namespace": namespace, "creationTimestamp": created}
    return Object({"kind": kind, "metadata": metadata, "spec": spec})


def subsets(namespace: str, name: str = "mine", **spec: Any) -> Object:
    return rule("DestinationRule", namespace, name, host=FQDN, subsets=[{"name": "v1"}], **spec)


def route(namespace: str, name: str = "mine", year: int = 1, **spec: Any) -> Object:
    return rule("VirtualService", namespace, name, year, hosts=[FQDN], **spec)


def selecting(app: str) -> dict[str, Any]:
    return {"workloadSelector": {"matchLabels": {"app": app}}}


@pytest.mark.parametrize(
    ("mine", "existing", "waits"),
    [
        (subsets("client"), [], True),
        (subsets("client", **selecting("testclient")), [], True),
        (subsets("client", **selecting("another")), [], False),
        (subsets("shop"), [], True),
        (subsets("shop", exportTo=["."]), [], False),
        (subsets("shop", exportTo=["client"]), [], True),
        (subsets("shop"), [subsets("client", "nearer")], False),
        (subsets("root"), [], True),
        (subsets("root"), [subsets("shop", "nearer")], False),
        (subsets("client"), [subsets("client", "merged")], True),
        (subsets("client"), [subsets("client", "nearer", **selecting("testclient"))], False),
        (subsets("elsewhere"), [], False),
    ],
    ids=["here", "for this client", "for other pods", "beside the service", "private there",
         "exported to here alone", "one here is nearer", "for all", "one is nearer than that",
         "merged with another", "another is for this client", "where nobody looks"],
)  # fmt: skip
def test_a_destination_rule_is_waited_for_if_the_client_follows_it(
    mine: Object, existing: list[Object], *, waits: bool
) -> None:
    assert routes.awaited([mine], existing, CLIENT) == ((mine,) if waits else ())
    assert routes.awaited([mine], [mine, *existing], CLIENT) == ((mine,) if waits else ())


@pytest.mark.parametrize(
    ("mine", "existing", "waits"),
    [
        (route("client"), [], True),
        (route("client", gateways=["front"]), [], False),
        (route("shop"), [], True),
        (route("shop", exportTo=["."]), [], False),
        (route("shop", exportTo=["client"]), [], True),
        (route("client", year=2), [route("client", "rival", 1)], False),
        (route("client", year=1), [route("client", "rival", 2)], True),
        (route("shop", year=2), [route("shop", "rival", 1, exportTo=["."])], True),
    ],
    ids=["here", "for a gateway", "beside the service", "private there", "exported to here alone",
         "overruled", "it overrules", "its rival is not for this client"],
)  # fmt: skip
def test_a_virtual_service_is_waited_for_if_the_client_gets_it(
    mine: Object, existing: list[Object], *, waits: bool
) -> None:
    assert routes.awaited([mine], [mine, *existing], CLIENT) == ((mine,) if waits else ())
