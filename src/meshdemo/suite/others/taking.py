"""Which http rule really takes a request, and which pods its destinations lead to.

Files of others speak of rules: of the path that one rewrites to, of its destinations and weights.
What comes of that in a mesh depends on the rules themselves, so they are looked up.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from meshdemo.errors import InputError
from meshdemo.rules import hosts, virtual_services
from meshdemo.rules.client_view import Client
from meshdemo.rules.request_trace import trace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from meshdemo.objects.model import Object
    from meshdemo.rules.request_trace import Trace
    from meshdemo.verdict.traffic import Request

Json = dict[str, Any]

MADE_UP = "2026-01-01T00:00:00Z"
LONGEST_VERSION = 63


class Taken(Struct, frozen=True):
    """The http rule that takes a request."""

    rule: Object
    """The VirtualService that decides about the host."""
    http: Json
    match: Json | None
    """Of its matches the one that holds; None for a rule without any."""


class KnownRules:
    """Rules, and what can be told of requests to them without sending any."""

    def __init__(self, objects: Sequence[Object], namespace: str) -> None:
        self.namespace = namespace
        self.objects = [_for_anybody(item) for item in objects]

    @cached_property
    def virtual_services(self) -> list[Object]:
        """Those with hosts, as the files have them, in order."""
        return [o for o in self.objects if o.kind == "VirtualService"]

    def taken(self, request: Request) -> Taken | None:
        """Give the rule that takes a request; None where none does, or it cannot be told."""
        found = self.traced(request)
        if not found or not found.dialled or not found.dialled.rule or not found.chosen:
            return None
        key = found.dialled.rule.key
        rule = next((o for o in self.virtual_services if (o.namespace, o.name) == key), None)
        tried = found.chosen.tried
        if rule is None:
            return None
        return Taken(rule, dict(tried.http), None if tried.match is None else dict(tried.match))

    def traced(self, request: Request) -> Trace | None:
        """Follow a request; None where that cannot be done."""
        client = Client(self.namespace, {}, injected=True)
        try:
            return trace(self.objects, (), request, client)
        except InputError:
            return None

    def outcomes(self, destination: Mapping[str, Any], namespace: str) -> dict[str, Fraction]:
        """Give the versions that answer for a destination, each with its share of its answers."""
        host = hosts.full_name(str(destination.get("host", "")), namespace)
        subset = str(destination.get("subset") or "")
        labels = self.subset_labels(host, subset)
        behind = Counter(
            pod.get("version", "") for pod in self._pods(host) if hosts.within(labels, pod)
        )
        if behind and "" not in behind:
            return {name: Fraction(n, behind.total()) for name, n in behind.items()}
        return {labels.get("version") or subset or stand_in_version(host): Fraction(1)}

    @cached_property
    def hosts(self) -> frozenset[str]:
        """The full names of all hosts that there will be pods for."""
        rules = {
            hosts.full_name(str(item.spec.get("host", "")), item.namespace)
            for item in self.objects
            if item.kind == "DestinationRule"
        }
        services = {
            hosts.service_host(item.name, item.namespace)
            for item in self.objects
            if item.kind == "Service"
        }
        return frozenset(self.destinations() | rules | services)

    def has_subset(self, host: str, subset: str) -> bool:
        """Tell whether a DestinationRule has a subset of a host."""
        return any(each.get("name") == subset for each in self._subsets(host))

    def has_pods(self, host: str) -> bool:
        """Tell whether the files have pods for a host."""
        return any(self._pods(host))

    def destinations(self) -> set[str]:
        """Give the full names of all hosts that rules send requests to."""
        return {
            hosts.full_name(str((route.get("destination") or {}).get("host", "")), item.namespace)
            for item in self.virtual_services
            for http in item.spec.get("http") or ()
            for route in http.get("route") or ()
        }

    def subset_labels(self, host: str, subset: str) -> Mapping[str, str]:
        """Give the labels of a subset, as far as a DestinationRule says them."""
        for each in self._subsets(host) if subset else ():
            if each.get("name") == subset:
                return {str(k): str(v) for k, v in (each.get("labels") or {}).items()}
        return {}

    def _subsets(self, host: str) -> Iterator[Json]:
        for item in self.objects:
            own = hosts.full_name(str(item.spec.get("host", "")), item.namespace)
            if item.kind == "DestinationRule" and hosts.overlap(own, host):
                yield from item.spec.get("subsets") or ()

    def _pods(self, host: str) -> Iterator[Mapping[str, str]]:
        for service in self.objects:
            own = hosts.service_host(service.name, service.namespace)
            if service.kind == "Service" and own == host:
                for item in self.objects:
                    labels = (item.pod_template.get("metadata") or {}).get("labels") or {}
                    same = item.makes_pods and item.namespace == service.namespace
                    if same and hosts.selects(service.spec.get("selector"), labels):
                        yield labels


def stand_in_version(host: str) -> str:
    """Name the version of what stands in for a host that has no subsets."""
    name = host.partition(".")[0] if hosts.namespace_of(host) else host
    letters = "".join(c if c.isascii() and c.isalnum() else "-" for c in name.lower())
    return letters[:LONGEST_VERSION].strip("-") or "app"


def _for_anybody(item: Object) -> Object:
    """Give a rule that is bound to gateways alone to everybody: what it says is the same."""
    metadata = {"creationTimestamp": MADE_UP, **item.metadata}
    data = {**item.data, "metadata": metadata}
    if item.kind == "VirtualService" and not virtual_services.is_for_mesh(item):
        data["spec"] = {name: value for name, value in item.spec.items() if name != "gateways"}
    return item.with_data(data)
