"""What pods and Deployments say of themselves: shape, trouble, and the causes of failures."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from meshdemo.engines.cluster.api import rejections
from meshdemo.engines.cluster.api.connection import Forbidden
from meshdemo.engines.cluster.pods import failure_causes, status
from meshdemo.objects.model import Object

NOW = datetime(2026, 11, 22, 16, 0, 0, tzinfo=timezone.utc)
LONG_AGO, JUST_NOW = "2026-11-22T15:00:00Z", "2026-11-22T15:59:58Z"
RUNNING = {"running": {"startedAt": LONG_AGO}}
UP = {"state": RUNNING, "ready": True, "started": True}


def container(name: str, state: dict[str, Any] | None = None, **spec: Any) -> tuple[Any, Any]:
    return {"name": name, "image": f"{name}:1", **spec}, {"name": name, **(state or UP)}


def pod(
    *containers: tuple[Any, Any], init: tuple[tuple[Any, Any], ...] = (), **status_: Any
) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "app-v1-bdbfb4b7b-x7",
            "namespace": "shop",
            "labels": {"version": "v1", "pod-template-hash": "bdbfb4b7b"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "app-v1-bdbfb4b7b"}],
        },
        "spec": {
            "containers": [spec for spec, _ in containers],
            "initContainers": [spec for spec, _ in init],
        },
        "status": {
            "phase": "Running",
            "podIP": "10.0.0.7",
            "containerStatuses": [state for _, state in containers],
            "initContainerStatuses": [state for _, state in init],
            **status_,
        },
    }


def waiting(reason: str, message: str = "", **state: Any) -> dict[str, Any]:
    return {"state": {"waiting": {"reason": reason, "message": message}}, "ready": False, **state}


DONE = {"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}, "ready": True}
INIT = container("istio-init", DONE)
NATIVE = container("istio-proxy", restartPolicy="Always")


@pytest.mark.parametrize(
    "live",
    [pod(container("app"), init=(INIT, NATIVE)),
     pod(container("app"), container("istio-proxy"), init=(INIT,))],
    ids=["native sidecar", "older shape"],
)  # fmt: skip
def test_a_sidecar_is_found_in_either_shape_and_counted(live: dict[str, Any]) -> None:
    found = status.pod(live)
    assert (found.ready, found.injected, found.is_ready, found.message) == ("2/2", True, True, "")
    assert status.app_container(found) == "app"
    assert found.workload == "app-v1"
    assert found.addresses == ("10.0.0.7",)


def test_a_pod_that_is_being_deleted_does_not_count() -> None:
    live = pod(container("app"))
    live["metadata"]["deletionTimestamp"] = LONG_AGO
    assert status.pods([live]) == ()


def test_what_waits_for_an_init_container_is_not_blamed() -> None:
    slow = container("istio-proxy", {"state": RUNNING, "ready": False}, restartPolicy="Always")
    live = pod(container("app", waiting("PodInitializing")), init=(INIT, slow), phase="Pending")
    assert status.pod(live).message == "istio-proxy is not ready yet"


def unplaced(since: str) -> dict[str, Any]:
    found = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    return pod(
        container("app"),
        conditions=[{**found, "message": "0/1 nodes", "lastTransitionTime": since}],
    )


def ends(count: int, **last: Any) -> dict[str, Any]:
    return waiting("CrashLoopBackOff", restartCount=count - 1, lastState={"terminated": last})


YOUNG = {"state": RUNNING, "ready": False, "started": False}
BACK_OFF = 'Back-off pulling image "app:1"'
AGAIN_NOT_FOUND = f"{BACK_OFF}: ErrImagePull: app:1: not found"


@pytest.mark.parametrize(
    ("live", "words"),
    [
        (pod(container("app", waiting("ImagePullBackOff", AGAIN_NOT_FOUND))),
         ("app:1", "not found")),
        (pod(container("app", waiting("ErrImagePull", "no match for platform in manifest"))),
         ("app:1", "platform")),
        (pod(container("app", waiting("InvalidImageName", "bad"))), ("InvalidImageName",)),
        (pod(container("app", waiting("RunContainerError", "exec: executable file not found"))),
         ("app", "executable file not found")),
        (pod(container("app", ends(4, exitCode=3))), ("each time", "status 3")),
        (pod(container("app", waiting("PodInitializing")), init=(INIT, container("istio-proxy",
             {**DONE, "ready": False, "restartCount": 4}, restartPolicy="Always"))),
         ("istio-proxy ends each time", "status 0")),
        (pod(container("app", {"state": {"terminated": {"exitCode": 4}}, "ready": False,
                               "restartCount": 3})), ("each time", "status 4")),
        (pod(container("app", ends(4, exitCode=137, reason="OOMKilled"))), ("137 (OOMKilled)",)),
        (pod(container("app", waiting("ImagePullBackOff", BACK_OFF)),
             container("other", waiting("InvalidImageName", "bad"))), ("other:1",)),
    ],
    ids=["image", "platform", "image name", "no program", "crash", "native sidecar", "end",
         "memory", "one of two"],
)  # fmt: skip
def test_what_will_never_be_ready_is_given_up_with_its_cause(
    live: dict[str, Any], words: tuple[str, ...]
) -> None:
    cause = failure_causes.of_pod(live, NOW)
    assert cause
    assert cause.final
    assert all(word in cause.message for word in words)


def test_who_took_too_much_memory_is_told_where_to_allow_more() -> None:
    cause = failure_causes.of_pod(
        pod(container("app", ends(4, exitCode=137, reason="OOMKilled"))), NOW
    )
    assert cause
    assert "resources.limits.memory" in cause.hint


@pytest.mark.parametrize(
    ("live", "words"),
    [
        (unplaced(LONG_AGO), ("0/1 nodes",)),
        (pod(container("app", waiting("PodInitializing")),
             init=(INIT, container("istio-proxy", YOUNG, restartPolicy="Always"))), ("sidecar",)),
        (pod(container("app"), container("istio-proxy", YOUNG)), ("sidecar",)),
        (pod(container("app", waiting("ImagePullBackOff", f"{BACK_OFF}: ErrImagePull: timeout"))),
         ("app:1", "timeout")),
        (pod(container("app", waiting("CreateContainerConfigError", 'secret "s" not found'))),
         ("app", "secret")),
        (pod(container("app", ends(2, exitCode=3))), ("each time", "status 3")),
    ],
    ids=["unschedulable", "native sidecar", "sidecar", "registry", "config", "crash"],
)  # fmt: skip
def test_what_only_may_be_wrong_is_told_and_waited_for(
    live: dict[str, Any], words: tuple[str, ...]
) -> None:
    cause = failure_causes.of_pod(live, NOW)
    assert cause
    assert not cause.final
    assert all(word in cause.message for word in words)


@pytest.mark.parametrize(
    ("uid", "said", "final"),
    [
        ("u1", 'Failed to pull image "app:1": not found', True),
        ("u1", 'Failed to pull image "app:1": i/o timeout', False),
        ("u1", 'Failed to pull image "other:1": not found', False),
        ("u2", 'Failed to pull image "app:1": not found', False),
    ],
    ids=["not found", "timeout", "another container's", "another pod's"],
)
def test_an_older_kubelet_says_in_an_event_why_an_image_is_not_pulled(
    uid: str, said: str, *, final: bool
) -> None:
    live = pod(container("app", waiting("ImagePullBackOff", BACK_OFF)))
    live["metadata"]["uid"] = "u1"
    event = {"reason": "Failed", "involvedObject": {"uid": uid}, "message": said}
    cause = failure_causes.of_pod(live, NOW, lambda: [event])
    assert cause
    assert cause.final is final


@pytest.mark.parametrize(
    "live",
    [
        pod(container("app")),
        pod(container("app", waiting("ContainerCreating"))),
        pod(container("app", waiting("ErrImagePull", "i/o timeout"))),
        pod(container("app", waiting("CrashLoopBackOff", restartCount=0))),
        pod(container("app", {"state": {"terminated": {"exitCode": 4}}, "ready": False})),
        unplaced(JUST_NOW),
        pod(container("istio-proxy", {"state": {"running": {"startedAt": JUST_NOW}},
                                      "ready": False})),
    ],
    ids=["ready", "creating", "first pull", "first crash", "first end", "not placed yet",
         "young sidecar"],
)  # fmt: skip
def test_what_may_still_pass_is_waited_for(live: dict[str, Any]) -> None:
    assert failure_causes.of_pod(live, NOW) is None


@pytest.mark.parametrize(
    ("message", "hint", "final"),
    [
        ('pods "a" is forbidden: exceeded quota: q', "quota", False),
        ('violates PodSecurity "restricted:latest": allowPrivilegeEscalation', "CNI plug-in", True),
        ('admission webhook "x" denied the request: no', "A webhook refuses it", True),
        ("failed calling webhook namespace.sidecar-injector.istio.io", "istiod", False),
    ],
    ids=["quota", "pod security", "denied", "webhook down"],
)
def test_a_deployment_that_gets_no_pods_and_a_pod_that_is_refused_say_the_same(
    message: str, hint: str, *, final: bool
) -> None:
    failure = {"type": "ReplicaFailure", "status": "True", "message": message}
    cause = failure_causes.of_workload({"status": {"conditions": [failure]}})
    assert cause
    assert message in cause.message
    assert hint in cause.hint
    assert cause.final is final
    refused = Object({"kind": "Pod", "metadata": {"name": "app"}})
    error = Forbidden(message, 403, {}, hint="Ask for these rights.")
    assert rejections.failure(refused, error).hint == cause.hint


def test_envoys_word_on_rejected_listeners_is_found_in_the_sidecars_log() -> None:
    rejected = (
        "warning envoy config gRPC config for type.googleapis.com/envoy.config.listener.v3.Listener"
        " rejected: Error adding/updating listener(s) virtualInbound: Didn't find a registered"
        " implementation for 'istio.stats'"
    )
    lines = ["2026-11-22T15:00:00Z info ready", rejected]
    assert "istio.stats" in failure_causes.rejection(lines)
    assert failure_causes.rejection(lines[:1]) == ""


@pytest.mark.parametrize(
    ("kind", "name", "labels", "owner"),
    [
        ("ReplicaSet", "app-v1-abc", {"pod-template-hash": "abc"}, ("Deployment", "app-v1")),
        ("ReplicaSet", "own", {}, ("ReplicaSet", "own")),
        ("StatefulSet", "db", {"controller-revision-hash": "db-1"}, ("StatefulSet", "db")),
        ("Job", "once", {}, ("Job", "once")),
        ("Node", "node-1", {}, ("", "")),
    ],
)
def test_a_pod_names_the_workload_that_it_belongs_to(
    kind: str, name: str, labels: dict[str, str], owner: tuple[str, str]
) -> None:
    live = pod(container("app"))
    live["metadata"] |= {"labels": labels, "ownerReferences": [{"kind": kind, "name": name}]}
    assert status.owner(live) == owner


def test_a_pod_whose_work_is_done_is_not_ready_and_nothing_is_wrong_with_it() -> None:
    found = status.pod(pod(container("app", DONE), phase="Succeeded"))
    assert (found.phase, found.is_ready, found.is_done, found.message) == (
        "Succeeded", False, True, "",
    )  # fmt: skip


FAILED = {"state": {"terminated": {"exitCode": 4, "reason": "Error"}}, "ready": False}


@pytest.mark.parametrize(
    ("live", "gives_up"),
    [
        ({"kind": "Pod"}, True),
        ({"kind": "Job", "status": {"failed": 1}}, False),
        ({"kind": "Job", "status": {"failed": 2}}, True),
        ({"kind": "Job", "status": {"conditions": [{"type": "Failed", "status": "True"}]}}, True),
    ],
    ids=["pod", "first try", "second try", "no more tries"],
)
def test_a_job_whose_pods_fail_is_given_up_when_it_is_no_bad_luck(
    live: dict[str, Any], *, gives_up: bool
) -> None:
    ended = pod(container("app", FAILED), phase="Failed")
    cause = failure_causes.of_end(ended, live)
    assert bool(cause) is gives_up
    assert cause is None or (cause.container, "status 4" in cause.message) == ("app", True)


@pytest.mark.parametrize(("revision", "stuck"), [("db-1", True), ("db-2", False)])
def test_a_stateful_pod_of_an_older_template_must_be_deleted_by_hand(
    revision: str, *, stuck: bool
) -> None:
    live = pod(container("app", waiting("ImagePullBackOff", AGAIN_NOT_FOUND)))
    live["metadata"]["labels"] = {"controller-revision-hash": revision}
    found = failure_causes.of_pod(live, NOW)
    assert found
    owner = {"kind": "StatefulSet", "status": {"updateRevision": "db-2"}}
    hint = failure_causes.with_way_out(found, live, owner).hint
    assert ("kubectl delete pod app-v1-bdbfb4b7b-x7 -n shop" in hint) is stuck


@pytest.mark.parametrize(
    ("event", "found"),
    [
        ({"reason": "FailedCreate", "count": 2}, True),
        ({"reason": "FailedCreate", "count": None, "series": {"count": 2}}, True),
        ({"reason": "FailedCreate", "count": 1}, False),
        ({"reason": "FailedCreate", "count": 2, "involvedObject": {"uid": "another"}}, False),
        ({"reason": "SuccessfulCreate", "count": 2}, False),
    ],
    ids=["its own", "its own as a series", "first try", "another's", "success"],
)
def test_where_no_condition_tells_it_the_events_say_why_there_are_no_pods(
    event: dict[str, Any], *, found: bool
) -> None:
    said = {"involvedObject": {"uid": "u1"}, "message": "exceeded quota: q", **event}
    cause = failure_causes.of_workload({"metadata": {"uid": "u1"}}, [said])
    assert bool(cause) is found
    assert cause is None or "quota" in cause.hint


@pytest.mark.parametrize(("failed_at", "over"), [(LONG_AGO, True), (NOW.isoformat(), False)])
def test_a_failure_that_a_success_followed_is_over(failed_at: str, *, over: bool) -> None:
    own = {"involvedObject": {"uid": "u1"}, "count": 5}
    events = [
        {**own, "reason": "FailedCreate", "lastTimestamp": failed_at},
        {**own, "reason": "SuccessfulCreate", "lastTimestamp": JUST_NOW},
    ]
    assert (failure_causes.of_workload({"metadata": {"uid": "u1"}}, events) is None) is over
