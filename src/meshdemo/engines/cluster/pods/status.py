"""Pods as the API server shows them, as ``Pod`` values, and what is wrong with each. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from meshdemo.engines.results import Container, Pod
from meshdemo.objects.containers import ISTIO_PROXY
from meshdemo.objects.labels import INJECTED, TEMPLATE_HASH_LABEL
from meshdemo.objects.model import WORKLOAD_KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.engines.cluster.api.kube import Json

PHASES = ("Running", "Pending", "Succeeded")
CREATING = frozenset({"PodInitializing", "ContainerCreating"})


def pods(live: list[Json]) -> tuple[Pod, ...]:
    """Give those that are there to stay: one that is being deleted answers nobody any more."""
    staying = [item for item in live if not item["metadata"].get("deletionTimestamp")]
    return tuple(pod(item) for item in sorted(staying, key=lambda item: item["metadata"]["name"]))


def pod(live: Json) -> Pod:
    """Read a live pod as what the rest of meshdemo knows of pods."""
    metadata, status = live["metadata"], live.get("status") or {}
    phase = status.get("phase", "Pending")
    address = status.get("podIP")
    found = tuple(_containers(live))
    return Pod(
        name=metadata["name"],
        namespace=metadata["namespace"],
        labels=metadata.get("labels") or {},
        containers=found,
        injected=is_injected(live),
        phase=phase if phase in PHASES else "Failed",
        message="; ".join(dict.fromkeys(troubles(live))),
        addresses=(address,) if address else (),
        workload=workload(live),
        workload_kind=owner(live)[0],
        created=metadata.get("creationTimestamp") or "",
    )


def is_injected(live: Json) -> bool:
    """Tell whether a pod, or a pod template, has a sidecar: of one shape or the other."""
    annotations = (live.get("metadata") or {}).get("annotations") or {}
    spec = live.get("spec") or {}
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    return INJECTED in annotations or any(c.get("name") == ISTIO_PROXY for c in containers)


def workload(live: Json) -> str:
    """Name the workload that a pod belongs to; empty if it belongs to none."""
    return owner(live)[1]


def owner(live: Json) -> tuple[str, str]:
    """Give kind and name of the workload that a pod belongs to, both empty if it is none's.

    Of a CronJob that is the Job: a pod says no more.
    """
    metadata = live["metadata"]
    for owner in metadata.get("ownerReferences") or ():
        kind, name = str(owner.get("kind")), str(owner.get("name"))
        template_hash = (metadata.get("labels") or {}).get(TEMPLATE_HASH_LABEL)
        if kind == "ReplicaSet" and template_hash:
            return "Deployment", name.removesuffix(f"-{template_hash}")
        if kind in WORKLOAD_KINDS:
            return kind, name
    return "", ""


def app_container(live: Pod) -> str:
    """Name the container that is the app itself, of a pod with or without a sidecar."""
    return next((c.name for c in live.containers if not c.init and not c.sidecar), "")


def container_statuses(live: Json) -> Iterator[tuple[Json, Json, bool]]:
    """Give each container's specification and status, and whether it is an init container."""
    status = live.get("status") or {}
    for field, init in (("initContainers", True), ("containers", False)):
        key = "initContainerStatuses" if init else "containerStatuses"
        known = {item["name"]: item for item in status.get(key) or ()}
        for spec in live["spec"].get(field) or ():
            yield spec, known.get(spec["name"], {}), init


def starts(live: Json) -> Iterator[datetime]:
    """Say when each of its own containers that run was started the last time."""
    for _, state, init in container_statuses(live):
        running = (state.get("state") or {}).get("running") or {}
        if not init and (since := running.get("startedAt")):
            yield moment(since)


def moment(text: str) -> datetime:
    """Read a time as the API server writes it."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def troubles(live: Json) -> Iterator[str]:
    """Say what keeps a pod from being ready, in the cluster's own words."""
    status = live.get("status") or {}
    if status.get("phase") == "Failed":
        yield status.get("message") or status.get("reason") or "it failed"
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            yield f"{condition.get('reason', 'not scheduled')}: {condition.get('message', '')}"
    if not status.get("containerStatuses") or status.get("phase") == "Succeeded":
        return
    waits_for_init = False
    for spec, state, init in container_statuses(live):
        native = _is_native(spec)
        trouble = "" if waits_for_init else _trouble(spec["name"], state, ends=init and not native)
        if trouble:
            yield trouble
        waits_for_init = waits_for_init or (init and not _is_done(state, native=native))


def _trouble(name: str, state: Json, *, ends: bool) -> str:
    current = state.get("state") or {}
    if waiting := current.get("waiting"):
        if waiting.get("reason") in CREATING:
            return f"{name} is being created"
        message = f": {waiting['message']}" if waiting.get("message") else ""
        return f"{name} is waiting: {waiting.get('reason', 'unknown')}{message}"
    if ended := current.get("terminated"):
        if ends and ended.get("exitCode") == 0:
            return ""
        return f"{name} has ended with status {ended.get('exitCode')} ({ended.get('reason')})"
    return f"{name} is not ready yet" if not (state.get("ready") or ends) else ""


def _reason(current: Json) -> str:
    stopped = current.get("waiting") or current.get("terminated") or {}
    return str(stopped.get("reason") or "")


def _is_done(state: Json, *, native: bool) -> bool:
    """Tell whether the next container may start."""
    if native:
        return bool(state.get("started"))
    ended = (state.get("state") or {}).get("terminated") or {}
    return ended.get("exitCode") == 0 if ended else bool(state.get("ready"))


def _is_native(spec: Json) -> bool:
    """Tell whether an init container runs on beside the others: a native sidecar."""
    return spec.get("restartPolicy") == "Always"


def _containers(live: Json) -> Iterator[Container]:
    for spec, state, init in container_statuses(live):
        yield Container(
            name=spec["name"],
            image=spec.get("image", ""),
            ready=bool(state.get("ready")),
            restarts=state.get("restartCount", 0),
            init=init,
            sidecar=spec["name"] == ISTIO_PROXY or (init and _is_native(spec)),
            reason=_reason(state.get("state") or {}),
        )
