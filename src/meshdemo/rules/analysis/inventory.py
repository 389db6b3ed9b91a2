"""What rules can refer to: services, subsets, pods, and one another. Pure."""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct, field

from meshdemo.objects.place import Place, top
from meshdemo.rules import hosts, virtual_services
from meshdemo.rules.delegates import Delegates
from meshdemo.rules.hosts import HostIndex

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from meshdemo.objects.model import Object


class Inventory(Struct, frozen=True, dict=True):
    """All that will be there, as far as it is known."""

    objects: tuple[Object, ...]
    moment: str
    """When that will be created which is not there yet."""
    created: Mapping[tuple[str, str, str, str], str] = field(default_factory=dict)
    """When each object was created that is there already."""
    running: tuple[tuple[str, Mapping[str, str]], ...] = ()
    """Namespace and labels of pods, beside those that will be made from the objects."""
    namespace: str = ""
    """The only namespace whose services are known; empty where all are."""

    @classmethod
    def after(cls, objects: Sequence[Object], existing: Sequence[Object], moment: str) -> Inventory:
        """Give what will be there after ``objects`` were applied beside what exists."""
        merged = {item.key: item for item in (*existing, *objects)}
        created = {item.key: item.created for item in existing}
        return cls(tuple(merged.values()), moment, created)

    def age(self, item: Object) -> str:
        """Give when it was, or will be, created."""
        return self.created.get(item.key) or self.moment

    def precedence(self, item: Object, namespace: str) -> tuple[int, str, str, str]:
        """Give what decides between VirtualServices for one host, for clients of a namespace."""
        return virtual_services.precedence(item, namespace, self.age(item))

    def of(self, kind: str) -> list[Place]:
        """Give the objects of a kind."""
        return [top(item) for item in self.objects if item.kind == kind]

    @cached_property
    def services(self) -> dict[str, Place]:
        """The services by their full host names; a ServiceEntry reads as a Service for each."""
        own = self.of("Service")
        found = {
            host.text: _as_service(entry)
            for entry in self.of("ServiceEntry")
            for host in entry["spec"]["hosts"].items
        }
        return found | {hosts.service_host(one.item.name, one.item.namespace): one for one in own}

    @staticmethod
    def named_subsets(objects: Iterable[Object]) -> Iterator[tuple[str, str]]:
        """Give host and name of every subset of DestinationRules."""
        for rule in (top(item) for item in objects if item.kind == "DestinationRule"):
            host = hosts.resolve(rule["spec"]["host"].text, rule.item.namespace)
            yield from ((host, subset["name"].text) for subset in rule["spec"]["subsets"].items)

    @cached_property
    def rules_by_host(self) -> dict[str, list[Object]]:
        """The VirtualServices of the mesh by the full names of their hosts, the oldest first."""
        found: dict[str, list[Object]] = {}
        for item in sorted(self.objects, key=lambda item: (self.age(item), item.name)):
            if item.kind == "VirtualService" and virtual_services.is_for_mesh(item):
                for host in virtual_services.hosts_of(item):
                    found.setdefault(host, []).append(item)
        return found

    @cached_property
    def delegates(self) -> Delegates:
        """The VirtualServices, among which those of other rules' delegates are."""
        return Delegates.among(self.objects)

    def merged_with(self, rule: Place) -> list[Place]:
        """Give the other DestinationRules that Istio merges with one, the oldest first."""
        found = self._merged[_merged_as(rule)]
        return [other for other in found if other.item.key != rule.item.key]

    @cached_property
    def _merged(self) -> dict[str, list[Place]]:
        found: dict[str, list[Place]] = {}
        for rule in sorted(
            self.of("DestinationRule"), key=lambda n: (self.age(n.item), n.item.name)
        ):
            found.setdefault(_merged_as(rule), []).append(rule)
        return found

    @cached_property
    def pods(self) -> list[tuple[str, Mapping[str, str]]]:
        """Namespace and labels of all pods, and of everything that pods are made from."""
        templates = [
            maker["spec"]["template"]
            for maker in map(top, self.objects)
            if "template" in maker["spec"]
            and maker["spec"]["replicas"].value != 0
            and maker.item.kind != "Job"  # whose pods are soon gone
        ]
        described = (*self.of("Pod"), *templates)
        made = [(pod.item.namespace, pod["metadata"]["labels"].texts) for pod in described]
        return [*self.running, *made]

    def would_know(self, host: str) -> bool:
        """Tell whether a service of this full name would be seen from here."""
        return not self.namespace or host.endswith(f".{self.namespace}.{hosts.DOMAIN}")

    def service(self, host: str) -> Place | None:
        """Find the Service of a host; for a wildcard any that it covers."""
        if not hosts.is_wildcard(host):
            return self.services.get(host.removesuffix("."))
        covered = (name for name in self.services if hosts.overlap(host, name))
        return next((self.services[name] for name in covered), None)

    def has_subset(self, host: str, subset: str) -> bool:
        """Tell whether a DestinationRule for the host has the subset."""
        return any(self._subsets(host, subset))

    def subset_has_pod(self, service: Place, host: str, subset: str) -> bool:
        """Tell whether a subset of this name, by any DestinationRule for the host, has a pod."""
        return any(
            self.has_pod(service, each["labels"].texts) for each in self._subsets(host, subset)
        )

    def _subsets(self, host: str, name: str) -> Iterator[Place]:
        """Give the subsets of a name, by any DestinationRule for a host."""
        for rule in self._destination_rules.overlapping(host):
            yield from (each for each in rule["spec"]["subsets"].items if each["name"].text == name)

    @cached_property
    def _destination_rules(self) -> HostIndex[Place]:
        rules = self.of("DestinationRule")
        return HostIndex(
            ([hosts.resolve(rule["spec"]["host"].text, rule.item.namespace)], rule)
            for rule in rules
        )

    def has_pod(self, service: Place, labels: Mapping[str, str]) -> bool:
        """Tell whether a pod behind the service has these labels too."""
        endpoints = service["spec"]["endpoints"].items
        if any(hosts.within(labels, endpoint["labels"].texts) for endpoint in endpoints):
            return True
        if service.item.kind == "ServiceEntry" and "selector" not in service["spec"]:
            return False
        wanted = {**service["spec"]["selector"].texts, **labels}
        return any(
            namespace == service.item.namespace and hosts.within(wanted, has)
            for namespace, has in self.pods
        )


def _as_service(entry: Place) -> Place:
    """Give a ServiceEntry as if it were a Service of Kubernetes."""
    spec = entry["spec"]
    ports = [
        {"port": port["number"].value, "appProtocol": port["protocol"].text.lower()}
        for port in spec["ports"].items
    ]
    selector = spec["workloadSelector"]
    shown = {"ports": ports, "endpoints": spec["endpoints"].value}
    if selector.there:
        shown["selector"] = selector["labels"].value or {}
    return Place(entry.item, {**entry.value, "spec": shown})


def _merged_as(rule: Place) -> str:
    """Write what DestinationRules that become one have in common."""
    spec = rule["spec"]
    host = hosts.resolve(spec["host"].text, rule.item.namespace)
    exported = sorted(target.text for target in spec["exportTo"].items)
    return json.dumps(
        [rule.item.namespace, host, exported, spec["workloadSelector"].value], sort_keys=True
    )
