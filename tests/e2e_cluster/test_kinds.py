"""The user's own workloads of every kind: injected, waited for, shown and removed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    Cluster = Any

pytestmark = pytest.mark.timeout(300)

IMAGE = "zze326/test-tools"
FOREVER: dict[str, Any] = {
    "containers": [{"name": "main", "image": IMAGE, "command": ["sleep", "9999"]}]
}
ONCE: dict[str, Any] = {
    "restartPolicy": "Never",
    "containers": [{"name": "main", "image": IMAGE, "command": ["true"]}],
}


@pytest.fixture(autouse=True)
def _istio(cluster: Cluster) -> None:
    """Have an Istio; one that is there is used."""
    there = cluster.kubectl("get", "deployments", "-A", "-l", "app=istiod", "-o", "name")
    if not there:
        cluster.install()


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
    file = write(tmp_path, *KINDS)
    cluster.meshdemo("up", "-n", namespace, "-f", file, "--no-verify")
    pods = cluster.meshdemo("status", "-n", namespace, "-o", "json").json["pods"]
    shown = {pod["workload"] or pod["name"]: pod for pod in pods}
    assert shown.keys() == {each["metadata"]["name"] for each in KINDS} - {"cronjob"}
    assert all(pod["injected"] for pod in pods)
    assert {pod["ready"] for name, pod in shown.items() if name != "job"} == {"2/2"}
    cron = cluster.kubectl("-n", namespace, "get", "cronjob", "cronjob", "-o", "yaml")
    assert "name: istio-proxy" in cron
    again = cluster.meshdemo("up", "-n", namespace, "-f", file, "--no-verify", "-o", "json").json
    assert {change["action"] for change in again["changes"]} == {"unchanged"}
    ended = cluster.meshdemo("down", "-n", namespace, "-o", "json").json
    assert all(check["ok"] for check in ended["checks"])
    left = cluster.kubectl("get", "pods", "-n", namespace, "-o", "name")
    assert not left
