"""ServiceEntries: hosts that they add to the mesh, each of which is a service to the sidecars.

Source: ``convertServices`` and ``convertServiceEntryToInstances`` in istiod's serviceentry package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec.structs import replace

from meshdemo.rules import hosts, services, visibility
from meshdemo.rules.protocols import Protocol, named_protocol
from meshdemo.rules.services import Endpoint, Resolution, Service, ServicePort

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meshdemo.objects.model import Object

Json: TypeAlias = "dict[str, Any]"

KIND = "ServiceEntry"
RESOLUTIONS = {
    "STATIC": Resolution.STATIC,
    "DNS": Resolution.DNS,
    "DNS_ROUND_ROBIN": Resolution.DNS,
    "NONE": Resolution.DIALLED,
}
"""By the words of a ServiceEntry, of which the last holds where none is said."""


def read_services(objects: Iterable[Object]) -> list[Service]:
    """Read all services of a mesh, sorted by their full name; of one name the oldest first."""
    every = list(objects)
    entries = sorted((item for item in every if item.kind == KIND), key=lambda item: item.age)
    own = services.of_kubernetes(every)
    joined = _joined([*own, *(each for item in entries for each in entry_services(item))])
    return sorted(services.with_aliases(joined), key=lambda service: service.host)


def entry_services(item: Object) -> Iterator[Service]:
    """Make a service of each host of a ServiceEntry."""
    spec = item.spec
    ports = list(map(_port, spec.get("ports") or ()))
    selector = spec.get("workloadSelector")
    for host in spec.get("hosts") or ():
        yield Service(
            name=item.name,
            namespace=item.namespace,
            ports=tuple(port for port in ports if port.protocol is not Protocol.UDP),
            selector=None if selector is None else selector.get("labels") or {},
            exported_to=visibility.exported_to(spec.get("exportTo") or (), item.namespace),
            resolution=RESOLUTIONS.get(spec.get("resolution") or "NONE", Resolution.DIALLED),
            entry_host=host,
            endpoints=tuple(_endpoints(spec, host)),
            # Of several addresses istiod makes as many services of one name: the last one counts.
            addresses=tuple(ip for ip in (spec.get("addresses") or ())[-1:] if "/" not in ip),
        )


def _port(port: Json) -> ServicePort:
    return ServicePort(
        number=port["number"],
        name=port.get("name") or "",
        protocol=named_protocol(port.get("protocol") or ""),
        target=port.get("targetPort") or port["number"],
    )


def _endpoints(spec: Json, host: str) -> Iterator[Endpoint]:
    """Give the endpoints of a host: DNS finds it itself where nothing else is said."""
    given = spec.get("endpoints") or []
    dns = RESOLUTIONS.get(spec.get("resolution") or "NONE") is Resolution.DNS
    if not given and dns and spec.get("workloadSelector") is None:
        given = [{"address": host}]
    for endpoint in given:
        own = endpoint.get("ports") or {}
        ports = {
            port["number"]: own.get(port.get("name")) or port.get("targetPort") or port["number"]
            for port in spec.get("ports") or ()
        }
        yield Endpoint(
            address=endpoint.get("address") or "",
            ports=ports,
            labels=endpoint.get("labels") or {},
            weight=endpoint.get("weight") or 1,
        )


def service_behind(
    endpoint: Endpoint, services: Iterable[Service], namespace: str
) -> Service | None:
    """Find the Service of Kubernetes that DNS finds behind a name, for a client of a namespace.

    Its address is that of the Service, so that a pod is chosen for each connection.
    """
    full = hosts.dialled(endpoint.address, namespace)
    return next((s for s in services if s.host == full and not s.is_entry and not s.is_alias), None)


def _joined(found: Iterable[Service]) -> list[Service]:
    """Join what has one name in one namespace: a Service of Kubernetes leads, else the oldest.

    The leader's endpoints are those of all, and ports are added only among ServiceEntries of one
    resolution (``mergeServicesInstancesByNamespaceHost``, ``canMergeServices``).
    """
    leading: dict[tuple[str, str], Service] = {}
    for service in found:
        key = (service.host, service.namespace)
        leader = leading.get(key)
        leading[key] = service if leader is None else _with(leader, service)
    return list(leading.values())


def _with(leader: Service, other: Service) -> Service:
    joins = leader.is_entry and leader.resolution is other.resolution
    fresh = [port for port in other.ports if joins and leader.port(port.number) is None]
    return replace(
        leader,
        ports=(*leader.ports, *fresh),
        endpoints=leader.endpoints + other.endpoints,
        selector=other.selector if leader.selector is None else leader.selector,
    )
