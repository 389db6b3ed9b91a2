from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from meshdemo.engines.cluster.istio import control_plane, istioctl, verification
from meshdemo.engines.cluster.istio.install import Installation
from meshdemo.engines.cluster.istio.istioctl import Istioctl
from meshdemo.engines.cluster.istio.verification import Verification
from meshdemo.engines.options import Download, MeshOptions
from meshdemo.engines.results import Check
from meshdemo.errors import EnvironmentFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    Make = Callable[..., Any]


def opened(program: Any, revision: str = "") -> Istioctl:
    found = istioctl.probe(program.path, "test")
    return Istioctl(found, revision=revision or istioctl.DEFAULT_REVISION)


class Heard(list[str]):
    """What an engine tells."""

    def __call__(self, text: str, *, lasting: bool = False, always: bool = False) -> None:
        self.append(text if lasting or always else f"({text})")


def recorded(revisions: str = "default", **noted: str) -> dict[str, Any]:
    """What we note in the cluster of an Istio that we installed."""
    noted = {"revisions": revisions, **noted}
    labels = {"meshdemo.dev/istio": "installed", "app.kubernetes.io/managed-by": "meshdemo"}
    metadata = {"name": control_plane.RECORD, "namespace": "istio-system", "labels": labels}
    return {"kind": "ConfigMap", "metadata": metadata, "data": noted}


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
    assert control_plane.record(meshed, "istio-system") is None


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
    assert control_plane.record(kube, "istio-system") == {
        "revisions": "default",
        "unfinished": "default",
        "crdsBefore": "no",
    }
    labels = kube.objects["Namespace", "", "istio-system"]["metadata"]["labels"]
    assert labels["meshdemo.dev/istio"] == "installed"
    assert "meshdemo.dev/run" not in labels  # a run may be in a namespace of any name


def test_an_istio_of_somebody_else_is_not_ours_by_force(meshed: Any, scripted: Make) -> None:
    list(installation(meshed, scripted("1.32"), force=True)[0].run())
    assert control_plane.record(meshed, "istio-system") is None


def test_a_second_revision_is_noted_beside_the_first(meshed: Any, scripted: Make) -> None:
    meshed.put(recorded(crdsBefore="no"))
    list(installation(meshed, scripted("1.32"), force=True, revision="canary")[0].run())
    noted = control_plane.record(meshed, "istio-system")
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
    assert control_plane.record(meshed, "istio-system") == {
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
    (plane,) = control_plane.control_planes(kube) or ()
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
    check = verification.settled(lambda: Check("it holds", ok=next(answers)), timeout=60)
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
    assert control_plane.image_version(image) == version


def plane(revision: str) -> control_plane.ControlPlane:
    return control_plane.ControlPlane("istiod", "istio-system", revision, "1.30.3", 1, 1, True)


def test_the_default_revision_is_chosen_or_the_only_one_or_the_named_one() -> None:
    a, b, default = plane("a"), plane("b"), plane("default")
    assert control_plane.choose([]) is None
    assert control_plane.choose([a]) == a
    assert control_plane.choose([a, default]) == default
    assert control_plane.choose([a, default], "a") == a
    assert control_plane.choose([a, default], "c") is None
    with pytest.raises(EnvironmentFailed, match="none is the default: a, b"):
        control_plane.choose([a, b])


@pytest.mark.parametrize("label", [{"istio-injection": "disabled"}, {"istio.io/rev": "old"}])
def test_a_namespace_that_wants_no_sidecars_is_not_istios_fault(
    meshed: Any, label: dict[str, str]
) -> None:
    meshed.put({"kind": "Namespace", "metadata": {"name": "shop", "labels": label}})
    checks = Verification(meshed, control_plane.assumed(), namespace="shop").checks(0)
    (check,) = [check for check in checks if check.name.startswith("a pod that asks")]
    assert check.ok
    assert "docker.io/istio/proxyv2:1.32.0; not in namespace shop: it is labelled" in check.detail


def test_a_webhook_configuration_that_is_missing_is_named_at_once(meshed: Any) -> None:
    del meshed.objects["MutatingWebhookConfiguration", "", "istio"]
    checks = Verification(meshed, control_plane.assumed()).checks(60)
    check = next(check for check in checks if not check.ok)
    assert (check.name, check.detail) == ("the webhooks have a CA bundle", "missing: injection")
    assert "install --force" in check.hint
