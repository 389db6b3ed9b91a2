"""How far a workload's pods are those of its present template. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.engines.cluster import status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshdemo.engines.cluster.kube import Json
    from meshdemo.manifests import Object


def is_done(live: Json) -> bool:
    """Tell whether a Deployment's pods are those of its present template, all of them available."""
    wanted = live["spec"].get("replicas", 1)
    found = live.get("status") or {}
    return bool(
        is_observed(live)
        and found.get("updatedReplicas", 0) == wanted
        and found.get("replicas", 0) == wanted
        and found.get("availableReplicas", 0) == wanted
    )


def is_observed(live: Json) -> bool:
    """Tell whether a Deployment's status is about its present template."""
    seen = (live.get("status") or {}).get("observedGeneration", 0)
    return bool(seen >= live["metadata"].get("generation", 0))


def belongs(pod: Json, item: Object) -> bool:
    """Tell whether a pod is a workload's, or the workload itself."""
    if item.kind == "Pod":
        return str(pod["metadata"]["name"]) == item.name
    return status.workload(pod) == item.name


def newest(pods: Sequence[Json]) -> list[Json]:
    """Pick the pods of the latest template: what ails an older one does not matter any more."""
    if not pods:
        return []
    latest = max(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))
    key = (latest["metadata"].get("labels") or {}).get(status.HASH)
    return [pod for pod in pods if (pod["metadata"].get("labels") or {}).get(status.HASH) == key]
