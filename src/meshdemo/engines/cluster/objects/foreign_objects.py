"""What others have in a namespace that is to go: it goes only when that is known to be nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.engines.cluster.api.connection import Denied
from meshdemo.engines.results import Check
from meshdemo.objects.labels import ADOPTED

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshdemo.engines.cluster.api.kube import Json, Kube, Resource

DERIVED_KINDS = frozenset(
    {"Endpoints", "EndpointSlice", "Event", "PodMetrics", "Lease", "ControllerRevision"}
)
"""Kinds that the cluster writes by itself, some of them with the labels of what they come from."""
IN_EACH_NAMESPACE = frozenset(
    {
        ("ServiceAccount", "default"),
        ("ConfigMap", "kube-root-ca.crt"),
        ("ConfigMap", "istio-ca-root-cert"),
        ("ConfigMap", "istio-ca-crl"),
        ("Service", "kubernetes"),
    }
)
"""What the cluster and Istio put into namespaces, and nobody misses."""
TOKEN_TYPE = "kubernetes.io/service-account-token"  # noqa: S105 - the type of a Secret
"""The Secrets that Kubernetes before 1.24 writes for each ServiceAccount."""
MOST_SHOWN = 10
UNSEEN_HINT = "Once these can be listed, run `meshdemo down` again: kubectl get apiservices"


class Kinds(Struct, frozen=True):
    """The kinds whose objects can be listed and deleted."""

    known: tuple[tuple[str, Resource], ...]
    """Each with the version of its API."""
    hidden: tuple[str, ...]
    """Versions of APIs of which the server does not say what kinds they have."""


class ForeignObjects(Struct, frozen=True):
    """What others have in a namespace."""

    titles: tuple[str, ...]
    unseen: tuple[str, ...]
    """The kinds of which they may have some, for they could not be listed."""

    def against_removal(self, namespace: str) -> Check | None:
        """Say why the namespace has to stay; None if it need not."""
        if self.titles:
            detail = f"kept, others have objects in it: {', '.join(self.titles[:MOST_SHOWN])}"
            return Check(f"namespace {namespace} is not ours alone", ok=True, detail=detail)
        if self.unseen:
            unseen = ", ".join(self.unseen[:MOST_SHOWN])
            detail = f"kept, others may have objects in it that cannot be listed: {unseen}"
            name = f"namespace {namespace} is ours alone"
            return Check(name, ok=False, detail=detail, hint=UNSEEN_HINT)
        return None


def kinds(kube: Kube) -> Kinds:
    """Ask the server which kinds it has."""
    groups = kube.request("GET", "/apis").get("groups") or ()
    versions = ["v1", *(group["preferredVersion"]["groupVersion"] for group in groups)]

    def of_version(version: str) -> list[Resource] | None:
        try:
            return kube.resources(version)
        except Denied:  # an extension's server that does not answer hides only its own kinds
            return None

    with ThreadPoolExecutor(max_workers=8) as pool:
        answers = list(zip(versions, pool.map(of_version, versions), strict=True))
    known = (
        (version, resource)
        for version, resources in answers
        for resource in resources or ()
        if {"list", "delete"} <= resource.verbs
    )
    return Kinds(tuple(known), tuple(version for version, found in answers if found is None))


def of(kube: Kube, known: Kinds, namespace: str, is_ours: Callable[[Json], bool]) -> ForeignObjects:
    """Find what others have in a namespace."""
    asked = [
        (version, resource)
        for version, resource in known.known
        if resource.namespaced and resource.kind not in DERIVED_KINDS
    ]

    def list_all(kind: tuple[str, Resource]) -> list[Json] | None:
        version, resource = kind
        try:
            return kube.list(version, resource.kind, namespace)
        except Denied:
            return None

    with ThreadPoolExecutor(max_workers=8) as pool:
        answers = list(zip(asked, pool.map(list_all, asked), strict=True))
    found = (item for _, items in answers for item in items or ())
    unseen = (f"{resource.kind} ({version})" for (version, resource), i in answers if i is None)
    return ForeignObjects(
        tuple(sorted({title(i) + adopted(i) for i in found if _stays(i) and not is_ours(i)})),
        (*(f"all kinds of {version}" for version in known.hidden), *unseen),
    )


def title(item: Json) -> str:
    """How messages call an object."""
    return f"{item['kind']} {item['metadata']['name']}"


def adopted(item: Json) -> str:
    """Say of an object that its owner let us change it."""
    return " (adopted)" if ADOPTED in (item["metadata"].get("annotations") or {}) else ""


def _stays(item: Json) -> bool:
    """Tell whether somebody made an object and would miss it."""
    metadata = item["metadata"]
    return (
        not metadata.get("ownerReferences")
        and not metadata.get("deletionTimestamp")
        and (item["kind"], metadata["name"]) not in IN_EACH_NAMESPACE
        and item.get("type") != TOKEN_TYPE
    )
