"""VirtualServices: which of them a client follows, in which order, and for which hosts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshdemo.engines.local.translate.services import EVERYWHERE, HERE, NOWHERE
from meshdemo.rules import hosts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from meshdemo.engines.local.translate.resources import Json
    from meshdemo.engines.local.translate.services import Service
    from meshdemo.objects.model import Object

"""The gateway that means all sidecars."""


@dataclass(frozen=True, slots=True)
class VirtualService:
    """One VirtualService, its hosts written in full."""

    name: str
    namespace: str
    hosts: tuple[str, ...]
    http: tuple[Json, ...]
    exported_to: frozenset[str]

    @property
    def key(self) -> tuple[str, str]:
        return self.namespace, self.name

    def resolve(self, host: str) -> str:
        """Complete a short name that stands in this rule."""
        return hosts.resolve(host, self.namespace)


def read_virtual_services(objects: Iterable[Object]) -> list[VirtualService]:
    """Read those that govern sidecars, the oldest first."""
    found = [item for item in objects if item.kind == "VirtualService" and _is_for_sidecars(item)]
    found.sort(
        key=lambda item: (
            str(item.metadata.get("creationTimestamp") or ""),
            item.name,
            item.namespace,
        )
    )
    return [_virtual_service(item) for item in found]


def _is_for_sidecars(item: Object) -> bool:
    gateways = item.spec.get("gateways") or [hosts.MESH]
    return hosts.MESH in gateways and bool(item.spec.get("hosts"))


def _virtual_service(item: Object) -> VirtualService:
    exported = item.spec.get("exportTo") or [EVERYWHERE]
    return VirtualService(
        name=item.name,
        namespace=item.namespace,
        hosts=tuple(hosts.resolve(host, item.namespace) for host in item.spec["hosts"]),
        http=tuple(item.spec.get("http") or ()),
        exported_to=frozenset(item.namespace if to == HERE else to for to in exported),
    )


def followed_in(namespace: str, rules: Iterable[VirtualService]) -> list[VirtualService]:
    """Pick what clients of a namespace follow; for one host the first one wins.

    First those that only this namespace sees, then those of others that were exported to it by
    name, then those for all.
    """
    groups: tuple[list[VirtualService], ...] = ([], [], [])
    for rule in rules:
        if EVERYWHERE in rule.exported_to:
            groups[2].append(rule)
        elif namespace in rule.exported_to and NOWHERE not in rule.exported_to:
            groups[rule.namespace != namespace].append(rule)
    return [rule for group in groups for rule in group]


def governs_any(rule: VirtualService, services: Iterable[str]) -> bool:
    """Tell whether one of a rule's hosts is one of these services."""
    named = [host.lower() for host in rule.hosts]
    return any(hosts.overlap(host, service) for service in services for host in named)


def index_by_service(
    rules: Sequence[VirtualService], services: Iterable[Service]
) -> dict[str, tuple[str, str]]:
    """Find for each service the rule with the most specific host; the first of equals wins."""
    by_host: dict[str, tuple[str, str]] = {}
    for rule in rules:
        for host in rule.hosts:
            by_host.setdefault(host, rule.key)
    found = {}
    for service in services:
        if name := hosts.most_specific(service.host, by_host):
            found[service.host] = by_host[name]
    return found


def divide_hosts(
    rule: VirtualService,
    services: Mapping[str, Service],
    index: Mapping[str, tuple[str, str]],
) -> tuple[list[str], list[Service]]:
    """Divide the hosts of a rule into those that are no service, and services.

    A wildcard takes the services that no rule names more precisely. Here capitals do not count;
    for ``index`` they do, so a name in capitals yields to a wildcard as in istiod.
    """
    names: list[str] = []
    governed: list[Service] = []
    for host in sorted(map(str.lower, rule.hosts), key=hosts.is_wildcard):
        if not hosts.is_wildcard(host):
            if service := services.get(host):
                governed.append(service)
            else:
                names.append(host)
            continue
        fitting = [service for service in services.values() if hosts.overlap(host, service.host)]
        if not fitting:
            names.append(host)
        governed += [service for service in fitting if index.get(service.host) == rule.key]
    return names, governed
