"""Why a workload is not ready: known as soon as the cluster says so. Pure.

What passes by itself (an image being pulled, a first crash) is not a cause yet. A cause is final
where nothing but another manifest or another cluster helps; of all else it is only likely that it
lasts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from meshdemo.engines.cluster.api import rejections
from meshdemo.engines.cluster.pods import status
from meshdemo.objects.containers import ISTIO_PROXY
from meshdemo.objects.labels import CONTROLLER_HASH_LABEL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from meshdemo.engines.cluster.api.kube import Json

    Events = Callable[[], Sequence[Json]]

EXEC_FORMAT = "exec format error"
OUT_OF_MEMORY = "OOMKilled"
MEMORY_HINT = "It took more memory than its limit: raise resources.limits.memory"
PULL_ERROR, PULL_PAUSE = "ErrImagePull", "ImagePullBackOff"
NEVER_PULLED = frozenset({"ErrImageNeverPull", "InvalidImageName"})
PULL = NEVER_PULLED | {PULL_ERROR, PULL_PAUSE}
CONFIG = frozenset({"CreateContainerConfigError", "RunContainerError", "CreateContainerError"})
CRASHES_WORTH_A_WORD = 2
"""So many ends in a row are worth a word."""
CRASHES_IN_VAIN = 4
"""So many are no bad luck at the start: with Kubernetes' pauses they take half a minute, in which
what an app could not do without may have come."""
UNSCHEDULED = 10.0
"""Seconds that a pod may have no node without a word: a scheduler that is merely busy has placed it
by then. Where a node is still to be started it takes minutes."""
SIDECAR_START = 15.0
"""Seconds for a sidecar's first configuration without a word; on a slow machine it takes three."""
NO_PROGRAM = re.compile(
    f"{EXEC_FORMAT}|executable file not found|no such file|permission denied|is a directory"
)
"""What a runtime says of a container that it will never be able to start."""
PASSING = re.compile(f"exceeded quota|{rejections.WEBHOOK_DOWN}")
"""Why no pod can be created now, and perhaps soon: others end, and istiod comes back."""
REJECTION = re.compile(r"rejected: ([^\t]+)")
LONGEST_REASON = 400
"""Characters of Envoy's reason that are shown."""
TOLD_BY_EVENTS = ("StatefulSet", "DaemonSet", "Job")
"""The kinds that have no condition for a pod that cannot be created."""
CREATED, NOT_CREATED = "SuccessfulCreate", "FailedCreate"
CORRECT = "Correct it and apply it again."
IMAGE_HINT = "Is the name right, and can the nodes reach the registry? --image and --image-registry"
NO_INOTIFY = "fs.inotify.max_user_instances"
"""What Envoy names as it ends because its node has no inotify instance left for it."""
NODE_HINT = (
    "All sidecars of a node share its inotify instances, of which each takes three. Let it have "
    f"more, as root on the node: sysctl {NO_INOTIFY}=8192"
)
PLATFORM_HINT = "The image is for another CPU; take one for the nodes' with --image NAME=IMAGE."


class Cause(Struct, frozen=True):
    """What is wrong, what to do about it, and whose last lines say more."""

    message: str
    hint: str = ""
    container: str = ""
    previous: bool = False
    """Whether the lines are those of the container's run before this one."""
    final: bool = True
    """Whether it cannot get better by itself."""


def of_pod(live: Json, now: datetime, events: Events = list) -> Cause | None:
    """Say why a pod is not ready; None if that may be its start. ``now`` is by the server's clock.

    ``events`` are those of its namespace, asked for only where they alone tell.
    """
    found = list(_of_pod(live, now, events))
    return next((cause for cause in found if cause.final), found[0] if found else None)


def _of_pod(live: Json, now: datetime, events: Events) -> Iterator[Cause]:
    for condition in (live.get("status") or {}).get("conditions") or ():
        if condition.get("reason") == "Unschedulable" and condition.get("status") == "False":
            if _seconds(condition.get("lastTransitionTime"), now) < UNSCHEDULED:
                continue
            message = f"no node takes it: {condition.get('message')}"
            hint = "Ask for less, or give the cluster more: kubectl describe nodes"
            yield Cause(message, hint, final=False)
    for spec, state, init in status.container_statuses(live):
        current = state.get("state") or {}
        # Of a native sidecar, which is an init container, kubelets never say that they wait.
        may_end = init and spec.get("restartPolicy") != "Always"
        if waiting := current.get("waiting"):
            if waiting.get("reason") in PULL:
                yield from _of_pull(live, spec, waiting, events)
            yield from _of_waiting(spec, state, waiting)
        elif not may_end and (ended := current.get("terminated")):
            yield from _of_ends(spec["name"], state, ended, previous=False)
        elif spec["name"] == ISTIO_PROXY and (running := current.get("running")):
            late = _seconds(running.get("startedAt"), now) > SIDECAR_START
            if late and not state.get("started" if init else "ready"):
                hint = "Is istiod well? meshdemo doctor tells."
                message = "its sidecar does not get ready"
                yield Cause(message, hint, spec["name"], final=False)


def _of_pull(pod: Json, spec: Json, waiting: Json, events: Events) -> Iterator[Cause]:
    reason, said = waiting["reason"], waiting.get("message", "")
    if reason == PULL_ERROR and not _is_final(said):
        return  # the first attempt; if the next fails as well, it says ImagePullBackOff
    if reason == PULL_PAUSE and PULL_ERROR not in said:  # kubelets before 1.31 only say that
        said = " ".join(filter(None, [said, _pull_error(pod, spec, events())]))
    hint = PLATFORM_HINT if "no match for platform" in said else IMAGE_HINT
    final = reason in NEVER_PULLED or _is_final(said)
    message = f"the image {spec.get('image')} cannot be pulled: {reason}: {said}"
    yield Cause(message, hint, final=final)


def _pull_error(pod: Json, spec: Json, events: Sequence[Json]) -> str:
    """Find the last word on why an image could not be pulled."""
    found = [
        event
        for event in events
        if (event.get("involvedObject") or {}).get("uid") == pod["metadata"].get("uid")
        and event.get("reason") == "Failed"
        and str(spec.get("image")) in str(event.get("message", ""))
    ]
    return str(max(found, key=_moment, default={}).get("message", ""))


def _of_waiting(spec: Json, state: Json, waiting: Json) -> Iterator[Cause]:
    name, reason = spec["name"], waiting.get("reason", "")
    said = waiting.get("message", "")
    if reason in CONFIG:
        message = f"{name} cannot be started: {reason}: {said}"
        hint = PLATFORM_HINT if is_wrong_platform([said]) else ""
        yield Cause(message, hint, final=bool(NO_PROGRAM.search(said)))
    elif reason == "CrashLoopBackOff":
        ended = (state.get("lastState") or {}).get("terminated") or {}
        yield from _of_ends(name, state, ended, previous=True)


def _of_ends(name: str, state: Json, ended: Json, *, previous: bool) -> Iterator[Cause]:
    """Judge a container that has ended; it may be half a minute until it is said to be waiting."""
    ends = state.get("restartCount", 0) + 1
    if ends >= CRASHES_WORTH_A_WORD:
        message = f"{name} ends each time it is started, last {_how(ended)}"
        yield Cause(message, _hint(ended), name, previous, final=ends >= CRASHES_IN_VAIN)


def of_end(pod: Json, live: Json) -> Cause | None:
    """Say how a pod of a workload has failed, if it is not merely tried once more."""
    found = live.get("status") or {}
    final = (
        live["kind"] == "Pod"
        or found.get("failed", 0) >= CRASHES_WORTH_A_WORD
        or _has(found, "Failed")
    )
    if not final or (pod.get("status") or {}).get("phase") != "Failed":
        return None
    for spec, state, _ in status.container_statuses(pod):
        ended = (state.get("state") or {}).get("terminated") or {}
        if ended.get("exitCode"):
            return Cause(f"{spec['name']} has ended {_how(ended)}", _hint(ended), spec["name"])
    return Cause(str(pod["status"].get("message") or "it has failed"), CORRECT)


def _how(ended: Json) -> str:
    """Say how a container has ended; Kubernetes has a word of its own for want of memory."""
    killed = f" ({OUT_OF_MEMORY})" if ended.get("reason") == OUT_OF_MEMORY else ""
    return f"with status {ended.get('exitCode')}{killed}"


def _hint(ended: Json) -> str:
    return MEMORY_HINT if ended.get("reason") == OUT_OF_MEMORY else CORRECT


def with_way_out(cause: Cause, pod: Json, live: Json) -> Cause:
    """Say what else is needed where the pod is one of an older template of a StatefulSet."""
    latest = (live.get("status") or {}).get("updateRevision")
    metadata = pod["metadata"]
    if (
        live["kind"] != "StatefulSet"
        or (metadata.get("labels") or {}).get(CONTROLLER_HASH_LABEL) == latest
    ):
        return cause
    command = f"kubectl delete pod {metadata['name']} -n {metadata['namespace']}"
    return replace(cause, hint=f"A StatefulSet replaces no pod that is not ready: {command}")


def of_workload(live: Json, events: Sequence[Json] = ()) -> Cause | None:
    """Say why a workload gets no pods at all, or no more of them."""
    for condition in (live.get("status") or {}).get("conditions") or ():
        said = str(condition.get("message", ""))
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            return _not_created(said)
        if condition.get("reason") == "ProgressDeadlineExceeded":
            return Cause(f"it makes no progress: {said}", final=False)
        if condition.get("type") == "Failed" and condition.get("status") == "True":
            return Cause(f"it has failed: {said}", CORRECT)
    return _of_events(live, events)


def _of_events(live: Json, events: Sequence[Json]) -> Cause | None:
    """Take the latest word on making pods: a failure that a success followed is over."""
    found = [
        event
        for event in events
        if (event.get("involvedObject") or {}).get("uid") == live["metadata"].get("uid")
        and event.get("reason") in (CREATED, NOT_CREATED)
    ]
    latest = max(found, key=_moment, default={})
    times = latest.get("count") or (latest.get("series") or {}).get("count") or 1
    if latest.get("reason") != NOT_CREATED or times < CRASHES_WORTH_A_WORD:
        return None
    return _not_created(str(latest.get("message", "")))


def _moment(event: Json) -> tuple[str, bool]:
    """Sort events; of one second the success is the later one, for nothing is tried after it.

    Controllers that write events.k8s.io/v1 keep time and count in a series.
    """
    last = (event.get("series") or {}).get("lastObservedTime")
    when = str(last or event.get("lastTimestamp") or event.get("eventTime") or "")
    return when, event.get("reason") == CREATED


def rejection(lines: list[str]) -> str:
    """Find in a sidecar's log what Envoy has against its configuration."""
    found = [match[1] for line in lines if (match := REJECTION.search(line))]
    return found[-1][:LONGEST_REASON] if found else ""


def is_wrong_platform(lines: list[str]) -> bool:
    """Tell whether a container could not even be read by its node's CPU."""
    return any(EXEC_FORMAT in line.lower() for line in lines)


def is_out_of_inotify(lines: list[str]) -> bool:
    """Tell whether a sidecar could not start because too many others run on its node."""
    return any(NO_INOTIFY in line for line in lines)


def _has(found: Json, condition: str) -> bool:
    conditions = found.get("conditions") or ()
    return any(c.get("type") == condition and c.get("status") == "True" for c in conditions)


def _not_created(said: str) -> Cause:
    hint = rejections.way_out(said)
    return Cause(f"no pod can be created: {said}", hint, final=not PASSING.search(said))


def _is_final(message: str) -> bool:
    """Tell whether the registry's answer will be the same next time."""
    words = ("not found", "no match for platform", "unauthorized", "denied", "does not exist")
    return any(word in message for word in words)


def _seconds(since: str | None, now: datetime) -> float:
    """Say how long ago a moment of the server's was; 0 if it says none."""
    if not since:
        return 0.0
    return (now - status.moment(since)).total_seconds()
