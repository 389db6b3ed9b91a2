"""VirtualServices as they were written, filed so that one request looks at those for its host only.

Whoever follows many requests through the same objects makes this once for all of them.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.rules import virtual_services
from meshdemo.rules.delegates import Delegates
from meshdemo.rules.hosts import HostIndex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshdemo.objects.model import Object
    from meshdemo.rules.delegates import Key, Origin
    from meshdemo.rules.virtual_services import VirtualService


class WrittenRules(Struct, frozen=True, dict=True):
    """The rules among objects of any kind."""

    objects: Sequence[Object]

    @cached_property
    def with_hosts(self) -> list[Object]:
        """All VirtualServices that are for hosts: those that are no delegates."""
        every = (item for item in self.objects if item.kind == "VirtualService")
        return [rule for rule in every if rule.spec.get("hosts")]

    def naming(self, host: str) -> list[Object]:
        """Give the VirtualServices of which a host, or a wildcard, may be for this one."""
        return self._by_host.overlapping(host)

    def origins(self, rule: VirtualService) -> list[Origin]:
        """Say of each http rule of a VirtualService where it was written."""
        own = rule.origins or tuple((rule.key, number) for number in range(len(rule.http)))
        known = self._delegates.known
        for key in {key for key, _ in own} - self._origins.keys():
            self._origins[key] = [origin for _, origin in self._delegates.rules_of(known[key])]
        return [self._origins[key][number] for key, number in own]

    @cached_property
    def _origins(self) -> dict[Key, list[Origin]]:
        """Those that were asked for so far, by the keys of their VirtualServices."""
        return {}

    @cached_property
    def _by_host(self) -> HostIndex[Object]:
        return HostIndex((virtual_services.hosts_of(rule), rule) for rule in self.with_hosts)

    @cached_property
    def _delegates(self) -> Delegates:
        return Delegates.among(self.objects)
