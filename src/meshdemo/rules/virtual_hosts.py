"""The names that a client can call, and who decides about requests to each: Envoy's virtual hosts.

What istiod writes for one port at a time (``BuildSidecarVirtualHostWrapper`` in core/route) stands
here for all ports, told apart by the domains: as in Envoy each domain belongs to the first that
claims it. The local engine writes its route configuration from these, and what rules promise is
looked up in them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.rules import gateways
from meshdemo.rules.hosts import HTTP_PORT, HostIndex, is_wildcard
from meshdemo.rules.virtual_services import divide_hosts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from meshdemo.rules.client_view import ClientView
    from meshdemo.rules.services import Service
    from meshdemo.rules.virtual_services import VirtualService


class VirtualHost(Struct, frozen=True):
    """What the client dials, and which rule decides about it."""

    domains: tuple[str, ...]
    host: str
    """The full name of the service, or the name that only a rule knows."""
    port: int
    """0 for the ports that a service does not have."""
    service: Service | None = None
    """None where only a rule knows the name."""
    rule: VirtualService | None = None
    """The VirtualService whose HTTP rules hold; None where none does."""
    passes_on: bool = False
    """Connections go on unseen: the service is not exported to the client, or it has no sidecar."""
    pod: str = ""
    """The only pod that is called, where its own name is."""
    to_https: bool = False
    """A gateway sends plain HTTP on to https, whatever rules say."""

    @property
    def name(self) -> str:
        """How istiod calls it."""
        return f"{f'{self.pod}.' if self.pod else ''}{self.host}:{self.port or '*'}"

    @property
    def takes_connections(self) -> bool:
        """Tell whether something else than HTTP may be sent there."""
        port = self.service.port(self.port) if self.service else None
        return port is not None and (self.passes_on or port.protocol.takes_connections)

    @property
    def chooses_by_connection(self) -> bool:
        """Tell whether a pod is chosen for a connection, and no HTTP is seen."""
        if self.service is None or not self.port or self.rule:
            return False
        return self.passes_on or not self.service.takes_http_rules(self.port)


@dataclass(slots=True)
class _Domains:
    """The domains that are taken: Envoy wants each one once, and the first claim counts."""

    namespace: str
    taken: set[str] = field(default_factory=set)
    services: Mapping[str, Service] = field(default_factory=dict)
    """By their full names: none of these is a short name of another one, on ports that it has."""

    def claim(self, wanted: Iterable[str]) -> tuple[str, ...]:
        free = tuple(domain for domain in wanted if domain.lower() not in self.taken)
        self.taken.update(domain.lower() for domain in free)
        return free

    def of_service(
        self,
        service: Service,
        port: int,
        rule: VirtualService | None = None,
        *,
        passes_on: bool = False,
    ) -> Iterator[VirtualHost]:
        """Give the virtual host of a service's port, if a name is left for it, and of its pods."""
        names = [
            name
            for name in service.aliases(self.namespace)
            if name in (service.host, *service.also_called) or not self._is_full_name(name, port)
        ]
        if free := self.claim(_with_port(names, port)):
            yield VirtualHost(free, service.host, port, service, rule, passes_on)
        for pod in service.pod_names:
            names = service.pod_aliases(pod, self.namespace)
            if free := self.claim(_with_port(names, port)):
                yield VirtualHost(free, service.host, port, service, rule, passes_on, pod)

    def _is_full_name(self, name: str, port: int) -> bool:
        known = self.services.get(name)
        return known is not None and known.port(port) is not None

    def passing_on(self, services: Iterable[Service]) -> Iterator[VirtualHost]:
        """Give the virtual hosts of services whose connections go on unseen."""
        for service in services:
            for port in () if service.is_alias else service.ports:
                yield from self.of_service(service, port.number, passes_on=True)

    def of_name(self, name: str, port: int, rule: VirtualService) -> Iterator[VirtualHost]:
        """Give the virtual host of a name that only rules know."""
        if free := self.claim(_with_port([name], port)):
            yield VirtualHost(free, name, port, None, rule)

    def without_port(self, services: Iterable[Service]) -> Iterator[VirtualHost]:
        """Give what is left of each service's names: the ports that it does not have.

        Aliases come last: what leads to a service counts as its own.
        """
        for service in sorted(services, key=lambda service: service.is_alias):
            aliases = service.aliases(self.namespace)
            whole = (alias for alias in aliases if not is_wildcard(alias))
            if free := self.claim([*aliases, *(f"{alias}:*" for alias in whole)]):
                yield VirtualHost(free, service.host, 0, service)


def of_client(view: ClientView) -> list[VirtualHost]:
    """List the virtual hosts of a client with a sidecar, or of a gateway."""
    if view.client.gateway:
        return list(_of_gateway(view))
    domains = _Domains(view.client.namespace, services=view.services)
    by_port: dict[int, dict[str, Service]] = {HTTP_PORT: {}}
    for host, service in view.services.items():
        for port in service.ports:
            by_port.setdefault(port.number, {})[host] = service
    # Capitals in the hosts of rules do not count here.
    rules = HostIndex((map(str.lower, rule.hosts), rule) for rule in view.virtual_services)
    found: list[VirtualHost] = []
    for number, here in sorted(by_port.items()):
        # Names that are no service get routes on port 80 only.
        known = view.virtual_services if number == HTTP_PORT else rules.overlapping(*here)
        found += sorted(_on_port(number, here, known, view, domains), key=lambda host: host.name)
    found += domains.passing_on(view.hidden)
    if view.reaches_only_known:
        return found
    return [*found, *domains.without_port([*view.services.values(), *view.hidden])]


def _of_gateway(view: ClientView) -> Iterator[VirtualHost]:
    """List those of a gateway: hosts of its rules, on each of its ports."""
    for port in gateways.ports(view.mesh.servers):
        yield from _at_gateway_port(port, view)


def _at_gateway_port(port: int, view: ClientView) -> Iterator[VirtualHost]:
    """List those of one port: each is a listener of its own, so the same names come again."""
    found: dict[str, VirtualService] = {}
    to_https: dict[str, bool] = {}
    for rule in view.virtual_services:
        for host, redirects in gateways.hosts_at(rule, view.mesh.servers, port).items():
            found[host] = gateways.merged(found[host], rule) if host in found else rule
            to_https[host] = redirects
    for host, rule in found.items():
        whole = () if is_wildcard(host) else (f"{host}:*",)
        yield VirtualHost((host, *whole), host, port, None, rule, to_https=to_https[host])


def of_kube_proxy(services: Sequence[Service], namespace: str) -> list[VirtualHost]:
    """List those of a client without a sidecar: no rules, and a pod for each connection."""
    domains = _Domains(namespace)
    known = [service for service in services if not service.is_entry]
    return [*domains.passing_on(known), *domains.without_port(known)]


class DomainIndex:
    """Virtual hosts by their domains."""

    def __init__(self, hosts: Iterable[VirtualHost]) -> None:
        self._known = {domain.lower(): each for each in hosts for domain in each.domains}
        self._fronts = [domain for domain in self._known if domain.startswith("*")]
        self._ends = [domain for domain in self._known if domain.endswith("*")]

    def search(self, host: str, port: int) -> VirtualHost | None:
        """Find who decides about a request, by its host and port: as Envoy searches domains.

        The whole name, else the longest wildcard at its front, else the longest at its end.
        """
        called = host.lower() if port == HTTP_PORT else f"{host.lower()}:{port}"
        if called in self._known:
            return self._known[called]
        fronts = [domain for domain in self._fronts if called.endswith(domain[1:])]
        ends = [domain for domain in self._ends if called.startswith(domain[:-1])]
        fitting = max(fronts or ends, key=len, default="")
        return self._known.get(fitting)


def _on_port(
    port: int,
    here: Mapping[str, Service],
    rules: Iterable[VirtualService],
    view: ClientView,
    domains: _Domains,
) -> Iterator[VirtualHost]:
    """Work out what istiod writes for a listener on one port, for the services that have it."""
    client = view.client
    governed: set[str] = set()
    for rule in rules:
        names, services = _governed(rule, port, here, view)
        if not any(rule.http_rules(port, client.namespace, client.labels)):
            continue  # it says nothing about this port, so the port keeps its normal routing
        for name in names:
            yield from domains.of_name(name, port, rule)
        for service in services:
            governed.add(service.host)
            yield from domains.of_service(service, port, rule)
    for host, service in here.items():
        if host not in governed and not service.is_alias:
            yield from domains.of_service(service, port)


def _governed(
    rule: VirtualService, port: int, here: Mapping[str, Service], view: ClientView
) -> tuple[list[str], list[Service]]:
    """Find the hosts that a rule governs on a port: names that are no service, and services.

    Names alone get routes on port 80 only; on others they go along with a service.
    """
    names, services = divide_hosts(rule, here, view.most_specific)
    services = [service for service in services if service.takes_http_rules(port)]
    return (names, services) if services or port == HTTP_PORT else ([], [])


def _with_port(names: Iterable[str], port: int) -> list[str]:
    """Write the domains of a virtual host: only port 80 may be left out of a URL."""
    if port == HTTP_PORT:
        return [domain for name in names for domain in (name, f"{name}:{port}")]
    return [f"{name}:{port}" for name in names]
