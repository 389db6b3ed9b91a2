"""Pods that are not ready: why, and what helps, is said soon; only what is in vain ends early."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Cluster = Any

pytestmark = [pytest.mark.timeout(400), pytest.mark.usefixtures("istio")]

EARLY = 60.0
"""Seconds; --timeout allows 300."""
SOON = 15.0
"""Seconds for what is known without waiting, on a busy machine."""
IMAGE = "dustise/flaskapp"


def refused(cluster: Cluster, *argv: str) -> str:
    """Give what is said about a deploy that ends early, as a prerequisite that is missing."""
    began = time.monotonic()
    said: str = cluster.meshdemo(*argv, code=3).err
    assert time.monotonic() - began < EARLY
    return said


def deployment(folder: Path, pod: dict[str, Any], **container: Any) -> str:
    """Write a Deployment of one pod, which has this besides its image."""
    labels = {"app": "faulty"}
    containers = [{"name": "faulty", "image": IMAGE, **container}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers, **pod}}
    data = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "faulty"},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }
    file = folder / "faulty.yaml"
    file.write_text(json.dumps(data))
    return str(file)


def test_an_image_that_is_nowhere_is_named_and_the_right_one_mends_it(
    cluster: Cluster, namespace: str
) -> None:
    for image in ("nosuch/image:1", f"{IMAGE}:nosuch"):
        said = refused(cluster, "deploy", "-n", namespace, "--image", f"app={image}")
        assert f"the image {image} cannot be pulled: " in said
        assert f"docker.io/{image}: not found" in said
        assert "--image and --image-registry" in said
    cluster.meshdemo("deploy", "-n", namespace)
    cluster.meshdemo("down", "-n", namespace)
    assert not cluster.kubectl("get", "namespace", namespace, "--ignore-not-found")


def test_an_image_of_the_local_engine_is_refused_before_anything_is_touched(
    cluster: Cluster, namespace: str
) -> None:
    ended = cluster.meshdemo("deploy", "-n", namespace, "--image", "app=meshdemo/echo:1", code=2)
    assert "the image meshdemo/echo:1 exists only in the local engine" in ended.err
    assert "--image NAME=IMAGE" in ended.err
    assert not cluster.kubectl("get", "namespace", namespace, "--ignore-not-found")


def test_a_container_that_ends_at_once_is_given_up_with_its_last_lines(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    script = ["sh", "-c", "echo it has no licence; exit 9"]
    file = deployment(tmp_path, {}, command=script)
    said = refused(cluster, "deploy", "-n", namespace, "-f", file)
    assert f"pod {namespace}/faulty-" in said
    assert "faulty ends each time it is started, last with status 9" in said
    assert "    it has no licence" in said
    assert "Correct it and apply it again" in said


SSD = "meshdemo.dev/ssd"


@pytest.fixture
def no_node_yet(cluster: Cluster) -> Iterator[Callable[[], None]]:
    """Give what makes a node of the cluster like the one that a pod wants."""
    node = cluster.kubectl("get", "nodes", "-o", "name").split()[0]

    yield lambda: cluster.kubectl("label", node, f"{SSD}=yes")
    cluster.kubectl("label", node, f"{SSD}-")


def test_a_pod_that_no_node_takes_is_waited_for_and_told_meanwhile(
    cluster: Cluster, namespace: str, tmp_path: Path, no_node_yet: Callable[[], None]
) -> None:
    file = deployment(tmp_path, {"nodeSelector": {SSD: "yes"}})
    late = cluster.meshdemo("deploy", "-n", namespace, "-f", file, "--timeout", "15s", code=4)
    for said in (late.err.partition("error:")[0], late.err.partition("error:")[2]):
        assert "node affinity/selector" in said
        assert "kubectl describe nodes" in said
    again = cluster.start("deploy", "-n", namespace, "-f", file)
    try:
        assert again.stderr
        for line in again.stderr:
            if "warning: pod" in line:
                break
        no_node_yet()
        out, err = again.communicate(timeout=120)
        assert again.returncode == 0, f"{out}\n{err}"
    finally:
        again.kill()
        again.communicate()


def test_an_app_that_takes_longer_than_half_a_minute_to_answer_is_waited_for(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    text = cluster.sh("meshdemo manifests . && cat app-istio.yaml", cwd=tmp_path).out
    slow = 'command: ["sh", "-c", "sleep 40; cd /; exec python3 -m http.server 80"]'
    file = tmp_path / "slow.yaml"
    app = text[text.index("---") :]
    file.write_text(app.replace(f"- image: {IMAGE}", f"- image: {IMAGE}\n          {slow}"))
    client = str(tmp_path / "test-client.yaml")
    done = cluster.meshdemo("up", "-n", namespace, "--no-verify", "-f", str(file), "-f", client)
    assert "the pods are ready, and nothing answers; waiting" in done.err
    assert "targetPort" in done.err


@pytest.mark.parametrize(
    ("limit", "code", "causes"),
    [
        ("count/deployments.apps=0", 3, ("Deployment", "was not taken: ")),
        ("pods=0", 4, ("Deployment", "no pod can be created: ")),
    ],
)
def test_a_quota_that_is_used_up_is_named(
    limit: str, code: int, causes: tuple[str, ...], cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    cluster.kubectl("create", "namespace", namespace)
    cluster.kubectl("create", "quota", "narrow", f"--hard={limit}", "-n", namespace)
    argv = ("deploy", "-n", namespace, "-f", deployment(tmp_path, {}), "--timeout", "15s")
    said = cluster.meshdemo(*argv, code=code).err
    for cause in (*causes, "exceeded quota: narrow", "kubectl describe quota"):
        assert cause in said


def test_pod_security_that_refuses_a_sidecar_is_named(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("create", "namespace", namespace)
    label = "pod-security.kubernetes.io/enforce=restricted"
    cluster.kubectl("label", "namespace", namespace, label)
    said = refused(cluster, "deploy", "-n", namespace, "--injection", "kube-inject")
    assert "no pod can be created" in said
    assert 'violates PodSecurity "restricted:latest"' in said
    assert "NET_ADMIN" in said.partition("violates")[2]
    assert "-n, or install Istio's CNI" in said


def test_a_namespace_that_is_labelled_for_injection_gives_sidecars_unless_told_otherwise(
    cluster: Cluster, namespace: str
) -> None:
    cluster.kubectl("create", "namespace", namespace)
    cluster.kubectl("label", "namespace", namespace, "istio-injection=enabled")
    cluster.meshdemo("deploy", "-n", namespace, "--injection", "none")
    assert ready(cluster, namespace) == ["1/1"] * 3
    ended = cluster.meshdemo("up", "-n", namespace, "--injection", "auto", "-o", "json")
    assert ended.json["verdict"] == "met"
    assert ready(cluster, namespace) == ["2/2"] * 3


@pytest.mark.parametrize("label", ["istio-injection=disabled", "istio.io/rev=nosuch"])
def test_a_namespace_that_keeps_the_webhook_away_stops_only_injection_by_it(
    cluster: Cluster, namespace: str, label: str
) -> None:
    cluster.kubectl("create", "namespace", namespace)
    cluster.kubectl("label", "namespace", namespace, label)
    began = time.monotonic()
    said = cluster.meshdemo("up", "-n", namespace, "--injection", "auto", code=3).err
    assert time.monotonic() - began < SOON
    assert f"namespace {namespace} is labelled {label}" in said
    assert f"kubectl label namespace {namespace} {label.partition('=')[0]}-" in said
    assert "firewall" not in said
    assert not cluster.kubectl("get", "deployments", "-n", namespace, "-o", "name")
    doctor = cluster.meshdemo("doctor", "-n", namespace)
    assert f"not in namespace {namespace}: it is labelled {label}" in doctor.out
    done = cluster.meshdemo("up", "-n", namespace, "-o", "json")
    assert done.json["verdict"] == "met"


def test_a_namespace_that_is_labelled_with_a_revision_gives_sidecars_by_itself(
    cluster: Cluster, namespace: str
) -> None:
    cluster.kubectl("create", "namespace", namespace)
    cluster.kubectl("label", "namespace", namespace, "istio.io/rev=default")
    cluster.meshdemo("deploy", "-n", namespace)
    assert ready(cluster, namespace) == ["2/2"] * 3


def ready(cluster: Cluster, namespace: str) -> list[str]:
    pods = cluster.meshdemo("status", "-n", namespace, "-o", "json").json["pods"]
    return [pod["ready"] for pod in pods]


STUCK = """
apiVersion: v1
kind: ConfigMap
metadata: {name: stuck, finalizers: [meshdemo.dev/test]}
"""


def test_a_namespace_that_is_on_its_way_out_is_named(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    (tmp_path / "stuck.yaml").write_text(STUCK)
    cluster.kubectl("create", "namespace", namespace)
    cluster.kubectl("create", "-n", namespace, "-f", str(tmp_path / "stuck.yaml"))
    cluster.kubectl("delete", "namespace", namespace, "--wait=false")
    try:
        for argv in (("up",), ("deploy",), ("route", "v1"), ("verify",), ("status",)):
            ended = cluster.meshdemo(*argv, "-n", namespace, code=3)
            assert f"namespace {namespace} is being deleted" in ended.out + ended.err
    finally:
        free = ("patch", "configmap/stuck", "-n", namespace, "--type=merge", "--patch")
        cluster.kubectl(*free, '{"metadata": {"finalizers": []}}')
    missing = cluster.meshdemo("status", "-n", "e2e-nobody-has-this", code=3)
    assert "there is no namespace e2e-nobody-has-this" in missing.out


def test_a_client_that_kubectl_has_just_created_is_said_to_be_in_the_making(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    slow = {"initContainers": [{"name": "slow", "image": IMAGE, "command": ["sleep", "60"]}]}
    file = Path(deployment(tmp_path, slow))
    file.write_text(file.read_text().replace("faulty", "testclient"))
    cluster.kubectl("create", "namespace", namespace)
    cluster.kubectl("apply", "-n", namespace, "-f", str(file))
    cluster.kubectl("wait", "-n", namespace, "--for=create", "pod", "-l", "app=testclient")
    prove = ("verify", "-n", namespace, "--url", "http://app/", "--expect", "v1=100%")
    execute = ("exec", "-n", namespace, "--context", cluster.context, "--", "true")
    for argv in (prove, execute):
        ended = cluster.meshdemo(*argv, code=3)
        assert "is being created" in ended.err
        assert "sh and curl" not in ended.err


def test_a_down_that_only_ran_out_of_time_is_inconclusive(
    deployed: Cluster, namespace: str
) -> None:
    ended = deployed.meshdemo("down", "-n", namespace, "--timeout", "1s", code=4)
    assert "--timeout" in ended.out + ended.err
    deployed.meshdemo("down", "-n", namespace)
