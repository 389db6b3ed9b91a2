"""Where something must answer before a measurement is fair: ports whose pods have only just begun.

That a pod is ready does not say that its app listens yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from meshdemo.engines.cluster.namespace_view import OWN
from meshdemo.engines.cluster.pods import status
from meshdemo.engines.cluster.sidecar.data_plane import Place
from meshdemo.engines.test_client import CLIENT
from meshdemo.objects.model import traffic_rules
from meshdemo.rules import virtual_services
from meshdemo.rules.hosts import selects, service_host
from meshdemo.rules.protocols import Protocol, protocol_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from meshdemo.engines.cluster.api.kube import Json
    from meshdemo.engines.cluster.namespace_view import View
    from meshdemo.objects.model import Object

START_UP = 30.0
"""Seconds of a container's life in which not to answer is part of its start."""


class Start(Struct, frozen=True):
    """The pods of our namespace, and of those of the objects, that are ready and have just begun.

    They are those of one look: what begins later was not asked for by whom this is made.
    """

    view: View
    objects: Sequence[Object]
    """What was applied, and is to answer now."""
    pods: Sequence[Json]

    @classmethod
    def seen(cls, view: View, objects: Sequence[Object]) -> Start:
        """Look at the pods once."""
        now = view.kube.now()
        spaces = {view.run: None} | {item.namespace: None for item in objects if item.makes_pods}
        live = [pod for space in spaces for pod in view.kube.list("v1", "Pod", space)]
        return cls(view, objects, [pod for pod in live if _is_beginning(pod, now)])

    def places(self) -> list[Place]:
        """Give the ports of services that our pods, or those objects speak of, begin to serve.

        What others run here and nobody speaks of is not our concern, and what is not ready gets
        no requests. Ports of other protocols than HTTP are left out: a sidecar takes their
        connections whether or not the app listens. So are ports whose name is not a protocol's, as
        ``ssh``, and the test client: it sends, and need not listen on the port that the article's
        Service of it names.
        """
        if not self.pods:
            return []
        own = self._own()
        known = {item.key: item for item in (*self.objects, *self.view.seen())}
        return [
            _place(item, port, self.pods)
            for item in known.values()
            if item.kind == "Service"
            and _selected(
                item, self.pods if _is_spoken_of(item, self.objects, self.view.run) else own
            )
            for port in item.spec.get("ports") or ()
            if _may_speak_http(port)
        ]

    def is_unproved(self, asked: Sequence[Place]) -> bool:
        """Tell whether a pod of the objects may end again all the same.

        Without a readiness probe a pod is ready for the moment that it takes to crash. What has
        answered us has got farther.
        """
        answered = {address for place in asked for pod in place.pods for address in pod}
        return any(
            _maker(pod) in self._mine
            and answered.isdisjoint(status.pod(pod).addresses)
            and not all(c.get("readinessProbe") for c in pod["spec"]["containers"])
            for pod in self.pods
        )

    @property
    def _mine(self) -> set[tuple[str, str, str]]:
        return {(item.kind, item.namespace, item.name) for item in self.objects}

    def _own(self) -> list[Json]:
        """Pick the pods of the objects, and of other workloads of ours."""
        mine = self._mine
        others = {_maker(pod)[0] for pod in self.pods if _maker(pod) not in mine}
        kinds = [each for each in OWN if each[1] in others]
        mine |= {
            (each[1], self.view.run, live["metadata"]["name"])
            for each in kinds
            for live in self.view.own(each)
        }
        return [pod for pod in self.pods if _maker(pod) in mine]


def _place(service: Object, port: Mapping[str, Any], pods: Sequence[Json]) -> Place:
    """Say where a port of a service is, and which of these pods it selects."""
    selected = [status.pod(pod).addresses for pod in _selected(service, pods)]
    headless = service.spec.get("clusterIP") == "None"
    return Place(
        f"http://{service.name}.{service.namespace}:{port['port']}/",
        is_http=protocol_of(port) is Protocol.HTTP,
        cluster=f"outbound|{port['port']}||{service_host(service.name, service.namespace)}",
        pods=() if headless else tuple(filter(None, selected)),
    )


def _selected(service: Object, pods: Sequence[Json]) -> list[Json]:
    """Pick the pods that a Service leads to."""
    here = [pod for pod in pods if pod["metadata"]["namespace"] == service.namespace]
    return [pod for pod in here if selects(service.spec.get("selector"), _labels(pod))]


def _is_beginning(pod: Json, now: datetime) -> bool:
    """Tell whether it is ready, but has only just started, so that it may not answer yet.

    One that is being deleted may still be ready, but no service leads to it any more.
    """
    going = pod["metadata"].get("deletionTimestamp")
    if going or _labels(pod).get("app") == CLIENT or not status.pod(pod).is_ready:
        return False
    return any((now - moment).total_seconds() < START_UP for moment in status.starts(pod))


def _maker(pod: Json) -> tuple[str, str, str]:
    """Give kind, namespace and name of what was applied to have this pod."""
    kind, name = status.owner(pod)
    space = str(pod["metadata"]["namespace"])
    return (kind, space, name) if kind else ("Pod", space, str(pod["metadata"]["name"]))


def _is_spoken_of(service: Object, objects: Sequence[Object], run: str) -> bool:
    host = service_host(service.name, service.namespace)
    return any(item.key == service.key for item in objects) or any(
        virtual_services.holds_for(rule, [host], run) for rule in traffic_rules(objects)
    )


def _labels(pod: Json) -> dict[str, str]:
    return pod["metadata"].get("labels") or {}


def _may_speak_http(port: Mapping[str, Any]) -> bool:
    """Tell whether a port is HTTP by its name, or may well be as it has none."""
    found = protocol_of(port)
    named = port.get("name") or port.get("appProtocol")
    return found.takes_http_rules and not (found is Protocol.AUTO and named)
