"""What one client of the mesh sees: the services, and the rules that it follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshdemo.engines.local.translate import policies, services
from meshdemo.engines.local.translate import virtual_services as virtual
from meshdemo.rules import destination_rules

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshdemo.engines.local.model import Mesh, PlannedPod
    from meshdemo.engines.local.translate.services import Service
    from meshdemo.engines.local.translate.virtual_services import VirtualService
    from meshdemo.rules.destination_rules import Rule


@dataclass(frozen=True, slots=True)
class Scope:
    """What one client sees."""

    namespace: str
    labels: Mapping[str, str]
    services: Mapping[str, Service]
    """By full name."""
    hidden: tuple[Service, ...]
    """Services that are not exported to the client; it can call them, and no rule holds there."""
    rules: Mapping[str, Rule]
    """The DestinationRule to follow, by the full name of the service."""
    virtual_services: tuple[VirtualService, ...]
    """For one host the first one wins."""
    most_specific: Mapping[str, tuple[str, str]]
    """The key of the VirtualService that names a service best, by the service's full name."""

    def passes_through(self, host: str, subset: str, port: int) -> bool:
        """Tell whether a destination means: wherever the client dialled."""
        rule = self.rules.get(host)
        if rule is None:
            return False
        part = rule.subset(subset) if subset else None
        return (part is not None or not subset) and policies.passes_through(rule, port, part)


def scope_of(mesh: Mesh, client: PlannedPod) -> Scope:
    """Work out what an injected pod sees."""
    every = services.read_services(mesh.objects)
    visible = {s.host: s for s in every if s.is_visible_in(client.namespace)}
    known = destination_rules.read_rules(mesh.objects)
    chosen = {
        host: rule
        for host in visible
        if (rule := destination_rules.choose(known, host, client.namespace, client.labels))
    }
    followed = virtual.followed_in(client.namespace, virtual.read_virtual_services(mesh.objects))
    return Scope(
        namespace=client.namespace,
        labels=client.labels,
        services=visible,
        hidden=tuple(service for service in every if service.host not in visible),
        rules=chosen,
        virtual_services=tuple(followed),
        most_specific=virtual.index_by_service(followed, visible.values()),
    )
