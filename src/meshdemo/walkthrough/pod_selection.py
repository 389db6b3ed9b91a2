"""Which pods the walkthrough is about."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec.structs import replace

from meshdemo.engines.test_client import is_client
from meshdemo.errors import EnvironmentFailed, InputError
from meshdemo.language import said
from meshdemo.objects.labels import RUN_LABEL
from meshdemo.rules import hosts
from meshdemo.rules.protocols import protocol_of
from meshdemo.verdict.traffic import DEFAULT_URL, Request
from meshdemo.walkthrough.events import Note

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meshdemo.engines.protocol import Engine
    from meshdemo.engines.results import Pod
    from meshdemo.objects.model import Object

TYPE_UP = said("Type: meshdemo up")


def require_pods(engine: Engine) -> tuple[Pod, ...]:
    """Give the pods of the namespace, or say what to type when there are none."""
    namespace = engine.where.namespace
    pods = tuple(pod for pod in engine.pods() if pod.namespace == namespace)
    if not pods:
        why = engine.mesh_status().trouble
        why = why or said("nothing runs in namespace {namespace}", namespace=namespace)
        raise EnvironmentFailed(why, hint=TYPE_UP)
    return pods


def require_client(engine: Engine) -> Pod:
    """Give the pod that sends, or say what to type when there is none."""
    # One that is named by its labels may be in another namespace.
    pods = engine.pods() if engine.sender.selector else require_pods(engine)
    if client := engine.sender.find(pods):
        return client
    raise engine.sender.missing(engine.pods())


def of_workloads(pods: Iterable[Pod], objects: Iterable[Object]) -> list[Pod]:
    """Pick the pods of these workloads."""
    owners = {(o.namespace, o.name) for o in objects if o.makes_pods}
    return [pod for pod in pods if (pod.namespace, pod.workload or pod.name) in owners]


def of_others(pods: Sequence[Pod], objects: Iterable[Object]) -> frozenset[str]:
    """Name the pods that meshdemo did not make; none where it made none at all.

    Then the mesh is somebody else's, and every pod of it matters.
    """
    ours = {pod.name for pod in of_workloads(pods, objects)}
    return frozenset(pod.name for pod in pods) - ours if ours else frozenset()


def service_of(host: str, namespace: str, objects: Iterable[Object]) -> Object | None:
    """Find the Service that a request's host means in this namespace."""
    full = hosts.dialled(host, namespace)
    services = (item for item in objects if item.kind == "Service")
    return next((s for s in services if hosts.service_host(s.name, s.namespace) == full), None)


def addressed(request: Request, namespace: str, objects: Sequence[Object]) -> Request:
    """Give the request with the URL that is meant where it has none.

    That is the walkthrough's app, or else the only Service there is. Raises InputError where there
    are several.
    """
    if request.url:
        return request
    if service_of(urlsplit(DEFAULT_URL).hostname or "", namespace, objects):
        return replace(request, url=DEFAULT_URL)
    urls = [_url(service, namespace) for service in apps(namespace, objects)]
    if len(urls) > 1:
        raise InputError(
            said(
                "there are several Services, and none is called app: {urls}",
                urls=", ".join(sorted(urls)),
            ),
            hint=said("Say which one: meshdemo verify --url {url}", url=min(urls)),
        )
    return replace(request, url=urls[0] if urls else DEFAULT_URL)


def apps(namespace: str, objects: Iterable[Object]) -> list[Object]:
    """Give the Services of an app: ours before others', those here before those elsewhere."""
    found = [
        item
        for item in objects
        if item.kind == "Service"
        and not is_client(item.spec.get("selector") or {}, item.name)
        and any(protocol_of(port).takes_http_rules for port in item.spec.get("ports") or ())
    ]
    ours = [item for item in found if RUN_LABEL in item.labels] or found
    return [item for item in ours if item.namespace == namespace] or ours


def _url(service: Object, namespace: str) -> str:
    """Give the URL of a Service's first HTTP port, as a pod of the namespace dials it."""
    near = service.namespace == namespace
    host = service.name if near else f"{service.name}.{service.namespace}"
    ports = [p["port"] for p in service.spec["ports"] if protocol_of(p).takes_http_rules]
    port = hosts.HTTP_PORT if hosts.HTTP_PORT in ports else ports[0]
    return f"http://{host}/" if port == hosts.HTTP_PORT else f"http://{host}:{port}/"


def versions_of(
    url: str, namespace: str, objects: Sequence[Object], pods: Sequence[Pod]
) -> list[str]:
    """Give the versions that can answer a URL: the ``version`` labels of its Service's pods."""
    service = service_of(urlsplit(url).hostname or "", namespace, objects)
    own = pods if service is None else selected(service, pods)
    return versions(own)


def versions(pods: Iterable[Pod]) -> list[str]:
    """Give the versions of pods, by their ``version`` labels."""
    return sorted({pod.labels["version"] for pod in pods if pod.labels.get("version")})


def selected(service: Object, pods: Iterable[Pod]) -> list[Pod]:
    """Give the pods that a Service leads to."""
    selector = service.spec.get("selector")
    return [
        pod
        for pod in pods
        if pod.is_endpoint
        and pod.namespace == service.namespace
        and hosts.selects(selector, pod.labels)
    ]


def missing_sidecar(client: Pod) -> Note:
    """Warn that rules mean nothing to a client without a sidecar."""
    return Note(
        said(
            "the test client {pod} has no sidecar, so it does not follow the rules; "
            "type: meshdemo inject",
            pod=client.name,
        ),
        warning=True,
    )
