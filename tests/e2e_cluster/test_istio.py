"""Istio itself: installed, verified, used as it is, refused to others' harm, removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.paths import MANIFESTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Cluster = Any

SYSTEM = "istio-system"

pytestmark = [pytest.mark.alone, pytest.mark.timeout(400)]


def failed(ended: Any) -> dict[str, Any]:
    return {c["name"]: c for c in ended.json["checks"] if not c["ok"]}


@pytest.fixture
def scaled_to_zero(meshed: Cluster) -> Iterator[Cluster]:
    scale = ("-n", SYSTEM, "scale", "deployment/istiod")
    meshed.kubectl(*scale, "--replicas=0")
    meshed.kubectl("-n", SYSTEM, "wait", "--for=delete", "pod", "-l", "app=istiod", "--timeout=60s")
    yield meshed
    meshed.kubectl(*scale, "--replicas=1")
    meshed.kubectl("-n", SYSTEM, "rollout", "status", "deployment/istiod", "--timeout=60s")


def test_down_all_leaves_the_cluster_as_it_was_before_install(bare: Cluster) -> None:
    before = bare.everything()
    ended = bare.install("-o", "json")
    assert not failed(ended)
    names = [check["name"] for check in ended.json["checks"]]
    assert "istioctl install succeeds" in names
    assert "istiod answers its version" in names
    assert "✔ Istiod installed" in ended.err
    bare.meshdemo("down", "--all")
    assert bare.everything() == before


def test_without_istio_it_is_said_at_once(bare: Cluster) -> None:
    ended = bare.meshdemo("inject", "-f", str(MANIFESTS / "app-istio.yaml"), code=3)
    assert "no istiod is there" in ended.err
    assert "meshdemo install" in ended.err


def test_an_install_that_failed_says_why_and_the_next_one_mends_it(bare: Cluster) -> None:
    ended = bare.install("--set", "tag=nosuch", "--timeout", "15s", "-o", "json", code=3)
    check = failed(ended)["istioctl install succeeds"]
    assert "pilot:nosuch: not found" in check["detail"]
    assert "--istio-set hub=" in check["hint"]
    doctor = bare.meshdemo("doctor", "-o", "json", code=3)
    assert "pilot:nosuch" in failed(doctor)["istiod is rolled out"]["hint"]
    bare.install()


def test_a_revision_that_was_taken_is_kept_by_a_plain_up(bare: Cluster, namespace: str) -> None:
    def revisions() -> set[str]:
        path = "jsonpath={range .items[*]}{.metadata.annotations.istio\\.io/rev} {end}"
        pods = ("get", "pods", "-n", namespace, "--field-selector=status.phase=Running")
        return set(bare.kubectl(*pods, "-o", path).split())

    bare.install()
    bare.install("--revision", "canary", "--force")
    for injection in ("kube-inject", "auto"):
        argv = ("up", "-n", namespace, "--injection", injection)
        bare.meshdemo(*argv, "--revision", "canary", "--no-verify")
        assert revisions() == {"canary"}
        verdict = bare.meshdemo(*argv, "-o", "json").json["verdict"]
        assert (verdict, revisions()) == ("met", {"canary"})
        bare.meshdemo("down", "-n", namespace)
    bare.meshdemo("down", "--all", "-n", namespace)
    bare.install()


def test_an_istio_that_is_there_is_used_as_it_is(meshed: Cluster) -> None:
    version = meshed.kubectl("-n", SYSTEM, "get", "deployment", "istiod", "-o", "yaml")
    ended = meshed.meshdemo("install", "--profile", "demo", "-o", "json")
    assert ended.json["checks"][-1]["detail"].endswith("used as it is")
    after = meshed.kubectl("-n", SYSTEM, "get", "deployment", "istiod", "-o", "yaml")
    assert after == version


def test_another_revision_is_explained(meshed: Cluster) -> None:
    ended = meshed.meshdemo("install", "--revision", "canary", code=3)
    assert "revision default" in ended.err


def test_every_prerequisite_is_there(meshed: Cluster) -> None:
    assert not failed(meshed.meshdemo("doctor", "-o", "json"))


def test_an_istio_that_somebody_else_uses_is_not_removed(meshed: Cluster, namespace: str) -> None:
    meshed.kubectl("create", "namespace", namespace)
    rule = MANIFESTS / "app-destinationrule.yaml"
    meshed.kubectl("-n", namespace, "apply", "-f", str(rule))
    ended = meshed.meshdemo("down", "--all", code=3)
    assert f"{namespace}: DestinationRule app" in ended.err
    assert meshed.kubectl("-n", namespace, "get", "destinationrules", "-o", "name")


def test_kube_inject_fails_at_once_while_no_istiod_answers(scaled_to_zero: Cluster) -> None:
    ended = scaled_to_zero.meshdemo("inject", "-f", str(MANIFESTS / "app-istio.yaml"), code=3)
    assert "no istiod answers" in ended.err
    assert "--replicas=1" in ended.err
    assert not ended.out


def test_a_webhook_that_no_istiod_answers_is_named_at_once(
    scaled_to_zero: Cluster, namespace: str
) -> None:
    doctor = scaled_to_zero.meshdemo("doctor", "-n", namespace, "-o", "json", code=3)
    assert "--replicas=1" in failed(doctor)["istiod is rolled out"]["hint"]
    scaled_to_zero.meshdemo("deploy", "-n", namespace, "--injection", "none")
    deploy = scaled_to_zero.meshdemo("deploy", "-n", namespace, "--injection", "auto", code=3)
    assert "no pod can be created" in deploy.err
    for ended in (
        deploy,
        scaled_to_zero.meshdemo("route", "v2", "-n", namespace, code=3),
        scaled_to_zero.meshdemo("up", "-n", namespace, code=3),
    ):
        assert "failed calling webhook" in ended.err
        assert 'no endpoints available for service "istiod"' in ended.err
        assert "meshdemo doctor" in ended.err


def test_a_webhook_configuration_that_is_gone_is_named_and_made_again_by_force(
    meshed: Cluster, namespace: str
) -> None:
    hooks = ("mutatingwebhookconfiguration", "-l", "app=sidecar-injector")
    meshed.kubectl("delete", *hooks)
    try:
        for ended in (
            meshed.meshdemo("up", "-n", namespace, code=3),
            meshed.meshdemo("install", code=3),
        ):
            said = ended.out + ended.err
            assert "the webhooks have a CA bundle" in said
            assert "missing: injection" in said
            assert "install --context" in said
            assert "--force" in said
    finally:
        meshed.install("--force")
    assert meshed.kubectl("get", *hooks, "-o", "name")


def test_sidecars_that_reject_what_istiod_sends_are_named(meshed: Cluster, namespace: str) -> None:
    if not meshed.overlay:
        pytest.skip("sidecars need no settings of their own there")
    meshed.meshdemo("install", "--force", "--profile", "minimal")
    try:
        ended = meshed.meshdemo("up", "-n", namespace, "--timeout", "100s", code=3)
    finally:
        meshed.install("--force")
    assert "its sidecar does not get ready: Envoy rejects what istiod sends: " in ended.err
    assert "Didn't find a registered implementation for 'istio." in ended.err
    assert "istiod's configuration does not fit this proxy image" in ended.err
    assert "meshdemo logs" in ended.err
    assert "-c istio-proxy" in ended.err


def test_without_istioctl_the_command_to_type_is_said(meshed: Cluster) -> None:
    ended = meshed.meshdemo(
        "inject", "--istioctl", "/nowhere", "-f", str(MANIFESTS / "app-istio.yaml"), code=3
    )
    assert f"meshdemo install --context {meshed.context} --download-istioctl" in ended.err


def test_injected_manifests_can_be_applied_by_kubectl(meshed: Cluster, namespace: str) -> None:
    meshed.kubectl("create", "namespace", namespace)
    files = " ".join(f"-f {MANIFESTS / name}" for name in ("app-istio.yaml", "test-client.yaml"))
    flags = f"--context {meshed.context}"
    done = meshed.sh(f"meshdemo inject {flags} {files} | kubectl {flags} -n {namespace} apply -f -")
    assert done.code == 0, done.err
    for name in ("app-v1", "app-v2", "testclient"):
        meshed.kubectl("-n", namespace, "rollout", "status", f"deployment/{name}", "--timeout=90s")
    ready = meshed.kubectl("-n", namespace, "get", "pods", "--no-headers").split()
    assert ready.count("2/2") == 3


def test_the_printed_script_does_the_same_by_hand(
    meshed: Cluster, namespace: str, tmp_path: Path
) -> None:
    script = meshed.meshdemo("up", "-n", namespace, "--dry-run", "--requests", "50").out
    (tmp_path / "up.sh").write_text(script)
    done = meshed.sh("sh up.sh", cwd=tmp_path)
    assert done.code == 0, f"{script}\n{done.err}"
    assert "50 v2" in done.out.splitlines()[-1]
    verdict = meshed.meshdemo("verify", "-n", namespace, "--expect", "v2=100%", "-o", "json")
    assert verdict.json["verdict"] == "met"
    pods = meshed.meshdemo("status", "-n", namespace, "-o", "json").json["pods"]
    assert {pod["ready"] for pod in pods} == {"2/2"}
