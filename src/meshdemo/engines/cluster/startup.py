"""Where something must answer before a measurement is fair: ports whose pods have only just begun.

That a pod is ready does not say that its app listens yet.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from meshdemo import rivalry
from meshdemo.engines.cluster import status
from meshdemo.engines.cluster.dataplane import Place
from meshdemo.engines.cluster.view import OWN
from meshdemo.engines.pods import CLIENT
from meshdemo.hosts import selects, service_host
from meshdemo.manifests import rules
from meshdemo.protocols import Protocol, protocol_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from meshdemo.engines.cluster.kube import Json
    from meshdemo.engines.cluster.view import View
    from meshdemo.manifests import Object

START_UP = 30.0
"""Seconds of a container's life in which not to answer is part of its start."""


def places(view: View, objects: Sequence[Object]) -> list[Place]:
    """Give the ports of services that our pods, or those that objects speak of, begin to serve.

    What others run here and nobody speaks of is not our concern, and what is not ready gets no
    requests. Ports of other protocols than HTTP are left out: a sidecar takes their connections
    whether or not the app listens. So are ports whose name is no protocol's, as ``ssh``, and the
    test client: it sends, and need not listen on the port that the article's Service of it names.
    """
    now = view.kube.now()
    pods = [pod for pod in view.kube.list("v1", "Pod", view.run) if _is_beginning(pod, now)]
    if not pods:
        return []
    own = [_labels(pod) for pod in _own(view, pods, objects)]
    every = [_labels(pod) for pod in pods]
    return [
        _place(item, port, pods)
        for item in view.seen()
        if item.kind == "Service"
        and any(
            selects(item.spec.get("selector"), each)
            for each in (every if _is_spoken_of(item, objects, view.run) else own)
        )
        for port in item.spec.get("ports") or ()
        if _may_speak_http(port)
    ]


def is_unproved(view: View, objects: Sequence[Object], asked: Sequence[Place]) -> bool:
    """Tell whether a pod of the objects has only just begun, and may end again all the same.

    Without a readiness probe a pod is ready for the moment that it takes to crash. What has
    answered us has got farther.
    """
    now, mine = view.kube.now(), {(item.kind, item.name) for item in objects}
    answered = {address for place in asked for pod in place.pods for address in pod}
    return any(
        _is_beginning(pod, now)
        and _maker(pod) in mine
        and answered.isdisjoint(status.pod(pod).addresses)
        and not all(c.get("readinessProbe") for c in (pod.get("spec") or {}).get("containers", ()))
        for pod in view.kube.list("v1", "Pod", view.run)
    )


def _place(service: Object, port: Mapping[str, Any], pods: Sequence[Json]) -> Place:
    """Say where a port of a service is, and which of these pods are behind it."""
    selector = service.spec.get("selector")
    behind = [status.pod(pod).addresses for pod in pods if selects(selector, _labels(pod))]
    headless = service.spec.get("clusterIP") == "None"
    return Place(
        f"http://{service.name}.{service.namespace}:{port['port']}/",
        is_http=protocol_of(port) is Protocol.HTTP,
        cluster=f"outbound|{port['port']}||{service_host(service.name, service.namespace)}",
        pods=() if headless else tuple(filter(None, behind)),
    )


def _is_beginning(pod: Json, now: datetime) -> bool:
    """Tell whether it is ready, but has only just started, so that it may not answer yet."""
    if _labels(pod).get("app") == CLIENT or not status.pod(pod).is_ready:
        return False
    return any((now - moment).total_seconds() < START_UP for moment in _starts(pod))


def _starts(pod: Json) -> Iterator[datetime]:
    """Say when each of its app containers started to run."""
    for item in (pod.get("status") or {}).get("containerStatuses") or ():
        if moment := ((item.get("state") or {}).get("running") or {}).get("startedAt"):
            yield datetime.fromisoformat(moment.replace("Z", "+00:00"))


def _own(view: View, pods: Sequence[Json], objects: Sequence[Object]) -> list[Json]:
    """Pick the pods of the objects, and of other workloads of ours."""
    mine = {(item.kind, item.name) for item in objects}
    others = {_maker(pod)[0] for pod in pods if _maker(pod) not in mine}
    kinds = [each for each in OWN if each[1] in others]
    mine |= {(each[1], live["metadata"]["name"]) for each in kinds for live in view.own(each)}
    return [pod for pod in pods if _maker(pod) in mine]


def _maker(pod: Json) -> tuple[str, str]:
    """Give kind and name of what was applied to have this pod."""
    kind, name = status.owner(pod)
    return (kind, name) if kind else ("Pod", str(pod["metadata"]["name"]))


def _is_spoken_of(service: Object, objects: Sequence[Object], run: str) -> bool:
    host = service_host(service.name, service.namespace)
    return any(item.key == service.key for item in objects) or any(
        rivalry.holds_for(rule, [host], run) for rule in rules(objects)
    )


def _labels(pod: Json) -> dict[str, str]:
    return pod["metadata"].get("labels") or {}


def _may_speak_http(port: Mapping[str, Any]) -> bool:
    """Tell whether a port is HTTP by its name, or may well be as it has none."""
    found = protocol_of(port)
    named = port.get("name") or port.get("appProtocol")
    return found.takes_http_rules and not (found is Protocol.AUTO and named)
