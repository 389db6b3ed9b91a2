"""Of whose pods it is waited until they answer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.objects import manifest

from meshdemo.engines.cluster.namespace_view import View
from meshdemo.engines.cluster.sidecar.first_answers import Start
from meshdemo.objects.labels import RUN_LABEL
from meshdemo.objects.model import Object

PORTS = [
    {"name": "http", "port": 80}, {"name": "grpc", "port": 81}, {"name": "tcp", "port": 82},
    {"name": "ssh", "port": 22},
]  # fmt: skip
BROKEN = {"waiting": {"reason": "ImagePullBackOff"}}


def put(
    kube: Any,
    name: str,
    *,
    space: str = "shop",
    age: float = 1,
    ours: bool = True,
    broken: bool = False,
    **more: Any,
) -> None:
    """Have a Deployment with one pod, which has run for so many seconds, and a Service."""
    running = {"running": {"startedAt": (kube.now() - timedelta(seconds=age)).isoformat()}}
    container = {"name": "app", "state": BROKEN if broken else running, "ready": not broken}
    pod = manifest("Pod", f"{name}-77-x", space, containers=[{"name": "app"}])
    pod["metadata"]["labels"] = {"app": name, "pod-template-hash": "77"}
    pod["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": f"{name}-77"}]
    phase = "Pending" if broken else "Running"
    pod["status"] = {"phase": phase, "containerStatuses": [container]}
    deployment = manifest("Deployment", name, space)
    deployment["metadata"]["labels"] = {RUN_LABEL: "shop"} if ours else {}
    service = {"selector": {"app": name}, "ports": [{"name": "http", "port": 80}], **more}
    kube.put(pod, deployment, manifest("Service", name, space, **service))


def urls(kube: Any, *objects: dict[str, Any]) -> list[str]:
    found = Start.seen(View(kube, "shop"), [Object(each) for each in objects]).places()
    return [place.url for place in found]


def test_the_ports_that_may_speak_http_are_asked(kube: Any) -> None:
    put(kube, "app", ports=PORTS)
    kube.put(
        manifest("Service", "plain", selector={"app": "app"}, ports=[{"port": 90}]),
        manifest("Service", "other", selector={"app": "other"}, ports=PORTS),
    )
    found = Start.seen(View(kube, "shop"), []).places()
    assert [(place.url, place.is_http) for place in found] == [
        ("http://app.shop:80/", True),
        ("http://app.shop:81/", False),
        ("http://plain.shop:90/", False),
    ]


def test_the_sidecar_has_to_know_the_pods_that_begin_but_none_of_a_headless_service(
    kube: Any,
) -> None:
    put(kube, "app")
    kube.objects["Pod", "shop", "app-77-x"]["status"]["podIP"] = "10.0.0.7"
    kube.put(
        manifest("Service", "each", selector={"app": "app"}, clusterIP="None", ports=[{"port": 90}])
    )
    found = {place.cluster: place.pods for place in Start.seen(View(kube, "shop"), []).places()}
    assert found == {
        "outbound|80||app.shop.svc.cluster.local": (("10.0.0.7",),),
        "outbound|90||each.shop.svc.cluster.local": (),
    }


def test_the_sidecar_need_not_know_a_pod_that_is_going(kube: Any) -> None:
    put(kube, "app")
    before = kube.objects["Pod", "shop", "app-77-x"]
    going = {**before["metadata"], "name": "app-66-x", "deletionTimestamp": kube.now().isoformat()}
    kube.put({**before, "metadata": going, "status": {**before["status"], "podIP": "10.0.0.6"}})
    before["status"]["podIP"] = "10.0.0.7"
    (place,) = Start.seen(View(kube, "shop"), []).places()
    assert place.pods == (("10.0.0.7",),)


@pytest.mark.parametrize(
    ("age", "probe", "answered", "unproved"),
    [
        (1, False, False, True),
        (60, False, False, False),
        (1, True, False, False),
        (1, False, True, False),
    ],
    ids=["just begun", "for long", "by a probe of its own", "by an answer"],
)
def test_a_pod_that_is_ready_may_only_be_about_to_crash(
    age: float, probe: bool, answered: bool, unproved: bool, kube: Any
) -> None:
    put(kube, "app", age=age)
    pod = kube.objects["Pod", "shop", "app-77-x"]
    pod["status"]["podIP"] = "10.0.0.7"
    pod["spec"]["containers"][0]["readinessProbe"] = {"httpGet": {}} if probe else None
    objects = [Object(manifest("Deployment", "app"))]
    start = Start.seen(View(kube, "shop"), objects)
    assert start.is_unproved(start.places() if answered else []) is unproved


def test_neither_the_test_client_is_asked_nor_who_has_run_for_long(kube: Any) -> None:
    put(kube, "testclient")
    put(kube, "old", age=60)
    put(kube, "new", age=20)
    assert urls(kube) == ["http://new.shop:80/"]


def test_pods_of_others_are_not_asked_that_nobody_speaks_of(kube: Any) -> None:
    put(kube, "ours")
    put(kube, "theirs", ours=False)
    assert urls(kube) == ["http://ours.shop:80/"]


@pytest.mark.parametrize(
    "spoken_of",
    [manifest("Service", "theirs"), manifest("Deployment", "theirs"),
     manifest("VirtualService", "split", hosts=["theirs"]),
     manifest("DestinationRule", "subsets", host="theirs")],
    ids=["its Service", "its Deployment", "a VirtualService", "a DestinationRule"],
)  # fmt: skip
def test_pods_of_others_are_asked_that_the_objects_speak_of(
    kube: Any, spoken_of: dict[str, Any]
) -> None:
    put(kube, "theirs", ours=False)
    assert urls(kube, spoken_of) == ["http://theirs.shop:80/"]


def test_what_was_applied_in_another_namespace_is_asked_there(kube: Any) -> None:
    put(kube, "pay", space="payments")
    put(kube, "theirs", space="payments", ours=False)
    put(kube, "pay")
    ports = [{"name": "http", "port": 80}]
    service = manifest("Service", "pay", "payments", selector={"app": "pay"}, ports=ports)
    objects = [service, manifest("Deployment", "pay", "payments")]
    assert urls(kube, *objects) == ["http://pay.payments:80/", "http://pay.shop:80/"]
    start = Start.seen(View(kube, "shop"), [Object(each) for each in objects])
    assert start.is_unproved([])


def test_a_pod_that_is_broken_is_not_asked_whoever_speaks_of_it(kube: Any) -> None:
    put(kube, "broken", broken=True)
    put(kube, "half", ours=False)
    kube.objects["Pod", "shop", "half-77-x"]["status"]["containerStatuses"][0]["ready"] = False
    assert urls(kube, manifest("Service", "broken"), manifest("Service", "half")) == []


def test_who_may_not_list_workloads_is_kept_by_those_of_the_objects_alone(kube: Any) -> None:
    put(kube, "app")
    kube.forbidden.add("Deployment")
    assert urls(kube) == []
    assert urls(kube, manifest("Service", "app")) == ["http://app.shop:80/"]
