"""Services: their ports and protocols, who may see them, and the pods behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshdemo.objects.labels import EXPORT_TO
from meshdemo.rules import hosts
from meshdemo.rules.protocols import Protocol, protocol_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from meshdemo.engines.local.model import PlannedPod, PodPort
    from meshdemo.engines.local.translate.resources import Json
    from meshdemo.objects.model import Object

EVERYWHERE, HERE, NOWHERE = "*", ".", "~"


@dataclass(frozen=True, slots=True)
class ServicePort:
    """One port of a Service."""

    number: int
    name: str
    protocol: Protocol
    target: int | str
    """The port of the pods, by number or by the name that each pod gives it."""


@dataclass(frozen=True, slots=True)
class Service:
    """One Service, as far as routing cares."""

    name: str
    namespace: str
    ports: tuple[ServicePort, ...]
    selector: Mapping[str, str]
    exported_to: frozenset[str]

    @property
    def host(self) -> str:
        return hosts.service_host(self.name, self.namespace)

    def port(self, number: int) -> ServicePort | None:
        return next((port for port in self.ports if port.number == number), None)

    def is_visible_in(self, namespace: str) -> bool:
        if self.exported_to & {EVERYWHERE, namespace}:
            return True
        return HERE in self.exported_to and namespace == self.namespace

    def selects(self, pod: PlannedPod) -> bool:
        """Tell whether a pod is behind this service; without a selector none is."""
        here = pod.namespace == self.namespace
        return here and hosts.selects(self.selector, pod.labels)


def read_services(objects: Iterable[Object]) -> list[Service]:
    """Read the Services, sorted by their full name."""
    found = [_service(item) for item in objects if item.kind == "Service" and not item.group]
    return sorted(found, key=lambda service: service.host)


def _service(item: Object) -> Service:
    exported = {part.strip() for part in item.annotations.get(EXPORT_TO, "").split(",")} - {""}
    ports = tuple(_port(port) for port in item.spec.get("ports") or ())
    return Service(
        name=item.name,
        namespace=item.namespace,
        ports=tuple(port for port in ports if port.protocol is not Protocol.UDP),
        selector=item.spec.get("selector") or {},
        exported_to=frozenset(exported or {EVERYWHERE}),
    )


def _port(port: Json) -> ServicePort:
    return ServicePort(
        number=port["port"],
        name=port.get("name") or "",
        protocol=protocol_of(port),
        target=port.get("targetPort") or port["port"],
    )


def target_of(port: ServicePort, pod: PlannedPod) -> PodPort | None:
    """Find the port of a pod that a Service's port leads to."""
    if isinstance(port.target, str):
        return next((known for known in pod.ports if known.name == port.target), None)
    return next((known for known in pod.ports if known.number == port.target), None)


CLOSED = 1
"""A port on which nothing listens: only root could, and nobody uses tcpmux any more."""


def entries(
    service: Service, port: ServicePort, pods: Iterable[PlannedPod], labels: Mapping[str, str]
) -> Iterator[int]:
    """Give where on loopback the pods behind a port are reached, those with ``labels`` only.

    A number as targetPort leads to every pod, also to one with nothing behind that port: its
    connections are refused. A name leads only to pods that have a port of that name.
    """
    for pod in sorted(pods, key=lambda pod: pod.name):
        if not service.selects(pod) or not hosts.within(labels, pod.labels):
            continue
        if target := target_of(port, pod):
            yield target.entry
        elif isinstance(port.target, int):
            yield CLOSED
