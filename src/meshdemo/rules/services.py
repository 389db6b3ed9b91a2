"""Services, as Istio sees them: Kubernetes' own, and those that ServiceEntries add to the mesh.

Their ports and protocols, who may see them, by which names they are called, and who chooses where
a request goes.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from meshdemo.objects import stateful_sets
from meshdemo.objects.labels import EXPORT_TO
from meshdemo.rules import hosts, visibility
from meshdemo.rules.protocols import Protocol, protocol_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from meshdemo.objects.model import Object

HEADLESS = "None"
"""The clusterIP of a Service without one."""
EXTERNAL_NAME = "ExternalName"
"""The type of a Service that is another name for a host, and has no pods of its own."""

CLIENT_IP = "ClientIP"
"""The sessionAffinity by which kube-proxy sends the connections of a client to one pod."""


class Resolution(Enum):
    """Who chooses where a request to a service goes."""

    STATIC = "the sidecar, among the endpoints"
    DNS = "the sidecar, among the addresses that DNS knows"
    DIALLED = "whoever dialled: the connection goes to that address"
    ALIAS = "another service, of which this is one more name"


class ServicePort(Struct, frozen=True):
    """One port of a Service."""

    number: int
    name: str
    protocol: Protocol
    target: int | str
    """The port of the pods, by number or by the name that each pod gives it."""


class Endpoint(Struct, frozen=True):
    """One endpoint that a ServiceEntry names."""

    address: str
    """An IP address, or a name that DNS knows."""
    ports: Mapping[int, int]
    """Where each of the service's ports is there, by the port's number."""
    labels: Mapping[str, str]
    weight: int = 1


class Service(Struct, frozen=True):
    """One service, as far as routing cares."""

    name: str
    namespace: str
    ports: tuple[ServicePort, ...]
    selector: Mapping[str, str] | None
    """Which pods are behind it; None means no pod."""
    exported_to: frozenset[str]
    resolution: Resolution = Resolution.STATIC
    external_name: str = ""
    """The host that an alias stands for."""
    also_called: tuple[str, ...] = ()
    """The full names of the aliases that lead to it."""
    entry_host: str = ""
    """The host that a ServiceEntry gives it; empty for a Service of Kubernetes."""
    endpoints: tuple[Endpoint, ...] = ()
    """Those that ServiceEntries name, beside the pods."""
    keeps_client: bool = False
    """Its address leads a client to one pod always (sessionAffinity). No sidecar knows of it."""
    pod_names: tuple[str, ...] = ()
    """The pods that DNS knows by names of their own: those of a StatefulSet with this service."""
    addresses: tuple[str, ...] = ()
    """The IP addresses by which a ServiceEntry lets it be called."""
    cluster_ip: str = ""
    """The address that its manifest says; what a server would choose is not known."""

    @property
    def host(self) -> str:
        """Its full name."""
        return self.entry_host or hosts.service_host(self.name, self.namespace)

    @property
    def address(self) -> str:
        """The IP address that a client dials; empty where it is not known."""
        return self.cluster_ip or next(iter(self.addresses), "")

    @property
    def title(self) -> str:
        """How messages call it."""
        kind = "ServiceEntry" if self.is_entry else "Service"
        return f"{kind} {self.namespace}/{self.name}"

    @property
    def is_entry(self) -> bool:
        """Tell whether a ServiceEntry made it: only sidecars know it then."""
        return bool(self.entry_host)

    @property
    def is_alias(self) -> bool:
        """Tell whether it is only another name, of type ExternalName."""
        return self.resolution is Resolution.ALIAS

    @property
    def is_headless(self) -> bool:
        """Tell whether its name stands for its pods' own addresses, among which DNS chooses."""
        return self.resolution is Resolution.DIALLED and not self.is_entry

    def port(self, number: int) -> ServicePort | None:
        """Find a port by its number."""
        return next((port for port in self.ports if port.number == number), None)

    def takes_http_rules(self, number: int) -> bool:
        """Tell whether HTTP rules hold on a port of it."""
        port = self.port(number)
        return port is not None and port.protocol.takes_http_rules

    def selects(self, namespace: str, labels: Mapping[str, str]) -> bool:
        """Tell whether a pod is behind this service; without a selector none is.

        The empty selector of a ServiceEntry takes every pod, that of a Service none.
        """
        if namespace != self.namespace or self.selector is None:
            return False
        return hosts.within(self.selector, labels) and (self.is_entry or bool(self.selector))

    def aliases(self, namespace: str) -> list[str]:
        """List the names by which a client of a namespace may call it, in istiod's order.

        Source: ``generateVirtualHostDomains`` in istiod's core/httproute.go.
        """
        every = [n for host in (self.host, *self.also_called) for n in _names(host, namespace)]
        return [*every, *(f"[{ip}]" if ":" in ip else ip for ip in self.addresses)]

    def pod_aliases(self, pod: str, namespace: str) -> list[str]:
        """List the names by which a client of a namespace may call one of its pods."""
        return [f"{pod}.{name}" for name in _names(self.host, namespace)]


def _names(host: str, namespace: str) -> list[str]:
    """Complete a host by the shorter names that DNS makes of it in a namespace."""
    service, _, own = host.removesuffix(f".{hosts.DOMAIN}").partition(".")
    if not host.endswith(f".{hosts.DOMAIN}") or not own or "." in own:
        return [host, f"{host}."]
    short = f"{service}.{own}"
    if namespace == own:
        return [host, f"{host}.", service, f"{short}.svc", short]
    return [host, f"{host}.", short, f"{short}.svc"]


def of_kubernetes(objects: Iterable[Object]) -> list[Service]:
    """Read Kubernetes' own Services."""
    every = list(objects)
    sets = [item for item in every if item.kind == "StatefulSet"]
    found = [_service(item) for item in every if item.kind == "Service" and not item.group]
    return [
        replace(service, pod_names=tuple(_pod_names(service, sets)))
        if service.is_headless
        else service
        for service in found
    ]


def _pod_names(service: Service, sets: Iterable[Object]) -> Iterator[str]:
    """Give the names of the pods of the StatefulSets that name a headless service as theirs."""
    for item in sets:
        labels = (item.pod_template.get("metadata") or {}).get("labels") or {}
        if item.spec.get("serviceName") == service.name and service.selects(item.namespace, labels):
            yield from stateful_sets.pod_names(item)


def with_aliases(services: Iterable[Service]) -> list[Service]:
    """Tell each service which ExternalName Services lead to it, also by way of others.

    Source: ``resolveServiceAliases`` in istiod's push_context.go.
    """
    every = list(services)
    next_hop = {each.host: each.external_name for each in every if each.is_alias}
    leading: dict[str, list[Service]] = {}
    for alias in every:
        if alias.is_alias and (end := _end_of(alias.host, next_hop)):
            leading.setdefault(end, []).append(alias)
    names = {
        host: tuple(a.host for a in sorted(found, key=lambda a: (a.namespace, a.host)))
        for host, found in leading.items()
    }
    return [
        replace(each, also_called=names[each.host]) if each.host in names else each
        for each in every
    ]


def _end_of(host: str, next_hop: Mapping[str, str]) -> str:
    """Follow an alias to what is none; empty where that never ends."""
    seen: set[str] = set()
    while host in next_hop:
        if host in seen:
            return ""
        seen.add(host)
        host = next_hop[host]
    return host


def _service(item: Object) -> Service:
    named = {part.strip() for part in item.annotations.get(EXPORT_TO, "").split(",")} - {""}
    ports = tuple(_port(port) for port in item.spec.get("ports") or ())
    headless = item.spec.get("clusterIP") == HEADLESS
    return Service(
        name=item.name,
        namespace=item.namespace,
        ports=tuple(port for port in ports if port.protocol is not Protocol.UDP),
        selector=item.spec.get("selector") or {},
        exported_to=visibility.exported_to(named, item.namespace),
        resolution=Resolution.DIALLED if headless else _resolution(item),
        keeps_client=not headless and item.spec.get("sessionAffinity") == CLIENT_IP,
        external_name=str(item.spec.get("externalName") or "").rstrip("."),
        cluster_ip=_cluster_ip(item),
    )


def _cluster_ip(item: Object) -> str:
    address = str(item.spec.get("clusterIP") or "")
    return "" if address == HEADLESS else address


def _resolution(item: Object) -> Resolution:
    if item.spec.get("type") == EXTERNAL_NAME and item.spec.get("externalName"):
        return Resolution.ALIAS
    return Resolution.STATIC


def _port(port: dict[str, Any]) -> ServicePort:
    return ServicePort(
        number=port["port"],
        name=port.get("name") or "",
        protocol=protocol_of(port),
        target=port.get("targetPort") or port["port"],
    )
