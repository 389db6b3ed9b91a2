"""Objects of Kubernetes and Istio for tests: the usual one of each kind, by keywords another.

Keywords that a function does not name are fields of the object's ``spec``.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from meshdemo.objects import reading
from meshdemo.objects.model import Object

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meshdemo.errors import Problem

NETWORKING, SECURITY = "networking.istio.io/v1", "security.istio.io/v1"
VERSIONS = {
    **dict.fromkeys(("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"), "apps/v1"),
    **dict.fromkeys(("Job", "CronJob"), "batch/v1"),
    **dict.fromkeys(("VirtualService", "DestinationRule", "Gateway"), NETWORKING),
    **dict.fromkeys(("ServiceEntry", "Sidecar"), NETWORKING),
    **dict.fromkeys(("AuthorizationPolicy", "PeerAuthentication"), SECURITY),
}
"""The API versions of kinds; those of all others are v1."""


def manifest(
    kind: str,
    name: str = "app",
    namespace: str = "shop",
    *,
    version: str = "",
    metadata: Mapping[str, Any] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """Give an object as a file or an API server has it."""
    return {
        "apiVersion": version or VERSIONS.get(kind, "v1"),
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, **(metadata or {})},
        "spec": spec,
    }


def made(kind: str, name: str = "app", namespace: str = "shop", **more: Any) -> Object:
    """Give the same as one that was read from app.yaml."""
    return Object(manifest(kind, name, namespace, **more), "app.yaml")


def parsed(text: str) -> list[Object]:
    """Give the objects of a file my.yaml with this text."""
    problems: list[Problem] = []
    objects = reading.parse(textwrap.dedent(text), "my.yaml", problems)
    assert problems == []
    return objects


def created(time: str) -> dict[str, str]:
    """Give the metadata of what was created then."""
    return {"creationTimestamp": time}


def service(*ports: Mapping[str, Any], name: str = "app", **more: Any) -> Object:
    """Give the Service of an app: if nothing else is said, for HTTP on port 80."""
    wanted = list(ports or ({"name": "http", "port": 80},))
    return made("Service", name, **{"selector": {"app": name}, "ports": wanted, **more})


def deployment(
    name: str = "app",
    *,
    labels: Mapping[str, str] | None = None,
    container: Mapping[str, Any] | None = None,
    **more: Any,
) -> Object:
    """Give a Deployment of the built-in echo; labels and container are those of its pods."""
    containers = [{"name": "app", "image": "meshdemo/echo", **(container or {})}]
    pods = {
        "metadata": {"labels": {"app": name, **(labels or {})}},
        "spec": {"containers": containers},
    }
    selector = {"matchLabels": {"app": name}}
    return made("Deployment", name, **{"selector": selector, "template": pods, **more})


def destination_rule(*versions: str, name: str = "app", **more: Any) -> Object:
    """Give the DestinationRule of app, with a subset for each version."""
    subsets = [{"name": version, "labels": {"version": version}} for version in versions]
    return made("DestinationRule", name, **{"host": "app", "subsets": subsets, **more})


def virtual_service(*http: Mapping[str, Any], name: str = "app", **more: Any) -> Object:
    """Give the VirtualService of app, with these HTTP routes."""
    return made("VirtualService", name, **{"hosts": ["app"], "http": list(http), **more})


def to(
    subset: str = "", weight: int | None = None, host: str = "app", **more: Any
) -> dict[str, Any]:
    """Give one destination of a route."""
    destination = {"host": host, **({"subset": subset} if subset else {}), **more}
    return {"destination": destination, **({} if weight is None else {"weight": weight})}


def route(*destinations: dict[str, Any]) -> dict[str, Sequence[dict[str, Any]]]:
    """Give an HTTP route that leads there."""
    return {"route": list(destinations)}
