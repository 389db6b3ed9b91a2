"""What counts for a run of what others have in the cluster."""

from __future__ import annotations

from typing import Any

import pytest
from tests.objects import manifest

from meshdemo.engines.cluster.api.connection import Forbidden
from meshdemo.engines.cluster.namespace_view import View
from meshdemo.errors import EnvironmentFailed


def rule(namespace: str, host: str, **spec: Any) -> dict[str, Any]:
    return manifest("VirtualService", "theirs", namespace, hosts=[host], **spec)


def seen(kube: Any, *items: dict[str, Any]) -> list[str]:
    kube.put(manifest("Service", "app", "shop"), *items)
    return [found.title for found in View(kube, "shop").seen() if found.kind != "Service"]


FQDN = "app.shop.svc.cluster.local"


@pytest.mark.parametrize(
    ("there", "holds"),
    [
        (rule("other", FQDN), True),
        (rule("other", FQDN, exportTo=["*"]), True),
        (rule("other", FQDN, exportTo=["shop"]), True),
        (rule("other", "*.shop.svc.cluster.local"), True),
        (rule("other", FQDN, exportTo=["."]), False),
        (rule("other", "app"), False),
        (rule("other", "web.shop.svc.cluster.local"), False),
    ],
    ids=["for all", "said so", "for here", "wildcard", "private", "its own app", "another host"],
)
def test_a_rule_of_another_namespace_counts_if_it_holds_for_a_service_here(
    kube: Any, there: dict[str, Any], holds: bool
) -> None:
    assert seen(kube, there) == (["VirtualService other/theirs"] if holds else [])


def test_subsets_for_the_whole_mesh_count(kube: Any) -> None:
    there = manifest("DestinationRule", "all", "istio-system", host=FQDN)
    assert seen(kube, there) == ["DestinationRule istio-system/all"]


def test_the_root_namespace_is_that_of_the_istio_that_is_there(kube: Any) -> None:
    plane = manifest("Deployment", "istiod", "mesh", template={"spec": {"containers": [{}]}})
    plane["metadata"]["labels"] = {"app": "istiod"}
    usual = manifest("DestinationRule", "all", "istio-system", host=FQDN)
    there = manifest("DestinationRule", "all", "mesh", host=FQDN)
    assert seen(kube, plane, usual, there) == ["DestinationRule mesh/all"]
    assert View(kube, "shop").root_namespace == "mesh"


def test_rules_of_the_root_namespace_are_seen_once_from_within(kube: Any) -> None:
    kube.put(manifest("DestinationRule", "all", "istio-system", host=FQDN))
    assert len(View(kube, "istio-system").seen()) == 1


def test_who_may_not_look_elsewhere_sees_what_is_here(kube: Any) -> None:
    kube.only = "shop"
    assert seen(kube, rule("shop", "app"), rule("other", FQDN)) == ["VirtualService shop/theirs"]
    assert View(kube, "shop").from_elsewhere([]) is None
    assert View(kube, "shop").root_namespace == "istio-system"


def test_towards_another_namespace_its_services_and_rules_count_and_what_touches_requests(
    kube: Any,
) -> None:
    kube.put(
        manifest("Service", "ratings", "other"),
        rule("other", "ratings", exportTo=["."]),
        manifest("Sidecar", "narrow", "shop"),
        manifest("AuthorizationPolicy", "closed", "other"),
        manifest("PeerAuthentication", "strict", "istio-system"),
        manifest("PeerAuthentication", "far", "elsewhere"),
    )
    found = {found.title for found in View(kube, "shop").towards("other")}
    assert found == {
        "Service other/ratings",
        "VirtualService other/theirs",
        "Sidecar shop/narrow",
        "AuthorizationPolicy other/closed",
        "PeerAuthentication istio-system/strict",
    }
    kube.forbidden = {"Sidecar", "AuthorizationPolicy"}  # what one may not see is not there
    assert "Service other/ratings" in {item.title for item in View(kube, "shop").towards("other")}
    kube.only = "shop"
    with pytest.raises(Forbidden):
        View(kube, "shop").towards("other")


@pytest.mark.parametrize(
    ("mesh", "holds"),
    [
        ("defaultVirtualServiceExportTo: ['.']", False),
        ("defaultVirtualServiceExportTo: ['*']", True),
        ("defaultDestinationRuleExportTo: ['.']", True),
        ("no: yaml: at all", True),
        ("", True),
    ],
    ids=["narrow", "wide", "another kind's", "nonsense", "nothing"],
)
def test_whom_a_rule_is_exported_to_that_does_not_say_so_is_the_meshs_to_decide(
    kube: Any, mesh: str, holds: bool
) -> None:
    settings = {**manifest("ConfigMap", "istio", "istio-system"), "data": {"mesh": mesh}}
    assert bool(seen(kube, settings, rule("other", FQDN))) is holds
    assert seen(kube, settings, rule("other", FQDN, exportTo=["*"]))


def test_a_client_that_is_still_being_created_is_told_so(kube: Any) -> None:
    waiting = {"waiting": {"reason": "PodInitializing"}}
    client = manifest("Pod", "testclient", "shop", containers=[{"name": "test-tools"}])
    client["metadata"]["labels"] = {"app": "testclient"}
    states = [{"name": "test-tools", "state": waiting, "ready": False}]
    client["status"] = {"phase": "Pending", "containerStatuses": states}
    kube.put(client)
    with pytest.raises(EnvironmentFailed, match="testclient is being created: test-tools is being"):
        View(kube, "shop").require_client()
    client["status"]["phase"] = "Running"
    assert View(kube, "shop").require_client().name == "testclient"


def test_another_pod_is_the_client_if_its_labels_say_so(kube: Any) -> None:
    def pod(name: str, *, ready: bool, proxy: bool = True, **labels: str) -> dict[str, Any]:
        names = ["app", *(["istio-proxy"] if proxy else [])]
        found = manifest("Pod", name, "shop", containers=[{"name": each} for each in names])
        found["metadata"]["labels"] = labels
        states = [{"name": each, "state": {"running": {}}, "ready": ready} for each in names]
        found["status"] = {"phase": "Running", "containerStatuses": states}
        return found

    kube.put(
        pod("a-going", ready=False, app="reviews"),
        pod("b-ready", ready=True, app="reviews"),
        pod("c-plain", ready=True, proxy=False, app="plain"),
        pod("testclient", ready=True, app="testclient"),
    )
    assert View(kube, "shop").require_client().name == "testclient"
    assert View(kube, "shop", "app in (reviews)").require_client().name == "b-ready"
    with pytest.raises(EnvironmentFailed, match=r"the pod c-plain .* has no sidecar"):
        View(kube, "shop", "app=plain").require_client()
    with pytest.raises(EnvironmentFailed, match="no pod has the labels app=moon"):
        View(kube, "shop", "app=moon").require_client()


def test_what_a_client_knows_is_seen_as_far_as_one_may(kube: Any) -> None:
    kube.put(
        manifest("ServiceEntry", "here", "shop"),
        manifest("ServiceEntry", "far", "elsewhere"),
        manifest("Sidecar", "own", "shop"),
        manifest("Sidecar", "root", "istio-system"),
        manifest("Sidecar", "far", "elsewhere"),
    )
    assert {item.title for item in View(kube, "shop").seen()} == {
        "ServiceEntry shop/here", "ServiceEntry elsewhere/far",
        "Sidecar shop/own", "Sidecar istio-system/root",
    }  # fmt: skip
    kube.only = "shop"
    assert {item.title for item in View(kube, "shop").seen()} == {
        "ServiceEntry shop/here", "Sidecar shop/own",
    }  # fmt: skip
    kube.forbidden = {"ServiceEntry", "Sidecar"}
    assert not View(kube, "shop").seen()
