"""How far the pods of a workload are: all of them there, of its present template, and ready. Pure.

Each kind says so in its own words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.engines.cluster.pods import status
from meshdemo.objects.labels import CONTROLLER_HASH_LABEL, TEMPLATE_HASH_LABEL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from meshdemo.engines.cluster.api.kube import Json
    from meshdemo.objects.model import Object

UNCHANGING = ("Pod", "Job")
"""The kinds whose pods cannot be changed, only made anew under another name."""
BY_HAND = "OnDelete"
"""The update strategy in which old pods stay until somebody deletes them."""
HASHES = (TEMPLATE_HASH_LABEL, CONTROLLER_HASH_LABEL)
"""The labels that say of which template a pod is."""


def is_done(live: Json, pods: Sequence[Json]) -> bool:
    """Tell whether a workload has all pods that it wants; ``pods`` are its own."""
    return is_observed(live) and _DONE_BY_KIND[live["kind"]](live, pods)


def is_observed(live: Json) -> bool:
    """Tell whether the controller of a workload has looked at its present form."""
    if live["kind"] in UNCHANGING:
        return True
    found, generation = live.get("status") or {}, live["metadata"].get("generation", 0)
    return bool(found.get("observedGeneration", 0) >= generation)


def belongs(pod: Json, item: Object) -> bool:
    """Tell whether a pod is that of a workload."""
    if item.kind == "Pod":
        return str(pod["metadata"]["name"]) == item.name
    return status.owner(pod) == (item.kind, item.name)


def newest(pods: Sequence[Json]) -> list[Json]:
    """Pick the pods of the latest template: what ails an older one does not matter any more."""
    if not pods:
        return []
    latest = max(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))
    return [pod for pod in pods if _template(pod) == _template(latest)]


def _template(pod: Json) -> list[str | None]:
    labels = pod["metadata"].get("labels") or {}
    return [labels.get(name) for name in HASHES]


def _is_up(pod: Json, _: Sequence[Json]) -> bool:
    """Judge a bare Pod; one whose work is done will not be ready again."""
    found = status.pod(pod)
    return found.is_ready or found.is_done


def _is_at_work(job: Json, pods: Sequence[Json]) -> bool:
    """Judge a Job: its work may take hours, so it is enough that it has begun."""
    found = job.get("status") or {}
    if job["spec"].get("suspend") or found.get("succeeded"):
        return True
    return any(map(_is_running, pods))


def _is_running(pod: Json) -> bool:
    """Tell whether all of a pod's own containers have been started, and none has failed."""
    own = [state for _, state, init in status.container_statuses(pod) if not init]
    states = [state.get("state") or {} for state in own]
    return all("running" in s or (s.get("terminated") or {}).get("exitCode") == 0 for s in states)


def _is_complete(live: Json, _: Sequence[Json]) -> bool:
    """Judge a ReplicaSet or a ReplicationController: it never replaces a pod by a newer one."""
    found, wanted = live.get("status") or {}, live["spec"].get("replicas", 1)
    return bool(found.get("replicas", 0) == wanted == found.get("availableReplicas", 0))


def _is_rolled_out(deployment: Json, pods: Sequence[Json]) -> bool:
    found, wanted = deployment.get("status") or {}, deployment["spec"].get("replicas", 1)
    updated = found.get("updatedReplicas", 0) == wanted == len(pods)
    return updated and _is_complete(deployment, pods)


def _is_replaced(stateful: Json, _: Sequence[Json]) -> bool:
    found, wanted = stateful.get("status") or {}, stateful["spec"].get("replicas", 1)
    there = found.get("replicas", 0) == wanted == found.get("readyReplicas", 0)
    return bool(there and found.get("updatedReplicas", 0) >= _to_update(stateful, wanted))


def _is_everywhere(daemon: Json, _: Sequence[Json]) -> bool:
    found = daemon.get("status") or {}
    wanted = found.get("desiredNumberScheduled", 0)
    there = found.get("numberAvailable", 0) >= wanted
    return bool(there and found.get("updatedNumberScheduled", 0) >= _to_update(daemon, wanted))


def _to_update(live: Json, wanted: int) -> int:
    """Say how many pods of the present template there are to be."""
    strategy = live["spec"].get("updateStrategy") or {}
    if strategy.get("type") == BY_HAND:
        return 0
    partition: int = (strategy.get("rollingUpdate") or {}).get("partition", 0)
    return wanted - partition


_DONE_BY_KIND: dict[str, Callable[[Json, Sequence[Json]], bool]] = {
    "Pod": _is_up,
    "Job": _is_at_work,
    "Deployment": _is_rolled_out,
    "StatefulSet": _is_replaced,
    "DaemonSet": _is_everywhere,
    "ReplicaSet": _is_complete,
    "ReplicationController": _is_complete,
}
AWAITED = frozenset(_DONE_BY_KIND)
"""The kinds that start pods at once; a CronJob does not."""
