"""While pods are waited for: what may get better is a warning, what cannot ends the wait."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tests.objects import made, manifest

from meshdemo.engines.cluster.istio import control_plane
from meshdemo.engines.cluster.pods.readiness import WorkloadReadiness
from meshdemo.errors import EnvironmentFailed, TimedOut

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.engines.cluster.conftest import FakeKube

LONG = 3.0
"""Seconds: longer than a cause has to last."""
ABORTED = (
    (
        "2026-11-29T12:44:22.9Z\tcritical\tenvoy assert external/envoy/source/common/filesystem/"
        "inotify/watcher_impl.cc:25\tassert failure: inotify_fd_ >= 0. Details: Consider "
        "increasing value of fs.inotify.max_user_watches and/or fs.inotify.max_user_instances "
        "via sysctl"
    ),
    "2026-11-29T12:44:22.9Z\terror\tEnvoy exited with error: signal: aborted",
)
"""What the log of a sidecar says then, without the stack."""
PATIENCE = 60.0
"""Seconds in which what is to end by itself has ended, on whatever machine."""


def cluster(kube: FakeKube, **pod: Any) -> FakeKube:
    """Give a cluster with a Deployment of one pod."""
    owner = {"kind": "ReplicaSet", "name": "app-1"}
    about = {"ownerReferences": [owner], "labels": {"pod-template-hash": "1"}}
    containers = [{"name": "app", "image": "app:1"}]
    there = manifest("Pod", "app-1-x", metadata=about, containers=containers)
    return kube.put(manifest("Deployment", replicas=1), {**there, "status": pod})


def unplaced(kube: FakeKube) -> FakeKube:
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/1 nodes",
        "lastTransitionTime": (kube.time - timedelta(minutes=1)).isoformat(),
    }
    return cluster(kube, phase="Pending", conditions=[condition])


def pulling(kube: FakeKube, reason: str) -> FakeKube:
    state = {"waiting": {"reason": reason, "message": "app:1"}}
    states = [{"name": "app", "state": state, "ready": False}]
    return cluster(kube, phase="Pending", containerStatuses=states)


def refused(kube: FakeKube) -> FakeKube:
    """Give a cluster whose webhook for pods has nobody to answer it."""
    failure = {
        "type": "ReplicaFailure",
        "status": "True",
        "message": "failed calling webhook istio",
    }
    deployment = manifest("Deployment", replicas=1)
    return kube.put({**deployment, "status": {"conditions": [failure]}})


def running(kube: FakeKube, **state: Any) -> FakeKube:
    """Give a cluster whose pod was just started, and is ready."""
    run = {"running": {"startedAt": kube.time.isoformat()}}
    states = [{"name": "app", "state": run, "ready": True, "started": True, **state}]
    ready = [{"type": "Ready", "status": "True"}]
    found = cluster(kube, phase="Running", conditions=ready, containerStatuses=states)
    deployment = found.objects["Deployment", "shop", "app"]
    numbers = ("replicas", "updatedReplicas", "availableReplicas")
    deployment["status"] = dict.fromkeys(numbers, 1)
    return found


class Ending:
    """A cluster whose pod ends again and again, and was ready whenever one looked at first."""

    def __init__(self, kube: FakeKube) -> None:
        self.kube, self.looks = kube, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.kube, name)

    def list(self, version: str, kind: str, namespace: str = "") -> list[dict[str, Any]]:
        self.looks += kind == "Pod"
        if self.looks > 1:
            ended = {"exitCode": 9, "reason": "Error"}
            crashing = {"waiting": {"reason": "CrashLoopBackOff"}}
            last = {"lastState": {"terminated": ended}, "ready": False, "restartCount": 2}
            running(self.kube, state=crashing, **last)
            self.kube.objects["Pod", "shop", "app-1-x"]["status"]["conditions"] = []
            self.kube.objects["Deployment", "shop", "app"]["status"]["availableReplicas"] = 0
        return self.kube.list(version, kind, namespace)


class Logging:
    """A cluster that also has a log, the same for all containers."""

    def __init__(self, kube: FakeKube, *lines: str) -> None:
        self.kube, self.lines = kube, lines

    def __getattr__(self, name: str) -> Any:
        return getattr(self.kube, name)

    def path(self, _version: str, kind: str, *names: str) -> str:
        return "/".join(["/apis", kind, *names])

    @contextmanager
    def stream(self, *_: object, **__: object) -> Iterator[list[bytes]]:
        yield [line.encode() for line in self.lines]


def waited(kube: Any, said: list[str], seconds: float = LONG) -> None:
    def notify(text: str, *, lasting: bool = False, always: bool = False) -> None:
        if lasting or always:
            said.append(text)

    deadline = time.monotonic() + seconds
    asked = lambda: control_plane.is_scaled_to_zero(kube)  # noqa: E731
    WorkloadReadiness(kube, notify, deadline, asked).wait_for_workloads([made("Deployment")])


def test_a_sidecar_for_which_its_node_has_no_inotify_instance_left_ends_the_wait(
    kube: FakeKube,
) -> None:
    found = cluster(kube, phase="Pending")
    crashing = {
        "name": "istio-proxy",
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 255, "reason": "Error"}},
        "ready": False,
        "restartCount": 1,
    }
    pod = found.objects["Pod", "shop", "app-1-x"]
    pod["spec"]["initContainers"] = [{"name": "istio-proxy", "restartPolicy": "Always"}]
    pod["status"]["initContainerStatuses"] = [crashing]
    with pytest.raises(EnvironmentFailed, match="no inotify instance left for it") as failed:
        waited(Logging(found, *ABORTED), [], PATIENCE)
    assert "sysctl fs.inotify.max_user_instances=" in failed.value.hint


def test_what_may_get_better_is_told_once_and_waited_for_to_the_end(kube: FakeKube) -> None:
    said: list[str] = []
    with pytest.raises(TimedOut) as over:
        waited(unplaced(kube), said)
    (warning,) = said
    assert "pod shop/app-1-x: no node takes it: 0/1 nodes; waiting" in warning
    assert "kubectl describe nodes" in warning
    assert "app 0/1: Unschedulable: 0/1 nodes" in over.value.message
    assert "kubectl describe nodes" in over.value.hint
    assert "--timeout" in over.value.hint


def test_what_cannot_get_better_ends_the_wait(kube: FakeKube) -> None:
    said: list[str] = []
    with pytest.raises(EnvironmentFailed, match="image app:1 cannot be pulled: InvalidImageName"):
        waited(pulling(kube, "InvalidImageName"), said, PATIENCE)
    assert said == []


@pytest.mark.parametrize(
    ("replicas", "seconds", "error"),
    [(1, LONG, TimedOut), (0, PATIENCE, EnvironmentFailed)],
    ids=["it may", "to zero"],
)
def test_an_istiod_that_was_scaled_to_zero_does_not_come_back(
    meshed: FakeKube, replicas: int, seconds: float, error: type[Exception]
) -> None:
    meshed.objects["Deployment", "istio-system", "istiod"]["spec"]["replicas"] = replicas
    with pytest.raises(error, match="failed calling webhook istio"):
        waited(refused(meshed), [], seconds)


def test_what_is_ready_and_was_only_just_started_is_looked_at_again(kube: FakeKube) -> None:
    deadline = time.monotonic() + LONG
    wait = WorkloadReadiness(
        Ending(running(kube)),  # type: ignore[arg-type] # as FakeKube is no Kube either
        lambda *_, **__: None, deadline, lambda: False,
    )  # fmt: skip
    with pytest.raises(TimedOut, match="app is waiting: CrashLoopBackOff"):
        wait.wait_for_steadiness([made("Deployment")])
