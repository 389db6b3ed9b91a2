"""Services: their ports and protocols, who may see them, and by which names they are called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meshdemo.objects.labels import EXPORT_TO
from meshdemo.rules import hosts, visibility
from meshdemo.rules.protocols import Protocol, protocol_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from meshdemo.objects.model import Object

HEADLESS = "None"
"""The clusterIP of a Service without one."""


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
    is_headless: bool = False

    @property
    def host(self) -> str:
        """Its full name."""
        return hosts.service_host(self.name, self.namespace)

    @property
    def title(self) -> str:
        """How messages call it."""
        return f"Service {self.namespace}/{self.name}"

    def port(self, number: int) -> ServicePort | None:
        """Find a port by its number."""
        return next((port for port in self.ports if port.number == number), None)

    def takes_http_rules(self, number: int) -> bool:
        """Tell whether HTTP rules hold on a port of it."""
        port = self.port(number)
        return port is not None and port.protocol.takes_http_rules

    def selects(self, namespace: str, labels: Mapping[str, str]) -> bool:
        """Tell whether a pod is behind this service; without a selector none is."""
        return namespace == self.namespace and hosts.selects(self.selector, labels)

    def aliases(self, namespace: str) -> list[str]:
        """List the names by which a client of a namespace may call it, in istiod's order."""
        short, full = f"{self.name}.{self.namespace}", self.host
        if namespace == self.namespace:
            return [full, f"{full}.", self.name, f"{short}.svc", short]
        return [full, f"{full}.", short, f"{short}.svc"]


def read_services(objects: Iterable[Object]) -> list[Service]:
    """Read the Services, sorted by their full name."""
    found = [_service(item) for item in objects if item.kind == "Service" and not item.group]
    return sorted(found, key=lambda service: service.host)


def _service(item: Object) -> Service:
    named = {part.strip() for part in item.annotations.get(EXPORT_TO, "").split(",")} - {""}
    ports = tuple(_port(port) for port in item.spec.get("ports") or ())
    return Service(
        name=item.name,
        namespace=item.namespace,
        ports=tuple(port for port in ports if port.protocol is not Protocol.UDP),
        selector=item.spec.get("selector") or {},
        exported_to=visibility.exported_to(named, item.namespace),
        is_headless=item.spec.get("clusterIP") == HEADLESS,
    )


def _port(port: dict[str, Any]) -> ServicePort:
    return ServicePort(
        number=port["port"],
        name=port.get("name") or "",
        protocol=protocol_of(port),
        target=port.get("targetPort") or port["port"],
    )
