from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.objects import manifest

from meshdemo.engines.cluster.api.kube import Forbidden, Unauthenticated, Unreachable
from meshdemo.engines.cluster.prerequisites import Doctor
from meshdemo.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshdemo.engines.results import Check

    Make = Callable[..., Any]
    Examine = Callable[[Any], dict[str, Check]]


@pytest.fixture
def examine(scripted: Make) -> Callable[[Any], dict[str, Check]]:
    """Give all checks of a cluster by name."""
    program = scripted("1.32")

    def checks(kube: Any) -> dict[str, Check]:
        settings = Settings(istioctl=str(program.path))
        return {check.name: check for check in Doctor(kube, settings, "default").checks()}

    return checks


def failed(checks: dict[str, Check]) -> list[str]:
    return [name for name, check in checks.items() if not check.ok]


def test_a_healthy_cluster_passes_every_check(meshed: Any, examine: Examine) -> None:
    checks = examine(meshed)
    assert not failed(checks)
    assert checks["the cluster knows who you are"].detail == "ada"


def test_a_bare_cluster_is_ready_for_an_install(kube: Any, examine: Examine) -> None:
    checks = examine(kube)
    assert not failed(checks)
    assert checks["Istio is there"].detail.startswith("not yet")


def test_without_an_api_server_nothing_else_is_tried(kube: Any, examine: Examine) -> None:
    def version() -> None:
        raise Unreachable("the API server cannot be reached", hint="Is it up?")

    kube.version = version
    checks = examine(kube)
    assert failed(checks) == ["the API server answers"]
    assert len(checks) == 1


def test_who_is_not_known_to_the_cluster_hears_only_that(kube: Any, examine: Examine) -> None:
    def version() -> None:
        raise Unauthenticated("your credentials are not accepted", hint="Log in anew.")

    kube.version = version
    checks = examine(kube)
    assert list(checks) == ["the API server answers", "the cluster knows who you are"]
    assert failed(checks) == ["the cluster knows who you are"]


def test_who_may_not_even_ask_for_their_rights_has_none(meshed: Any, examine: Examine) -> None:
    def can_i(*_: str, **__: str) -> bool:
        raise Forbidden("reviews are forbidden", 403, {})

    meshed.can_i = can_i
    checks = examine(meshed)
    assert failed(checks) == ["one may deploy, route and verify in namespace default"]
    (detail,) = [check.detail for check in checks.values() if not check.ok]
    assert "even to ask: reviews are forbidden" in detail


def test_a_missing_istioctl_is_named_with_the_command_to_type(kube: Any) -> None:
    doctor = Doctor(kube, Settings(istioctl="/nowhere"), "default")
    check = next(c for c in doctor.checks() if c.name == "istioctl is found")
    assert not check.ok
    assert "meshdemo install --download-istioctl" in check.hint


@pytest.mark.parametrize(("minor", "ok"), [("31", False), ("32", True), ("36+", True)])
def test_the_cluster_must_be_in_the_range_of_this_istioctl(
    minor: str, ok: bool, kube: Any, examine: Examine
) -> None:
    kube.minor = minor
    assert examine(kube)["the Kubernetes version is supported"].ok is ok


def test_an_istioctl_that_does_not_fit_the_mesh_is_named(meshed: Any, examine: Examine) -> None:
    deployment = meshed.objects["Deployment", "istio-system", "istiod"]
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container["image"], meshed.proxy = "istio/pilot:1.28.0", "istio/proxyv2:1.28.0"
    assert failed(examine(meshed)) == ["istioctl fits the Istio that is there"]


def test_rules_of_other_namespaces_for_services_here_are_named(
    meshed: Any, examine: Examine
) -> None:
    name = "rules of other namespaces for services here are known"
    assert examine(meshed)[name].detail == "none"
    host = "app.default.svc.cluster.local"
    meshed.put(
        manifest("Service", namespace="default"),
        manifest("VirtualService", "theirs", "other", hosts=[host]),
    )
    check = examine(meshed)[name]
    assert (check.ok, check.detail) == (True, "VirtualService other/theirs")


def test_what_the_analyzer_finds_is_told_and_is_no_failure(meshed: Any, examine: Examine) -> None:
    check = examine(meshed)["what istioctl analyze finds is known"]
    assert check.ok
    assert "IST0101" in check.detail


def test_missing_rights_are_named_one_by_one(kube: Any, examine: Examine) -> None:
    kube.may_not |= {("create", "pods/exec"), ("create", "namespaces")}
    checks = examine(kube)
    here = checks["one may deploy, route and verify in namespace default"]
    assert here.detail == "not allowed: create pods/exec"
    assert not checks["one may install Istio"].ok


def test_who_may_not_install_needs_not_where_istio_is(meshed: Any, examine: Examine) -> None:
    meshed.may_not.add(("create", "namespaces"))
    assert not failed(examine(meshed))


def test_a_student_sees_little_and_nothing_of_it_is_a_failure(
    meshed: Any, examine: Examine
) -> None:
    meshed.may_not |= {("create", "namespaces"), ("create", "pods/portforward")}
    meshed.forbidden |= {
        *("Deployment", "Node", "CustomResourceDefinition", "MutatingWebhookConfiguration"),
    }
    checks = examine(meshed)
    assert not failed(checks)
    assert checks["nodes can forward ports"].detail == "not allowed to see"
    assert "--injection auto" in checks["istioctl may reach istiod for kube-inject"].detail
    assert checks["a pod that asks for a sidecar gets one"].ok


def test_an_image_that_cannot_be_pulled_is_named(meshed: Any, examine: Examine) -> None:
    waiting = {"reason": "ImagePullBackOff", "message": "no such host"}
    state = {"image": "dustise/flaskapp", "state": {"waiting": waiting}}
    running = {"image": "fine", "state": {"running": {}}}
    pod = manifest("Pod", "app-1", "default")
    meshed.put({**pod, "status": {"containerStatuses": [running, state]}})
    check = examine(meshed)["images can be pulled"]
    assert check.detail == "dustise/flaskapp: no such host"
    assert "--image" in check.hint


@pytest.mark.parametrize(
    ("level", "ok"), [("privileged", True), ("baseline", False), ("restricted", False)]
)
def test_a_namespace_that_enforces_pod_security_is_named(
    level: str, ok: bool, meshed: Any, examine: Examine
) -> None:
    labels = {"pod-security.kubernetes.io/enforce": level}
    meshed.put({"kind": "Namespace", "metadata": {"name": "default", "labels": labels}})
    assert examine(meshed)["Pod Security allows sidecars here"].ok is ok


@pytest.mark.parametrize(
    ("runtime", "said"),
    [("containerd://1.6.20", "no socat needed"), ("docker://20.10", "each node needs socat")],
)
def test_socat_is_spoken_of_only_with_dockershim(
    runtime: str, said: str, meshed: Any, examine: Examine
) -> None:
    info = {"nodeInfo": {"containerRuntimeVersion": runtime}}
    meshed.put({"kind": "Node", "metadata": {"name": "n"}, "status": info})
    assert said in examine(meshed)["nodes can forward ports"].detail


def test_another_mesh_is_named(meshed: Any, examine: Examine) -> None:
    metadata = {"name": "linkerd-proxy-injector-webhook-config"}
    meshed.put({"kind": "MutatingWebhookConfiguration", "metadata": metadata})
    check = examine(meshed)["no other mesh is there"]
    assert not check.ok
    assert check.detail == "Linkerd"


def test_what_an_earlier_run_left_is_listed(meshed: Any, examine: Examine) -> None:
    labels = {"labels": {"meshdemo.dev/run": "default"}}
    meshed.put(manifest("Service", namespace="default", metadata=labels))
    detail = examine(meshed)["what an earlier run left is known"].detail
    assert detail == "Service app (meshdemo down removes them)"
