from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from meshdemo.engines import Check, Download, MeshOptions
from meshdemo.engines.cluster import controlplane, istioctl, verification
from meshdemo.engines.cluster.install import Installation
from meshdemo.engines.cluster.istioctl import Istioctl
from meshdemo.engines.cluster.uninstall import Removal
from meshdemo.engines.cluster.verification import Verification
from meshdemo.errors import EnvironmentFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshdemo.engines.cluster.controlplane import ControlPlane

    Make = Callable[..., Any]

HERE = "default"


def opened(program: Any, revision: str = "") -> Istioctl:
    found = istioctl.probe(program.path, "test")
    return Istioctl(found, revision=revision or istioctl.DEFAULT_REVISION)


class Heard(list[str]):
    """What an engine tells."""

    def __call__(self, text: str, *, lasting: bool = False, always: bool = False) -> None:
        self.append(text if lasting or always else f"({text})")


def installation(kube: Any, program: Any, **options: Any) -> tuple[Installation, Heard]:
    said = Heard()
    asked = MeshOptions(**options)

    def find(_: object) -> Istioctl:
        return opened(program, asked.revision) if program else _missing()

    return Installation(kube, asked, find, said, 5), said


def _missing() -> Istioctl:
    raise EnvironmentFailed("istioctl is not there", hint="Type this")


def named(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def test_an_istio_that_is_there_and_healthy_is_used_as_it_is(meshed: Any, scripted: Make) -> None:
    program = scripted("1.32")
    run, said = installation(meshed, program)
    checks = list(run.run())
    assert all(check.ok for check in checks)
    said_last = "Istio 1.32.0, revision default, in istio-system, used as it is"
    assert checks[-1].detail == said_last
    assert not said
    assert all(call["argv"][0] == "version" for call in program.calls)
    assert controlplane.record(meshed, "istio-system") is None


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"profile": "demo", "settings": ("a=b",)}, "--istio-profile, --istio-set"),
        ({"files": ("file",), "namespace": "mesh"}, "--istio-file, --istio-namespace"),
        ({"namespace": "istio-system"}, ""),
    ],
    ids=["profile and settings", "file and another namespace", "its own namespace"],
)
def test_options_for_an_install_that_is_not_made_are_named(
    meshed: Any, scripted: Make, options: dict[str, Any], names: str
) -> None:
    run, said = installation(meshed, scripted("1.32"), **options)
    assert all(check.ok for check in run.run())
    assert [f"no effect of {names}." in told for told in said] == [True] * bool(names)


def test_it_can_be_used_without_an_istioctl_which_who_needs_one_says(meshed: Any) -> None:
    run, said = installation(meshed, None)
    assert all(check.ok for check in run.run())
    assert not said


def test_a_sick_istio_of_somebody_else_is_not_touched(meshed: Any, scripted: Make) -> None:
    program = scripted("1.32")
    meshed.objects["Deployment", "istio-system", "istiod"]["status"]["availableReplicas"] = 0
    (check,) = installation(meshed, program)[0].run()
    assert not check.ok
    assert "--force" in check.hint
    assert not program.calls


def test_another_revision_is_explained_and_nothing_is_installed(
    meshed: Any, scripted: Make
) -> None:
    program = scripted("1.32")
    with pytest.raises(
        EnvironmentFailed, match=r"no revision canary; .*revision default"
    ) as caught:
        list(installation(meshed, program, revision="canary")[0].run())
    assert "--force" in caught.value.hint
    assert not program.calls


def test_an_istioctl_far_from_the_mesh_is_a_warning_and_no_failure(
    meshed: Any, scripted: Make
) -> None:
    run, said = installation(meshed, scripted("1.28"))
    assert all(check.ok for check in run.run())
    (warning,) = said
    assert warning.startswith("warning: istioctl 1.28.3, istiod 1.32.0: ")
    assert "meshdemo install --download-istioctl 1.32.0; then name it, by --istioctl" in warning


def test_of_a_development_build_no_istioctl_is_said_to_be_fetched(
    meshed: Any, scripted: Make
) -> None:
    container = {"name": "discovery", "image": "istio/pilot:1.32-alpha.eed52ebb66ad"}
    deployment = meshed.objects["Deployment", "istio-system", "istiod"]
    deployment["spec"]["template"]["spec"]["containers"] = [container]
    meshed.proxy = "docker.io/istio/proxyv2:1.32-alpha.eed52ebb66ad"
    run, said = installation(meshed, scripted("1.28"))
    assert all(check.ok for check in run.run())
    (warning,) = said
    assert "none can be fetched: name one of 1.32 with --istioctl" in warning
    assert "--download-istioctl" not in warning


def test_a_fetched_istioctl_that_the_next_command_would_not_take_is_named(
    meshed: Any, scripted: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_path, fetched = scripted("1.31", "path"), scripted("1.32", "cache")
    monkeypatch.setenv("PATH", str(on_path.path.parent))
    run, said = installation(meshed, fetched, download=Download())
    assert all(check.ok for check in run.run())
    (note,) = said
    assert "takes the one of PATH" in note
    assert f"--istioctl {fetched.path} or MESHDEMO_ISTIOCTL={fetched.path}" in note
    run, said = installation(meshed, on_path, download=Download())
    assert all(check.ok for check in run.run())
    assert not said


@pytest.mark.parametrize("release", ["1.10", "1.20", "1.23", "1.24", "1.28", "1.31", "1.32"])
def test_force_installs_shows_what_istioctl_says_and_verifies(
    release: str, meshed: Any, scripted: Make
) -> None:
    program = scripted(release)
    run, said = installation(meshed, program, force=True)
    checks = named(list(run.run()))
    assert all(check.ok for check in checks.values())
    assert "✔ Istiod installed" in " ".join(said)
    verified = "istioctl verify-install finds it whole" in checks
    assert verified is (release in ("1.10", "1.20", "1.23"))
    if verified:
        last = checks["istioctl verify-install finds it whole"].detail
        assert last == "✔ Istio is installed and verified successfully"


def test_what_we_install_is_noted_in_the_cluster_before_anything_changes(
    kube: Any, scripted: Make
) -> None:
    program = scripted("1.32")
    program.says({"argv": ["install"], "stderr": "Error: it broke off\n", "exit": 1})
    checks = list(installation(kube, program)[0].run())
    assert not checks[-1].ok
    assert controlplane.record(kube, "istio-system") == {
        "revisions": "default",
        "unfinished": "default",
        "crdsBefore": "no",
    }
    labels = kube.objects["Namespace", "", "istio-system"]["metadata"]["labels"]
    assert labels["meshdemo.dev/istio"] == "installed"
    assert "meshdemo.dev/run" not in labels  # a run may be in a namespace of any name


def test_an_istio_of_somebody_else_is_not_ours_by_force(meshed: Any, scripted: Make) -> None:
    list(installation(meshed, scripted("1.32"), force=True)[0].run())
    assert controlplane.record(meshed, "istio-system") is None


def test_a_second_revision_is_noted_beside_the_first(meshed: Any, scripted: Make) -> None:
    meshed.put(recorded(crdsBefore="no"))
    list(installation(meshed, scripted("1.32"), force=True, revision="canary")[0].run())
    noted = controlplane.record(meshed, "istio-system")
    assert noted == {"revisions": "default canary", "unfinished": "", "crdsBefore": "no"}


def test_what_broke_off_is_ended_by_the_next_install(meshed: Any, scripted: Make) -> None:
    program = scripted("1.32")
    meshed.objects["Deployment", "istio-system", "istiod"]["status"]["availableReplicas"] = 0
    meshed.put(recorded(unfinished="default"))
    next(run := installation(meshed, program)[0].run())
    assert next(run).name == "istioctl install succeeds"


def test_what_broke_off_and_was_repaired_by_hand_is_used_as_it_is(
    meshed: Any, scripted: Make
) -> None:
    program = scripted("1.32")
    meshed.put(recorded(unfinished="default"))
    run, said = installation(meshed, program)
    assert [check.name for check in run.run()][-1] == "Istio is there"
    assert "broke off, but this Istio is healthy by now" in said[0]
    assert controlplane.record(meshed, "istio-system") == {
        "revisions": "default",
        "unfinished": "",
    }
    assert not any("install" in call["argv"] for call in program.calls)


def test_what_was_installed_whole_is_not_installed_again_with_other_options(
    meshed: Any, scripted: Make
) -> None:
    program = scripted("1.32")
    meshed.objects["Deployment", "istio-system", "istiod"]["spec"]["replicas"] = 0
    meshed.put(recorded(unfinished=""))
    (check,) = installation(meshed, program)[0].run()
    assert not check.ok
    assert "--replicas=1" in check.hint
    assert not any("install" in call["argv"] for call in program.calls)


@pytest.mark.parametrize(
    ("recording", "cause", "hint"),
    [
        ("install-timeout", "ImagePullBackOff", "--istio-set hub="),
        ("no-cluster-install", "connection refused", "meshdemo doctor"),
    ],
)
def test_a_failed_install_gives_istioctls_reason(
    recording: str, cause: str, hint: str, kube: Any, scripted: Make, samples: Any
) -> None:
    program = scripted("1.32")
    stderr = (samples / f"{recording}.stderr").read_text()
    program.says({"argv": ["install"], "stderr": stderr, "exit": 1})
    check = list(installation(kube, program)[0].run())[-1]
    assert not check.ok
    assert cause in check.detail
    assert hint in check.hint


def test_who_may_not_look_at_istiod_goes_by_its_webhooks(meshed: Any) -> None:
    meshed.forbidden |= {"Deployment", "MutatingWebhookConfiguration"}
    checks = list(installation(meshed, None)[0].run())
    assert [check.ok for check in checks] == [True, True]
    meshed.injects = False
    assert [check.ok for check in installation(meshed, None)[0].run()] == [True, False]


def test_who_may_neither_look_nor_ask_is_not_told_that_all_is_well(meshed: Any) -> None:
    meshed.forbidden |= {"Deployment", "create"}
    *asked, last = installation(meshed, None)[0].run()
    assert [check.ok for check in asked] == [True, True]
    assert not last.ok
    assert "administrator" in last.hint


def test_who_may_not_look_at_istiod_cannot_force_another(meshed: Any) -> None:
    meshed.forbidden |= {"Deployment"}
    *_, last = installation(meshed, None, force=True)[0].run()
    assert not last.ok
    assert "--force" in last.detail


def test_a_download_that_fails_is_an_error_also_where_istio_is_there(meshed: Any) -> None:
    with pytest.raises(EnvironmentFailed):
        list(installation(meshed, None, download=Download())[0].run())


def verified(kube: Any) -> dict[str, Check]:
    (plane,) = controlplane.control_planes(kube) or ()
    return named(list(Verification(kube, plane).checks(timeout=0.01)))


def test_a_healthy_istio_passes_every_check(meshed: Any) -> None:
    assert all(check.ok for check in verified(meshed).values())


def _no_bundle(kube: Any) -> None:
    item = kube.objects["MutatingWebhookConfiguration", "", "istio"]
    item["webhooks"][0]["clientConfig"]["caBundle"] = ""


def _no_crd(kube: Any) -> None:
    del kube.objects["CustomResourceDefinition", "", "virtualservices.networking.istio.io"]


def _no_webhooks(kube: Any) -> None:
    del kube.objects["ValidatingWebhookConfiguration", "", "istio"]


def _scaled_to_zero(kube: Any) -> None:
    kube.objects["Deployment", "istio-system", "istiod"]["spec"]["replicas"] = 0


def _gateway_down(kube: Any) -> None:
    labels = {"istio": "ingressgateway"}
    metadata = {"name": "istio-ingressgateway", "namespace": "istio-system", "labels": labels}
    kube.put({"kind": "Deployment", "metadata": metadata, "spec": {"replicas": 1}, "status": {}})


@pytest.mark.parametrize(
    ("breaks", "name", "detail"),
    [
        (_scaled_to_zero, "istiod is rolled out", "0"),
        (_no_crd, "Istio's CRDs are established", "not so: virtualservices"),
        (_no_bundle, "the webhooks have a CA bundle", "hook"),
        (_no_webhooks, "the webhooks have a CA bundle", "missing: validation"),
        (_gateway_down, "the profile's gateways are available", "istio-ingressgateway"),
        (lambda k: setattr(k, "injects", False), "a pod that asks for a sidecar gets one", "no"),
        (lambda k: setattr(k, "validates", False), "a wrong rule is refused", "accepted"),
        (lambda k: setattr(k, "proxy", "r/proxyv2:1.9.0"), "the sidecar is as new as istiod", ""),
    ],
)
def test_each_fault_fails_the_check_that_is_named_after_it(
    breaks: Callable[[Any], None], name: str, detail: str, meshed: Any
) -> None:
    breaks(meshed)
    failed = [check for check in verified(meshed).values() if not check.ok]
    assert [check.name for check in failed] == [name]
    assert detail in failed[0].detail
    assert failed[0].hint


def test_a_check_waits_for_what_istiod_still_has_to_write() -> None:
    answers = iter([False, False, True])
    check = verification.settled(lambda: Check("it holds", ok=next(answers)), timeout=5)
    assert check.ok


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("docker.io/istio/pilot:1.30.3", "1.30.3"),
        ("host:5000/pilot:1.30.3-distroless", "1.30.3"),
        ("host:5000/pilot", ""),
        ("istio/pilot:1.9.0-debug@sha256:00", "1.9.0"),
        ("istio/pilot@sha256:00", ""),
    ],
)
def test_an_image_says_its_version(image: str, version: str) -> None:
    assert controlplane.image_version(image) == version


def plane(revision: str) -> controlplane.ControlPlane:
    return controlplane.ControlPlane("istiod", "istio-system", revision, "1.30.3", 1, 1, True)


def test_the_default_revision_is_chosen_or_the_only_one_or_the_named_one() -> None:
    a, b, default = plane("a"), plane("b"), plane("default")
    assert controlplane.choose([]) is None
    assert controlplane.choose([a]) == a
    assert controlplane.choose([a, default]) == default
    assert controlplane.choose([a, default], "a") == a
    assert controlplane.choose([a, default], "c") is None
    with pytest.raises(EnvironmentFailed, match="none is the default: a, b"):
        controlplane.choose([a, b])


def removal(kube: Any, program: Any) -> Removal:
    def ours(item: Any) -> bool:
        return bool(item["metadata"]["namespace"] == HERE)

    return Removal(kube, lambda _: opened(program), ours, Heard(), 1)


def recorded(revisions: str = "default", **noted: str) -> dict[str, Any]:
    """What we note in the cluster of an Istio that we installed."""
    noted = {"revisions": revisions, **noted}
    labels = {"meshdemo.dev/istio": "installed", "app.kubernetes.io/managed-by": "meshdemo"}
    metadata = {"name": controlplane.RECORD, "namespace": "istio-system", "labels": labels}
    return {"kind": "ConfigMap", "metadata": metadata, "data": noted}


def rule(namespace: str) -> dict[str, Any]:
    return {"kind": "VirtualService", "metadata": {"name": "theirs", "namespace": namespace}}


def pod(namespace: str, *, injected: bool = True) -> dict[str, Any]:
    annotations = {"sidecar.istio.io/status": "{}"} if injected else {}
    metadata = {"name": "web-1", "namespace": namespace, "annotations": annotations}
    return {"kind": "Pod", "metadata": metadata}


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
    labels = {"istio.io/config": "true"}
    certificate = {"name": "istio-ca-root-cert", "namespace": "shop", "labels": labels}
    meshed.put({"kind": "ConfigMap", "metadata": certificate})
    list(removal(meshed, program).run())
    (argv,) = [call["argv"] for call in program.calls if call["argv"][0] == "uninstall"]
    assert how in argv
    assert controlplane.record(meshed, "istio-system") is None
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

    def find(plane: ControlPlane | None) -> Istioctl:
        return opened(program, plane.revision if plane else "")

    down = replace(removal(meshed, program), find=find)
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
    space["metadata"] |= {"labels": controlplane.labels(), "uid": "u1"}
    # The scripted istioctl removes nothing.
    for kind, place, name in list(kube.objects):
        if kind == "Deployment" or "Webhook" in kind or "CRD" in kind or "Definition" in kind:
            del kube.objects[kind, place, name]
    return named(list(removal(kube, program).run()))


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
