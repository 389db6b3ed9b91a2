"""When each kind of workload has what it wants."""

from __future__ import annotations

from typing import Any

import pytest

from meshdemo.engines.cluster.pods import rollout
from meshdemo.objects.model import WORKLOAD_KINDS

POD: dict[str, Any] = {"kind": "Pod", "metadata": {"name": "a", "namespace": "shop"}, "spec": {}}
TWO = {"replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}
NODES = {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 2}


def workload(kind: str, status: dict[str, Any], **spec: Any) -> dict[str, Any]:
    seen = {"observedGeneration": 3, **status}
    return {"kind": kind, "metadata": {"generation": 3}, "spec": spec, "status": seen}


def pod(**state: Any) -> dict[str, Any]:
    spec = {"containers": [{"name": "app"}]}
    statuses = [{"name": "app", "state": state, "ready": "running" in state}]
    return {**POD, "spec": spec, "status": {"phase": "Running", "containerStatuses": statuses}}


@pytest.mark.parametrize(
    ("live", "done"),
    [
        (workload("Deployment", TWO, replicas=2), True),
        (workload("Deployment", {**TWO, "updatedReplicas": 1}, replicas=2), False),
        (workload("Deployment", {**TWO, "observedGeneration": 2}, replicas=2), False),
        (workload("StatefulSet", TWO, replicas=2), True),
        (workload("StatefulSet", {**TWO, "readyReplicas": 1}, replicas=2), False),
        (workload("StatefulSet", {**TWO, "updatedReplicas": 1}, replicas=2), False),
        (workload("StatefulSet", {**TWO, "updatedReplicas": 1}, replicas=2,
                  updateStrategy={"rollingUpdate": {"partition": 1}}), True),
        (workload("StatefulSet", {**TWO, "updatedReplicas": 0}, replicas=2,
                  updateStrategy={"type": "OnDelete"}), True),
        (workload("StatefulSet", {}, replicas=0), True),
        (workload("DaemonSet", NODES), True),
        (workload("DaemonSet", {**NODES, "updatedNumberScheduled": 1}), False),
        (workload("DaemonSet", {**NODES, "numberAvailable": 1}), False),
        (workload("DaemonSet", {"desiredNumberScheduled": 0}), True),
        (workload("ReplicaSet", TWO, replicas=2), True),
        (workload("ReplicationController", {**TWO, "availableReplicas": 1}, replicas=2), False),
    ],
)  # fmt: skip
def test_a_workload_is_done_when_its_newest_pods_are_there(
    live: dict[str, Any], *, done: bool
) -> None:
    assert rollout.is_done(live, [POD, POD]) is done


@pytest.mark.parametrize(
    ("job", "pods", "done"),
    [
        (workload("Job", {}), [], False),
        (workload("Job", {}), [pod(running={})], True),
        (workload("Job", {}), [pod(terminated={"exitCode": 0})], True),
        (workload("Job", {"failed": 1}), [pod(terminated={"exitCode": 1})], False),
        (workload("Job", {}), [pod(waiting={"reason": "ContainerCreating"})], False),
        (workload("Job", {"succeeded": 1}), [], True),
        (workload("Job", {}, suspend=True), [], True),
    ],
    ids=["no pod", "runs", "has ended", "has failed", "starts", "succeeded", "suspended"],
)
def test_a_job_is_waited_for_until_its_work_has_begun(
    job: dict[str, Any], pods: list[dict[str, Any]], *, done: bool
) -> None:
    assert rollout.is_done(job, pods) is done


def test_a_bare_pod_is_done_when_it_is_ready_or_its_work_is_over() -> None:
    assert rollout.is_done(pod(running={}), [])
    assert not rollout.is_done(pod(waiting={}), [])
    over = pod(terminated={"exitCode": 0})
    over["status"]["phase"] = "Succeeded"
    assert rollout.is_done(over, [])


def test_every_kind_that_makes_pods_is_waited_for_but_the_one_that_makes_them_later() -> None:
    assert {"CronJob"} == WORKLOAD_KINDS - rollout.AWAITED
