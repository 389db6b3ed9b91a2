"""Removing an Istio of ours: whole, and never one that somebody lives by."""

from __future__ import annotations

import copy
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from tests.objects import manifest

from meshdemo.engines.cluster.istio import control_plane, istioctl
from meshdemo.engines.cluster.istio.istioctl import Istioctl
from meshdemo.engines.cluster.istio.uninstall import Removal
from meshdemo.errors import EnvironmentFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshdemo.engines.cluster.istio.control_plane import ControlPlane
    from meshdemo.engines.results import Check

    Make = Callable[..., Any]

HERE = "default"
SECONDS = 60
"""How long a scripted istioctl may take: it is a Python that has to start."""


def opened(program: Any, plane: ControlPlane | None = None) -> Istioctl:
    revision = plane.revision if plane else istioctl.DEFAULT_REVISION
    return Istioctl(istioctl.probe(program.path, "test"), revision=revision)


def removal(kube: Any, program: Any) -> Removal:
    def ours(item: Any) -> bool:
        return bool(item["metadata"]["namespace"] == HERE)

    def notify(text: str, *, lasting: bool = False, always: bool = False) -> None:  # noqa: ARG001 - the protocol's
        if "Uninstall complete" in text:
            lose_istio(kube)

    return Removal(kube, lambda _: opened(program), ours, notify, SECONDS)


def lose_istio(kube: Any) -> None:
    """Take out of the cluster what a real istioctl would have removed."""
    for key, item in list(kube.objects.items()):
        kind, _, name = key
        istiod = kind == "Deployment" and name != "istiod-theirs"
        crd = kind == "CustomResourceDefinition" and "deletionTimestamp" not in item["metadata"]
        if istiod or crd or "Webhook" in kind:
            del kube.objects[key]


def recorded(revisions: str = "default", **noted: str) -> dict[str, Any]:
    """What install notes in the cluster of an Istio of ours."""
    labels = {"labels": control_plane.labels()}
    metadata = {"name": control_plane.RECORD, "namespace": "istio-system", **labels}
    return {"kind": "ConfigMap", "metadata": metadata, "data": {"revisions": revisions, **noted}}


rule = partial(manifest, "VirtualService", "theirs")


def pod(namespace: str, *, injected: bool = True) -> dict[str, Any]:
    annotations = {"sidecar.istio.io/status": "{}"} if injected else {}
    return manifest("Pod", "web-1", namespace, metadata={"annotations": annotations})


@pytest.mark.parametrize("user", [rule("shop"), pod("shop")], ids=["a rule", "a pod"])
def test_an_istio_that_others_use_is_not_removed(
    user: dict[str, Any], meshed: Any, scripted: Make
) -> None:
    meshed.put(user, recorded())
    with pytest.raises(EnvironmentFailed, match="in use") as caught:
        removal(meshed, scripted("1.32")).refuse_if_used()
    assert f"shop: {user['kind']} {user['metadata']['name']}" in caught.value.message
    assert "--force" in caught.value.hint


def test_ours_what_ends_and_pods_without_a_sidecar_do_not_count_as_users(
    meshed: Any, scripted: Make
) -> None:
    ending = pod("ending")
    ending["metadata"]["deletionTimestamp"] = "2026-11-22T16:00:00Z"
    meshed.put(recorded(), rule(HERE), pod(HERE), pod("shop", injected=False), ending)
    removal(meshed, scripted("1.32")).refuse_if_used()


@pytest.mark.parametrize(
    ("namespace", "labels", "counts"),
    [
        ("istio-system", {"install.operator.istio.io/owning-resource": "unknown"}, False),
        ("istio-system", {"istio": "ingress"}, True),
        ("shop", {"istio": "ingress"}, True),
        ("shop", {"install.operator.istio.io/owning-resource": "unknown"}, True),
    ],
    ids=["the profile's", "Helm's beside istiod", "Helm's elsewhere", "another installation's"],
)
def test_only_the_gateways_of_our_own_profile_are_no_users(
    namespace: str, labels: dict[str, str], meshed: Any, scripted: Make, *, counts: bool
) -> None:
    gateway = pod(namespace)
    gateway["metadata"]["labels"] = labels
    meshed.put(recorded(), gateway)
    down = removal(meshed, scripted("1.32"))
    if not counts:
        down.refuse_if_used()
        return
    with pytest.raises(EnvironmentFailed, match=f"{namespace}: Pod web-1"):
        down.refuse_if_used()


def test_a_pod_with_a_sidecar_of_somebodys_own_making_is_a_user(
    meshed: Any, scripted: Make
) -> None:
    own = {**pod("shop", injected=False), "spec": {"containers": [{"name": "istio-proxy"}]}}
    meshed.put(recorded(), own)
    with pytest.raises(EnvironmentFailed, match="in use"):
        removal(meshed, scripted("1.32")).refuse_if_used()


def test_who_may_not_see_the_control_planes_removes_none(meshed: Any, scripted: Make) -> None:
    program = scripted("1.32")
    meshed.put(recorded(crdsBefore="no"))
    meshed.forbidden |= {"Deployment"}
    down = removal(meshed, program)
    with pytest.raises(EnvironmentFailed, match="none is removed"):
        down.refuse_if_used()
    with pytest.raises(EnvironmentFailed, match="none is removed"):  # as --force has it
        list(down.run())
    assert not program.calls


def test_an_istio_of_somebody_else_stays_whoever_uses_it(meshed: Any, scripted: Make) -> None:
    program = scripted("1.32")
    meshed.put(rule("shop"))
    removal(meshed, program).refuse_if_used()
    (check,) = removal(meshed, program).run()
    assert check.ok
    assert not program.calls
    assert ("Deployment", "istio-system", "istiod") in meshed.objects


@pytest.mark.parametrize(
    ("noted", "how"),
    [({"crdsBefore": "no"}, "--purge"), ({"crdsBefore": "yes"}, "--revision")],
    ids=["all of it is ours", "the CRDs were there before"],
)
def test_a_purge_is_only_for_what_is_all_ours(
    noted: dict[str, str], how: str, meshed: Any, scripted: Make
) -> None:
    program = scripted("1.32")
    meshed.put(recorded(**noted))
    labels = {"labels": {"istio.io/config": "true"}}
    meshed.put(manifest("ConfigMap", "istio-ca-root-cert", metadata=labels))
    list(removal(meshed, program).run())
    (argv,) = [call["argv"] for call in program.calls if call["argv"][0] == "uninstall"]
    assert how in argv
    assert control_plane.record(meshed, "istio-system") is None
    kept = meshed.list("v1", "ConfigMap", "shop")
    assert bool(kept) == (how != "--purge")


def test_of_several_revisions_only_ours_go(meshed: Any, scripted: Make) -> None:
    program = scripted("1.32")
    for name in ("canary", "theirs"):
        other = copy.deepcopy(meshed.objects["Deployment", "istio-system", "istiod"])
        other["metadata"]["name"] = f"istiod-{name}"
        other["metadata"]["labels"] = {"app": "istiod", "istio.io/rev": name}
        meshed.put(other)
    meshed.put(recorded("default canary", crdsBefore="no"))

    down = replace(removal(meshed, program), find=lambda plane: opened(program, plane))
    list(down.run())
    revisions = [call["argv"][-1] for call in program.calls if call["argv"][0] == "uninstall"]
    assert revisions == ["canary", "default"]


def left_by_istio() -> list[dict[str, Any]]:
    """What is in a real istio-system after ``istioctl uninstall --purge``, and one kind more."""
    place = {"namespace": "istio-system"}
    election = {"control-plane.alpha.kubernetes.io/leader": "{}"}
    base = {"operator.istio.io/component": "Base"}
    return [
        {"kind": "ConfigMap", "metadata": {"name": "kube-root-ca.crt", **place}},
        {"kind": "ConfigMap", "metadata": {"name": "leader", "annotations": election, **place}},
        {"kind": "ServiceAccount", "metadata": {"name": "default", **place}},
        {"kind": "ServiceAccount", "metadata": {"name": "istio-reader", "labels": base, **place}},
        {"kind": "Secret", "type": "istio.io/ca-root", "metadata": {"name": "ca", **place}},
    ]


def removed_namespace(kube: Any, program: Any) -> dict[str, Check]:
    """Remove an Istio of ours whose namespace is ours, too."""
    kube.put(recorded(crdsBefore="no"), *left_by_istio())
    space = kube.objects["Namespace", "", "istio-system"]
    space["metadata"] |= {"labels": control_plane.labels(), "uid": "u1"}
    return {check.name: check for check in removal(kube, program).run()}


def test_istios_namespace_goes_with_what_istio_left_in_it(meshed: Any, scripted: Make) -> None:
    checks = removed_namespace(meshed, scripted("1.32"))
    assert all(check.ok for check in checks.values())
    assert ("Namespace", "", "istio-system") not in meshed.objects


def test_istios_namespace_stays_while_others_live_in_it(meshed: Any, scripted: Make) -> None:
    metadata = {"name": "prometheus", "namespace": "istio-system"}
    meshed.put({"kind": "ConfigMap", "metadata": metadata})
    check = removed_namespace(meshed, scripted("1.32"))["namespace istio-system is not ours alone"]
    assert check.ok
    assert check.detail == "kept, others have objects in it: ConfigMap prometheus"
    assert ("Namespace", "", "istio-system") in meshed.objects


def test_istios_namespace_stays_where_not_all_in_it_can_be_seen(
    meshed: Any, scripted: Make
) -> None:
    meshed.forbidden |= {"Kiali"}
    check = removed_namespace(meshed, scripted("1.32"))["namespace istio-system is ours alone"]
    assert not check.ok
    assert "Kiali" in check.detail
    assert ("Namespace", "", "istio-system") in meshed.objects


def test_a_crd_of_istio_that_is_still_going_is_waited_for(meshed: Any, scripted: Make) -> None:
    going = {
        "name": "proxyconfigs.networking.istio.io",
        "deletionTimestamp": "2026-11-22T16:00:00Z",
    }
    kind = "CustomResourceDefinition"
    meshed.put(recorded(crdsBefore="no"), {"kind": kind, "metadata": going})
    looks = count(1)
    listed = meshed.list

    def listing(version: str, of: str, *args: Any, **options: Any) -> Any:
        if of == kind and next(looks) == 3:
            del meshed.objects[kind, "", going["name"]]
        return listed(version, of, *args, **options)

    meshed.list = listing
    checks = {check.name: check for check in removal(meshed, scripted("1.32")).run()}
    assert checks["no CRD of Istio is left"].ok
    assert next(looks) > 3
