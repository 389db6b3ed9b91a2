"""The outbound route configuration: which hosts there are, and where each one leads.

All ports share one route configuration, because our client names the port in the URL. What
istiod writes for one port at a time is worked out port by port, and told apart by the domains.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshdemo.engines.local.translate import error_replies, names, tcp_passthrough
from meshdemo.engines.local.translate.domains import HTTP_PORT, aliases, with_port
from meshdemo.engines.local.translate.resources import typed
from meshdemo.engines.local.translate.routes import Dialled, cluster_of, default_route, routes_of
from meshdemo.engines.local.translate.virtual_services import divide_hosts, governs_any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from meshdemo.engines.local.translate.resources import Json
    from meshdemo.engines.local.translate.scope import Scope
    from meshdemo.engines.local.translate.services import Service
    from meshdemo.engines.local.translate.virtual_services import VirtualService

LARGEST_BODY = 1024 * 1024
"""Bytes of a direct response, as istiod allows."""

TELLS_ATTEMPTS: Json = {"include_request_attempt_count": True}
"""Apps are told how often a request was tried."""


@dataclass(slots=True)
class Domains:
    """The domains that are taken: Envoy wants each one once, and the first claim counts."""

    namespace: str
    """The client's: it decides by which names a service can be called."""
    taken: set[str] = field(default_factory=set)

    def claim(self, wanted: Iterable[str]) -> list[str]:
        """Take those that are free."""
        free = [domain for domain in wanted if domain.lower() not in self.taken]
        self.taken.update(domain.lower() for domain in free)
        return free

    def aliases(self, service: Service) -> list[str]:
        return aliases(service.name, service.namespace, self.namespace)

    def of_service(self, service: Service, port: int, routes: list[Json]) -> Iterator[Json]:
        """Make the virtual host of a service's port, if a name is left for it."""
        free = self.claim(with_port(self.aliases(service), port))
        if free:
            yield {"name": f"{service.host}:{port}", "domains": free, "routes": routes}

    def of_name(self, name: str, port: int, routes: list[Json]) -> Iterator[Json]:
        """Make the virtual host of a name that only rules know."""
        if free := self.claim(with_port([name], port)):
            yield {"name": f"{name}:{port}", "domains": free, "routes": routes}


def route_configuration(virtual_hosts: list[Json]) -> Json:
    """Put virtual hosts into the one route configuration."""
    return typed(
        "envoy.config.route.v3.RouteConfiguration",
        name=names.ROUTES,
        virtual_hosts=virtual_hosts,
        validate_clusters=False,
        max_direct_response_body_size_bytes=LARGEST_BODY,
    )


def of_client(scope: Scope) -> list[Json]:
    """Work out the virtual hosts of an injected pod."""
    domains = Domains(scope.namespace)
    ports = {port.number for service in scope.services.values() for port in service.ports}
    found: list[Json] = []
    for number in sorted(ports | {HTTP_PORT}):
        found += sorted(_on_port(number, scope, domains), key=lambda host: str(host["name"]))
    for service in scope.hidden:
        for port in service.ports:
            cluster = names.passthrough(port.number, service.host)
            route = tcp_passthrough.plain_route(cluster)
            # A rule may have taken the full name, and with it the virtual host's.
            for host in domains.of_service(service, port.number, [route]):
                found.append(host | {"name": cluster})
    found += _missing_ports([*scope.services.values(), *scope.hidden], domains)
    rules = "no VirtualService names it for this client (without a Service: on port 80 only)"
    return [*found, error_replies.unknown_host(rules)]


def of_kube_proxy(services: Sequence[Service], namespace: str) -> list[Json]:
    """Work out the virtual hosts of pods without a sidecar: connections to any pod, no rules."""
    domains = Domains(namespace)
    found: list[Json] = []
    for service in services:
        for port in service.ports:
            route = tcp_passthrough.unseen_route(names.connection(port.number, service.host))
            found += domains.of_service(service, port.number, [route])
    found += _missing_ports(services, domains)
    return [*found, error_replies.unknown_host("a pod without a sidecar heeds no VirtualService")]


def _on_port(port: int, scope: Scope, domains: Domains) -> Iterator[Json]:
    """Work out what istiod writes for a listener on one port."""
    here = {host: service for host, service in scope.services.items() if service.port(port)}
    governed: set[str] = set()
    for rule in scope.virtual_services:
        others, services = _governed(rule, port, here, scope)
        routes = routes_of(rule, Dialled(port), scope) if others or services else []
        if not routes:  # it says nothing about this port, so the port keeps its normal routing
            continue
        for name in others:
            found = domains.of_name(name, port, routes)
            yield from (host | TELLS_ATTEMPTS for host in found)
        for service in services:
            governed.add(service.host)
            own = routes_of(rule, Dialled(port, service), scope)
            yield from (h | TELLS_ATTEMPTS for h in domains.of_service(service, port, own))
    for host, service in here.items():
        if host not in governed:
            yield from _without_rules(service, port, scope, domains)


def _governed(
    rule: VirtualService, port: int, here: Mapping[str, Service], scope: Scope
) -> tuple[list[str], list[Service]]:
    """Find the hosts that a rule governs on a port: names that are no service, and services.

    Names alone get routes on port 80 only; on others they go along with a service.
    """
    if port != HTTP_PORT and not governs_any(rule, here):
        return [], []
    others, services = divide_hosts(rule, here, scope.most_specific)
    services = [service for service in services if _takes_http_rules(service, port)]
    return (others, services) if services or port == HTTP_PORT else ([], [])


def _takes_http_rules(service: Service, port: int) -> bool:
    found = service.port(port)
    return found is not None and found.protocol.takes_http_rules


def _without_rules(service: Service, port: int, scope: Scope, domains: Domains) -> Iterator[Json]:
    if _takes_http_rules(service, port):
        route = default_route(cluster_of(service.host, "", port, Dialled(port, service), scope))
        yield from (host | TELLS_ATTEMPTS for host in domains.of_service(service, port, [route]))
    else:
        route = tcp_passthrough.unseen_route(names.connection(port, service.host))
        yield from domains.of_service(service, port, [route])


def _missing_ports(services: Iterable[Service], domains: Domains) -> Iterator[Json]:
    """Refuse calls to a service on a port that it does not have, and say which it has."""
    for service in services:
        aliased = domains.aliases(service)
        free = domains.claim([*aliased, *(f"{alias}:*" for alias in aliased)])
        yield error_replies.missing_port(service, free)
