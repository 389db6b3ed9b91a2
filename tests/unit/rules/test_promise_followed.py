"""Which rules a client heeds: on a cluster those are waited for in its sidecar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests import objects as make
from tests.objects import created

from meshdemo.rules.client_view import Client
from meshdemo.rules.promise import followed

if TYPE_CHECKING:
    from meshdemo.objects.model import Object

FQDN = "app.shop.svc.cluster.local"
CLIENT = Client("client", {"app": "testclient"}, injected=True, root_namespace="root")


def subsets(namespace: str, name: str = "mine", **spec: Any) -> Object:
    when = created("2001-01-01T00:00:00Z")
    return make.destination_rule(
        "v1", name=name, namespace=namespace, metadata=when, host=FQDN, **spec
    )


def route(namespace: str, name: str = "mine", year: int = 1, **spec: Any) -> Object:
    when, http = created(f"200{year}-01-01T00:00:00Z"), make.route(make.to(host=FQDN))
    return make.virtual_service(
        http, name=name, namespace=namespace, metadata=when, hosts=[FQDN], **spec
    )


def selecting(app: str) -> dict[str, Any]:
    return {"workloadSelector": {"matchLabels": {"app": app}}}


@pytest.mark.parametrize(
    ("mine", "existing", "heeds"),
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
def test_a_destination_rule_is_heeded_if_the_client_follows_it(
    mine: Object, existing: list[Object], *, heeds: bool
) -> None:
    assert followed([mine], existing, CLIENT) == ((mine,) if heeds else ())
    assert followed([mine], [mine, *existing], CLIENT) == ((mine,) if heeds else ())


@pytest.mark.parametrize(
    ("mine", "existing", "heeds"),
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
def test_a_virtual_service_is_heeded_if_the_client_gets_it(
    mine: Object, existing: list[Object], *, heeds: bool
) -> None:
    assert followed([mine], [mine, *existing], CLIENT) == ((mine,) if heeds else ())


def test_in_the_place_of_a_delegate_those_are_heeded_that_hand_requests_to_it() -> None:
    team = make.made("VirtualService", "team", "shop", http=[make.route(make.to(host=FQDN))])
    root = make.virtual_service(
        {"delegate": {"name": "team"}}, namespace="shop", metadata=created("2001"), hosts=[FQDN]
    )
    for asked in ([team], [root], [root, team]):
        (heeded,) = followed(asked, [root, team], CLIENT)
        assert heeded.key == root.key
        assert "delegate" not in heeded.spec["http"][0]
    assert followed([team], [route("shop")], CLIENT) == ()
