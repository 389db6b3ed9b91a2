"""The user's own workloads of every kind: injected, waited for, shown and removed."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.paths import MANIFESTS

if TYPE_CHECKING:
    from pathlib import Path

Cluster = Any

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("istio")]

IMAGE = "zze326/test-tools"
FOREVER: dict[str, Any] = {
    "containers": [{"name": "main", "image": IMAGE, "command": ["sleep", "9999"]}]
}
ONCE: dict[str, Any] = {
    "restartPolicy": "Never",
    "containers": [{"name": "main", "image": IMAGE, "command": ["true"]}],
}


def workload(kind: str, version: str, pods: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """Give a workload that has the name of its kind."""
    name = kind.lower()
    template = {"metadata": {"labels": {"app": name}}, "spec": pods}
    spec = {"template": template, **spec}
    spec = {"jobTemplate": {"spec": spec}, "schedule": "0 0 1 1 *"} if kind == "CronJob" else spec
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec}


def selector(name: str) -> dict[str, Any]:
    return {"selector": {"matchLabels": {"app": name}}}


KINDS: tuple[dict[str, Any], ...] = (
    workload("StatefulSet", "apps/v1", FOREVER, serviceName="none", **selector("statefulset")),
    workload("DaemonSet", "apps/v1", FOREVER, **selector("daemonset")),
    workload("ReplicaSet", "apps/v1", FOREVER, **selector("replicaset")),
    workload("ReplicationController", "v1", FOREVER, selector={"app": "replicationcontroller"}),
    workload("Job", "batch/v1", ONCE),
    workload("CronJob", "batch/v1", ONCE),
    {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": FOREVER},
)


def write(folder: Path, *objects: dict[str, Any]) -> str:
    file = folder / "objects.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    return str(file)


def test_workloads_of_every_kind_are_injected_waited_for_shown_and_removed(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    role: dict[str, Any] = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
                            "metadata": {"name": namespace}, "rules": []}  # fmt: skip
    file = write(tmp_path, *KINDS, role)
    cluster.meshdemo("up", "-n", namespace, "-f", file, "--no-verify")
    complete = ("wait", "--for=condition=complete", "job/job", "--timeout=60s")
    cluster.kubectl("-n", namespace, *complete)
    pods = cluster.meshdemo("status", "-n", namespace, "-o", "json").json["pods"]
    shown = {pod["workload"] or pod["name"]: pod for pod in pods}
    named = {each["metadata"]["name"] for each in KINDS} - {"cronjob"}
    assert shown.keys() == named | {"testclient"}  # which joins them
    assert all(pod["injected"] for pod in pods)
    assert {pod["ready"] for name, pod in shown.items() if name != "job"} == {"2/2"}
    cron = cluster.kubectl("-n", namespace, "get", "cronjob", "cronjob", "-o", "yaml")
    assert "name: istio-proxy" in cron
    again = cluster.meshdemo("up", "-n", namespace, "-f", file, "--no-verify", "-o", "json").json
    assert {change["action"] for change in again["changes"]} == {"unchanged"}
    checks = cluster.meshdemo("down", "-n", namespace, "-o", "json").json["checks"]
    assert all(check["ok"] for check in checks)
    assert f"cluster-wide: ClusterRole {namespace}" in str(checks)
    assert not cluster.kubectl("get", "pods", "-n", namespace, "-o", "name")
    assert not cluster.kubectl("get", "clusterrole", namespace, "--ignore-not-found")


def test_what_the_articles_own_commands_made_can_be_adopted_and_real_conflicts_cannot(
    cluster: Cluster, namespace: str
) -> None:
    cluster.kubectl("create", "namespace", namespace)
    flags, client = f"--context {cluster.context}", str(MANIFESTS / "test-client.yaml")
    made = cluster.sh(
        f"istioctl {flags} kube-inject -f {client} | kubectl {flags} -n {namespace} apply -f -"
    )
    assert made.code == 0, made.err
    deploy = ("deploy", "-n", namespace, "-f", client, "--adopt", "--injection", "kube-inject")
    cluster.meshdemo(*deploy)
    image = ("set", "image", "deployment/testclient", "*=pause")
    cluster.kubectl("-n", namespace, *image)
    ended = cluster.meshdemo(*deploy, code=3)
    assert ": set by kubectl-set (" in ended.err
    assert "fieldRef" not in ended.err
    assert "--force-conflicts" in ended.err
    cluster.meshdemo("down", "-n", namespace)


def test_a_pod_that_says_how_long_it_needs_to_end_has_that_time(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    cluster.kubectl("create", "namespace", namespace)
    slow = {**FOREVER, "terminationGracePeriodSeconds": 6}
    file = write(tmp_path, workload("Deployment", "apps/v1", slow, **selector("deployment")))
    cluster.meshdemo("deploy", "-n", namespace, "-f", file)
    began = time.monotonic()
    cluster.meshdemo("down", "-n", namespace)
    assert time.monotonic() - began > 6
