"""What one client of a mesh sees of it: the services it can call, and the rules that it follows.

istiod works this out for each sidecar (``SidecarScope``); here the translation into Envoy's
configuration, what rules promise, and the warnings read it from one place.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from meshdemo.rules import destination_rules, traffic_policies, visibility
from meshdemo.rules.destination_rules import ROOT_NAMESPACE
from meshdemo.rules.services import read_services
from meshdemo.rules.virtual_services import followed_in, index_by_service, read_virtual_services

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meshdemo.objects.model import Object
    from meshdemo.rules.destination_rules import DestinationRule, DestinationRules
    from meshdemo.rules.services import Service
    from meshdemo.rules.virtual_services import VirtualService


@dataclass(frozen=True, slots=True)
class Client:
    """The pod that sends requests."""

    namespace: str
    labels: Mapping[str, str]
    injected: bool
    root_namespace: str = ROOT_NAMESPACE
    """Where its Istio finds the DestinationRules that hold for all namespaces."""


@dataclass(frozen=True, slots=True)
class MeshRules:
    """Services and rules of a mesh, read once for all of its clients."""

    services: tuple[Service, ...]
    """Sorted by their full names."""
    destination_rules: DestinationRules
    virtual_services: tuple[VirtualService, ...]
    """Those for sidecars, the oldest first."""

    @classmethod
    def of(cls, objects: Sequence[Object], root_namespace: str = ROOT_NAMESPACE) -> MeshRules:
        """Read them from objects."""
        return cls(
            tuple(read_services(objects)),
            destination_rules.read_rules(objects, root_namespace),
            tuple(read_virtual_services(objects)),
        )


@dataclass(frozen=True)
class ClientView:
    """What one client sees."""

    mesh: MeshRules
    client: Client

    @classmethod
    def of(cls, objects: Sequence[Object], client: Client) -> ClientView:
        """Look at objects with the eyes of a client."""
        return cls(MeshRules.of(objects, client.root_namespace), client)

    @cached_property
    def services(self) -> dict[str, Service]:
        """The services that it sees, by full name."""
        return {s.host: s for s in self.mesh.services if self._sees(s)}

    @cached_property
    def hidden(self) -> tuple[Service, ...]:
        """Services that are not exported to it; it can call them, and no rule holds there."""
        return tuple(s for s in self.mesh.services if not self._sees(s))

    @cached_property
    def virtual_services(self) -> tuple[VirtualService, ...]:
        """Those that it gets, in the order in which they take precedence."""
        return tuple(followed_in(self.client.namespace, self.mesh.virtual_services))

    @cached_property
    def most_specific(self) -> dict[str, tuple[str, str]]:
        """The key of the VirtualService that names a service best, by the service's full name."""
        return index_by_service(self.virtual_services, self.services.values())

    @cached_property
    def destination_rules(self) -> dict[str, DestinationRule]:
        """The DestinationRule that it follows, by the full name of the service."""
        found = {host: self.destination_rule(host) for host in self.services}
        return {host: rule for host, rule in found.items() if rule}

    def destination_rule(self, host: str) -> DestinationRule | None:
        """Give the one that it follows towards a host, made of all that Istio merges.

        Without a sidecar it follows none.
        """
        if not self.client.injected:
            return None
        client, known = self.client, self.mesh.destination_rules
        return destination_rules.choose(known, host, client.namespace, client.labels)

    def passes_through(self, host: str, subset: str, port: int) -> bool:
        """Tell whether a destination means: wherever the client dialled."""
        rule = self.destination_rules.get(host)
        if rule is None:
            return False
        part = rule.subset(subset) if subset else None
        known = part is not None or not subset
        return known and traffic_policies.passes_through(rule, port, part)

    def _sees(self, service: Service) -> bool:
        return visibility.sees(service.exported_to, self.client.namespace)
