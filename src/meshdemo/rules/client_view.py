"""What one client of a mesh sees of it: the services it can call, and the rules that it follows.

istiod works this out for each sidecar (``SidecarScope``); here the translation into Envoy's
configuration, what rules promise, and the warnings read it from one place.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from meshdemo.rules import destination_rules, gateways, sidecars, traffic_policies, visibility
from meshdemo.rules.destination_rules import ROOT_NAMESPACE
from meshdemo.rules.hosts import MESH, HostIndex
from meshdemo.rules.service_entries import read_services
from meshdemo.rules.services import Resolution
from meshdemo.rules.sidecars import Imports
from meshdemo.rules.virtual_services import followed_in, index_by_service, read_virtual_services

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meshdemo.objects.model import Object
    from meshdemo.rules.destination_rules import DestinationRule, DestinationRules
    from meshdemo.rules.gateways import Server
    from meshdemo.rules.services import Service
    from meshdemo.rules.sidecars import Sidecar
    from meshdemo.rules.traffic_policies import Json
    from meshdemo.rules.virtual_hosts import DomainIndex, VirtualHost
    from meshdemo.rules.virtual_services import VirtualService


class Client(Struct, frozen=True):
    """The pod that sends requests."""

    namespace: str
    labels: Mapping[str, str]
    injected: bool
    root_namespace: str = ROOT_NAMESPACE
    """Where its Istio finds the DestinationRules that hold for all namespaces."""
    gateway: str = ""
    """Which gateway it is, as NAMESPACE/NAME; empty for a pod."""


class MeshRules(Struct, frozen=True, dict=True):
    """Services and rules of a mesh, read once for all of its clients."""

    services: tuple[Service, ...]
    """Sorted by their full names."""
    destination_rules: DestinationRules
    virtual_services: tuple[VirtualService, ...]
    """Those for sidecars, or else for one gateway, the oldest first."""
    sidecars: tuple[Sidecar, ...] = ()
    """In the order in which they take precedence."""
    servers: tuple[Server, ...] | None = None
    """Those of the gateway; None where it is not there, and may take any host."""

    @classmethod
    def of(
        cls, objects: Sequence[Object], root_namespace: str = ROOT_NAMESPACE, gateway: str = ""
    ) -> MeshRules:
        """Read them from objects; with ``gateway`` those that hold there."""
        return cls(
            tuple(read_services(objects)),
            destination_rules.read_rules(objects, root_namespace),
            tuple(read_virtual_services(objects, gateway or MESH)),
            tuple(sidecars.read_sidecars(objects)),
            gateways.servers_among(objects, gateway) if gateway else None,
        )

    @cached_property
    def services_by_host(self) -> dict[str, list[Service]]:
        """The services by their full names: several namespaces may have one of the same name."""
        found: dict[str, list[Service]] = {}
        for service in self.services:
            found.setdefault(service.host, []).append(service)
        return found


class ClientView(Struct, frozen=True, dict=True):
    """What one client sees."""

    mesh: MeshRules
    client: Client

    @classmethod
    def of(cls, objects: Sequence[Object], client: Client) -> ClientView:
        """Look at objects with the eyes of a client."""
        return cls(MeshRules.of(objects, client.root_namespace, client.gateway), client)

    @cached_property
    def sidecar(self) -> Sidecar | None:
        """The Sidecar that says what it knows of the mesh; None where all of it is known."""
        client = self.client
        if not client.injected or client.gateway:
            return None
        return sidecars.choose(
            self.mesh.sidecars, client.namespace, client.labels, client.root_namespace
        )

    @cached_property
    def services(self) -> dict[str, Service]:
        """The services that it knows, by full name: each name has its virtual hosts."""
        found: dict[str, Service] = {}
        for service in self.mesh.services:
            known = self._imports.has_service(service.host, service.namespace)
            if known and self._sees(service):
                found[service.host] = self._nearer(found.get(service.host), service)
        return {host: self._as_imported(service) for host, service in found.items()}

    @cached_property
    def upstreams(self) -> dict[str, Service]:
        """The services that its requests may be sent to: also the destinations of its rules.

        Source: ``collectImportedServices`` in istiod's sidecar.go.
        """
        found = dict(self.services)
        for rule in self.virtual_services:
            for host, ports in rule.destinations(self.client.namespace).items():
                if host not in found and (service := self._destination(host)):
                    named = tuple(p for p in service.ports if p.number in ports or 0 in ports)
                    if named:
                        found[host] = replace(service, ports=named)
        return found

    @cached_property
    def hidden(self) -> tuple[Service, ...]:
        """Services that it does not know; it can call them, and no rule holds there.

        It cannot where its Sidecar lets it reach only what it knows. What ServiceEntries make is
        known to sidecars only.
        """
        if self.reaches_only_known:
            return ()
        return tuple(
            s for s in self.mesh.services if s.host not in self.services and not s.is_entry
        )

    @property
    def reaches_only_known(self) -> bool:
        """Tell whether what it does not know is kept from it (REGISTRY_ONLY)."""
        return self.sidecar is not None and self.sidecar.registry_only

    @cached_property
    def virtual_services(self) -> tuple[VirtualService, ...]:
        """Those that it gets, in the order in which they take precedence."""
        exported = followed_in(self.client.namespace, self.mesh.virtual_services)
        return tuple(r for r in exported if self._imports.has_rule(r.hosts, r.namespace))

    @cached_property
    def virtual_services_by_host(self) -> HostIndex[VirtualService]:
        """The same by their hosts."""
        return HostIndex((rule.hosts, rule) for rule in self.virtual_services)

    @cached_property
    def virtual_hosts(self) -> tuple[VirtualHost, ...]:
        """The names that it can call; see the module of that name, which imports this one."""
        from meshdemo.rules import virtual_hosts  # noqa: PLC0415

        return tuple(virtual_hosts.of_client(self))

    def at_port(self, port: int) -> list[VirtualHost]:
        """Give those of one port of a gateway."""
        return [host for host in self.virtual_hosts if host.port == port]

    @cached_property
    def domains_by_port(self) -> dict[int, DomainIndex]:
        """Those of a gateway by their domains, for each of its ports."""
        from meshdemo.rules import virtual_hosts  # noqa: PLC0415

        ports = gateways.ports(self.mesh.servers)
        return {port: virtual_hosts.DomainIndex(self.at_port(port)) for port in ports}

    @cached_property
    def domains(self) -> DomainIndex:
        """Those of a pod by their domains; without a sidecar names of Services, and no rules."""
        from meshdemo.rules import virtual_hosts  # noqa: PLC0415

        if self.client.injected:
            return virtual_hosts.DomainIndex(self.virtual_hosts)
        known = virtual_hosts.of_kube_proxy(self.mesh.services, self.client.namespace)
        return virtual_hosts.DomainIndex(known)

    @cached_property
    def most_specific(self) -> dict[str, tuple[str, str]]:
        """The key of the VirtualService that names a service best, by the service's full name."""
        return index_by_service(self.virtual_services, self.services.values())

    @cached_property
    def destination_rules(self) -> dict[str, DestinationRule]:
        """The DestinationRule that it follows, by the full name of the service."""
        found = {host: self.destination_rule(host) for host in self.upstreams}
        return {host: rule for host, rule in found.items() if rule}

    def destination_rule(self, host: str) -> DestinationRule | None:
        """Give the one that it follows towards a host, made of all that Istio merges.

        Without a sidecar it follows none.
        """
        if not self.client.injected:
            return None
        client, known = self.client, self.mesh.destination_rules
        service = self.upstreams.get(host)
        owner = service.namespace if service else ""
        return destination_rules.choose(known, host, client.namespace, client.labels, owner)

    def inbound_policy(self, host: str, port: int) -> Json:
        """Give what holds for requests that the client itself takes, as a pod of a service."""
        client, known = self.client, self.mesh.destination_rules
        rule = destination_rules.choose(known, host, client.namespace, None)
        return traffic_policies.effective(rule, port)

    def passes_through(self, host: str, subset: str, port: int) -> bool:
        """Tell whether a destination means: wherever the client dialled.

        A rule may say so (PASSTHROUGH); a headless service, and a ServiceEntry without resolution,
        are never anything else.
        """
        service = self.upstreams.get(host)
        if service and service.resolution is Resolution.DIALLED:
            return service.port(port) is not None
        rule = self.destination_rules.get(host)
        if rule is None:
            return False
        part = rule.subset(subset) if subset else None
        known = part is not None or not subset
        return known and traffic_policies.passes_through(rule, port, part)

    @cached_property
    def _imports(self) -> Imports:
        egress = self.sidecar.egress if self.sidecar else ()
        return Imports.of(egress, self.client.namespace)

    def _sees(self, service: Service) -> bool:
        return visibility.sees(service.exported_to, self.client.namespace)

    def _nearer(self, one: Service | None, other: Service) -> Service:
        """Choose between two services of one name, of which ``one`` comes first.

        That of the client's namespace, else that of Kubernetes, else the first
        (``selectServices``).
        """
        if one is None or other.namespace == self.client.namespace:
            return other
        if one.namespace == self.client.namespace:
            return one
        return other if one.is_entry and not other.is_entry else one

    def _as_imported(self, service: Service) -> Service:
        """Leave out the aliases that a Sidecar does not name (``matchingAliasService``)."""
        if not service.also_called or self.sidecar is None:
            return service
        known = (
            name
            for name in service.also_called
            if self._imports.has_service(name, service.namespace)
        )
        return replace(service, also_called=tuple(known))

    def _destination(self, host: str) -> Service | None:
        """Find the service that a rule sends to though no name of it is known."""
        found: Service | None = None
        for service in self.mesh.services_by_host.get(host, ()):
            if service.namespace == self.client.namespace or self._sees(service):
                found = self._nearer(found, service)
        return found
