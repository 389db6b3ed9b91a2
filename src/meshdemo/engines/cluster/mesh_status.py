"""What is around the pods and rules of a namespace: Istio, gateways, what a sidecar follows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from meshdemo.engines.cluster.api.connection import Forbidden
from meshdemo.engines.cluster.istio import control_plane
from meshdemo.engines.cluster.istio.verification import NOT_ALLOWED
from meshdemo.engines.cluster.sidecar import data_plane
from meshdemo.engines.results import Check, MeshStatus
from meshdemo.objects.kinds import NETWORKING_API

if TYPE_CHECKING:
    from meshdemo.engines.cluster.api.kube import Kube
    from meshdemo.engines.cluster.namespace_view import View
    from meshdemo.rules.virtual_services import Followed

SCALED = ("Deployment", "StatefulSet")
"""The kinds that may want no pods."""
ISTIOD_CHECK = "istiod is well"


def look(kube: Kube, view: View) -> MeshStatus:
    """Ask for all of it side by side. What one may not see stays unknown: None, or empty."""
    # Each is a round trip to an API server that may be far away.
    with ThreadPoolExecutor(max_workers=5) as pool:
        trouble = pool.submit(_trouble, kube, view.run)
        mesh = pool.submit(_mesh, kube)
        scaled = pool.submit(_without_pods, kube, view.run)
        gateways = pool.submit(_gateways, kube)
        followed = pool.submit(_followed, view)
        return MeshStatus(
            mesh.result(), scaled.result(), gateways.result(), followed.result(), trouble.result()
        )


def _trouble(kube: Kube, namespace: str) -> str:
    try:
        found = kube.get("v1", "Namespace", namespace)
    except Forbidden:  # who may only work in it may not look at it: then it is there
        return ""
    if found is None:
        return f"there is no namespace {namespace}"
    going = found["metadata"].get("deletionTimestamp")
    return f"namespace {namespace} is being deleted: wait until it is gone" if going else ""


def _mesh(kube: Kube) -> tuple[Check, ...]:
    """Say how each istiod is."""
    planes = control_plane.control_planes(kube)
    if planes is None:
        return (Check(ISTIOD_CHECK, ok=True, detail=NOT_ALLOWED),)
    if not planes:
        return (Check(ISTIOD_CHECK, ok=True, detail="there is no Istio: meshdemo install"),)
    return tuple(
        Check(
            ISTIOD_CHECK,
            plane.rolled_out,
            f"{plane.title}, {plane.available} of {plane.replicas} available",
            "" if plane.rolled_out else plane.next_step,
        )
        for plane in planes
    )


def _without_pods(kube: Kube, namespace: str) -> tuple[str, ...]:
    try:
        found = [(kind, item) for kind in SCALED for item in kube.list("apps/v1", kind, namespace)]
    except Forbidden:
        return ()
    none = ((kind, item) for kind, item in found if item["spec"].get("replicas") == 0)
    return tuple(f"{kind} {item['metadata']['name']}" for kind, item in none)


def _gateways(kube: Kube) -> frozenset[str] | None:
    try:
        found = kube.list(NETWORKING_API, "Gateway")
    except Forbidden:
        return None
    named = (item["metadata"] for item in found)
    return frozenset(f"{each.get('namespace', '')}/{each['name']}" for each in named)


def _followed(view: View) -> tuple[Followed, ...] | None:
    dump = data_plane.dump_of(view)
    return dump.followed() if dump else None
