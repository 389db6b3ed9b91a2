"""Which pods the walkthrough is about."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from meshdemo import hosts
from meshdemo.engines.pods import CLIENT, find_client
from meshdemo.errors import EnvironmentFailed
from meshdemo.manifests import WORKLOADS
from meshdemo.walkthrough.events import Note

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meshdemo.engines import Engine, Pod
    from meshdemo.manifests import Object

BEGIN = "Type: meshdemo up"


def require_pods(engine: Engine) -> tuple[Pod, ...]:
    """Give the pods of the namespace, or say what to type when there are none."""
    namespace = engine.where.namespace
    pods = tuple(pod for pod in engine.pods() if pod.namespace == namespace)
    if not pods:
        raise EnvironmentFailed(f"nothing runs in namespace {namespace}", hint=BEGIN)
    return pods


def require_client(engine: Engine) -> Pod:
    """Give the test client, or say what to type when there is none."""
    client = find_client(require_pods(engine), engine.where.namespace)
    if client is None:
        message = f"there is no test client in namespace {engine.where.namespace}"
        raise EnvironmentFailed(message, hint=f"It is the Deployment {CLIENT}. {BEGIN}")
    return client


def of_others(pods: Sequence[Pod], objects: Iterable[Object]) -> frozenset[str]:
    """Name the pods that meshdemo did not make; none where it made none at all.

    Then the mesh is somebody else's, and every pod of it matters.
    """
    made = {(item.namespace, item.name) for item in objects if item.kind in WORKLOADS}
    ours = {pod.name for pod in pods if (pod.namespace, pod.workload or pod.name) in made}
    return frozenset(pod.name for pod in pods) - ours if ours else frozenset()


def service_of(host: str, namespace: str, objects: Iterable[Object]) -> Object | None:
    """Find the Service that a request's host means in this namespace."""
    full = hosts.dialled(host, namespace)
    services = (item for item in objects if item.kind == "Service")
    return next((s for s in services if hosts.service_host(s.name, s.namespace) == full), None)


def versions_of(
    url: str, namespace: str, objects: Sequence[Object], pods: Sequence[Pod]
) -> list[str]:
    """Give the versions that can answer a URL: the ``version`` labels behind its Service."""
    service = service_of(urlsplit(url).hostname or "", namespace, objects)
    behind = pods if service is None else selected(service, pods)
    return sorted({pod.labels["version"] for pod in behind if pod.labels.get("version")})


def selected(service: Object, pods: Iterable[Pod]) -> list[Pod]:
    """Give the pods that a Service selects."""
    selector = service.spec.get("selector")
    return [
        pod
        for pod in pods
        if pod.namespace == service.namespace and hosts.selects(selector, pod.labels)
    ]


def unheeded(client: Pod) -> Note:
    """Warn that rules mean nothing to a client without a sidecar."""
    return Note(
        f"the test client {client.name} has no sidecar, so it does not heed the rules; "
        "type: meshdemo inject",
        warning=True,
    )
