"""VirtualServices: which of them a client follows, in which order, and for which hosts.

They are read whole, with the rules of their delegates (see ``delegates``).

For one host Istio never merges them: the first one that a client's sidecar gets has it alone.
They are read as they were written, whatever that is: what is no list of names reads as none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct

from meshdemo.rules import gateways, hosts, visibility
from meshdemo.rules.delegates import Delegates
from meshdemo.rules.hosts import MESH, HostIndex
from meshdemo.rules.http_matches import is_for_client, reachable, with_matches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from meshdemo.objects.model import Object
    from meshdemo.rules.services import Service

Json: TypeAlias = "dict[str, Any]"

LARGEST_BODY = 1024 * 1024
"""Bytes of a direct response, as istiod allows."""
GRPC_STATUS = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)
"""The statuses of gRPC by which an abort answers, in the order of their numbers."""
ANSWERS = ("redirect", "directResponse")
"""How an HTTP rule may have the sidecar itself answer a request."""
OTHER_ACTIONS = (*ANSWERS, "delegate")
"""What an HTTP rule may do with a request in place of sending it to its destinations."""


class VirtualService(Struct, frozen=True):
    """One VirtualService for sidecars, its hosts written in full."""

    name: str
    namespace: str
    hosts: tuple[str, ...]
    http: tuple[Json, ...]
    exported_to: frozenset[str]
    tcp: tuple[Json, ...] = ()
    tls: tuple[Json, ...] = ()
    origins: tuple[tuple[tuple[str, str], int], ...] = ()
    """Where it was merged from others: the key of each http rule's own, and its number there."""

    @property
    def key(self) -> tuple[str, str]:
        """What makes it the same object."""
        return self.namespace, self.name

    @property
    def title(self) -> str:
        """How messages call it."""
        return f"VirtualService {self.namespace}/{self.name}"

    def resolve(self, host: str) -> str:
        """Complete a short name that stands in this rule."""
        return hosts.resolve(host, self.namespace)

    def destinations(self, namespace: str) -> dict[str, set[int]]:
        """Give the hosts that its rules send to, each with its ports; 0 stands for any.

        HTTP rules that are only for clients of another namespace do not count
        (``virtualServiceDestinationsFilteredBySourceNamespace`` in istiod's push_context.go).
        """
        found: dict[str, set[int]] = {}
        targets: list[Json] = []
        for http in self.http:
            spaces = [(match or {}).get("sourceNamespace") for match in http.get("match") or ()]
            given = [space for space in spaces if space]
            if given and namespace not in given:
                continue
            routes = [*(http.get("route") or ()), *(http.get("mirrors") or ())]
            targets += [route.get("destination") or {} for route in routes]
            targets.append(http.get("mirror") or {})
        for rule in (*self.tcp, *self.tls):
            targets += [route.get("destination") or {} for route in rule.get("route") or ()]
        for target in targets:
            host = self.resolve(str(target.get("host", "")))
            found.setdefault(host, set()).add((target.get("port") or {}).get("number") or 0)
        return found

    def http_rules(
        self, port: int, namespace: str, labels: Mapping[str, str]
    ) -> Iterator[tuple[Json, Json | None]]:
        """Give the HTTP rules that a client's sidecar gets for a port, each with one match.

        In their order, up to the first one that takes every request; the match is None for a rule
        without any. Nothing at all means that the port keeps its normal routing.
        """
        return reachable(
            (http, match)
            for http, match in with_matches(self.http)
            if match is None or is_for_client(match, port, namespace, labels)
        )


class Followed(Struct, frozen=True):
    """What a sidecar follows for requests to one host: VirtualServices, by namespace and name."""

    host: str
    rules: tuple[tuple[str, str], ...]


def read_virtual_services(objects: Iterable[Object], gateway: str = MESH) -> list[VirtualService]:
    """Read those that govern sidecars, or else a gateway, the oldest first."""
    every = [item for item in objects if item.kind == "VirtualService"]
    if gateway == MESH:
        found = [item for item in every if is_for_mesh(item)]
    else:
        found = [
            gateways.as_for_sidecars(item, gateway)
            for item in every
            if gateway in gateways.names_of(item) or not item.spec.get("hosts")
        ]
    delegates = Delegates.among(found)
    roots = sorted((item for item in found if item.spec.get("hosts")), key=lambda item: item.age)
    return [_virtual_service(delegates.whole(item)) for item in roots]


def _virtual_service(item: Object) -> VirtualService:
    return VirtualService(
        name=item.name,
        namespace=item.namespace,
        hosts=tuple(hosts.resolve(host, item.namespace) for host in _names(item, "hosts")),
        http=tuple(item.spec.get("http") or ()),
        exported_to=scope(item),
        tcp=tuple(item.spec.get("tcp") or ()),
        tls=tuple(item.spec.get("tls") or ()),
    )


def is_for_mesh(rule: Object) -> bool:
    """Tell whether sidecars get it, and not only gateways."""
    gateways = _names(rule, "gateways")
    return not gateways or MESH in gateways


def hosts_of(rule: Object) -> list[str]:
    """Give the full names of its hosts; capitals are no difference to a request."""
    return [hosts.full_name(host, rule.namespace) for host in _names(rule, "hosts")]


def scope(rule: Object) -> frozenset[str]:
    """Give the namespaces whose clients get it, by ``exportTo``."""
    return visibility.exported_to(_names(rule, "exportTo"), rule.namespace)


def is_seen(rule: Object, namespace: str) -> bool:
    """Tell whether the clients of a namespace get it."""
    return visibility.sees(scope(rule), namespace)


def holds_for(rule: Object, named: Sequence[str], namespace: str) -> bool:
    """Tell whether a rule is for the clients of a namespace, and for one of these hosts."""
    own = hosts_of(rule) or [hosts.full_name(str(rule.spec.get("host", "")), rule.namespace)]
    return is_seen(rule, namespace) and any(
        hosts.overlap(name, host) for name in own for host in named
    )


def precedence(rule: Object, namespace: str, created: str = "") -> tuple[int, str, str, str]:
    """Give what decides, for the clients of a namespace, between rules for one host: the least.

    First those of this namespace that are not for all, then those of others that were exported to
    it by name, then those for all (``VirtualServicesForGateway`` in istiod's push_context.go);
    within each the oldest. ``created`` is when it came to be, unless the rule says so itself.
    """
    group = _group(scope(rule), rule.namespace, namespace)
    return group, created or rule.created, rule.name, rule.namespace


def _group(exported: frozenset[str], own: str, namespace: str) -> int:
    return 2 if visibility.EVERYWHERE in exported else int(own != namespace)


def followed_in(namespace: str, rules: Iterable[VirtualService]) -> list[VirtualService]:
    """Pick what clients of a namespace get, those that take precedence first; see ``precedence``.

    ``rules`` are sorted by age.
    """
    seen = [rule for rule in rules if visibility.sees(rule.exported_to, namespace)]
    return sorted(seen, key=lambda rule: _group(rule.exported_to, rule.namespace, namespace))


def by_host(objects: Iterable[Object]) -> HostIndex[Object]:
    """File the VirtualServices among objects under the full names of their hosts."""
    return HostIndex((hosts_of(item), item) for item in objects if item.kind == "VirtualService")


def overruling(rule: Object, rules: Sequence[Object], namespace: str) -> tuple[Object, ...]:
    """Give the VirtualServices that leave it none of its hosts for the clients of a namespace.

    ``rules`` are those that are applied for its hosts, this one among them. Its tcp rules hold
    beside those of others, up to one that takes every connection.
    """
    if rule.kind != "VirtualService" or not is_for_mesh(rule):
        return ()
    own = next((item for item in rules if item.key == rule.key), rule)
    first = {
        host: other
        for other in rules
        if other.kind == "VirtualService" and is_for_mesh(other) and is_seen(other, namespace)
        for host in hosts_of(other)
        if other.key != rule.key
        and _takes_all_of(own, other)
        and precedence(other, namespace) < precedence(own, namespace)
    }
    taken = [first.get(host) for host in hosts_of(rule)]
    found = {other.key: other for other in taken if other}
    return tuple(found.values()) if None not in taken else ()


def _takes_all_of(rule: Object, other: Object) -> bool:
    """Tell whether one that takes precedence leaves nothing of each kind of another one's rules."""
    if rule.spec.get("tls") or (rule.spec.get("http") and not other.spec.get("http")):
        return False
    return not rule.spec.get("tcp") or any(
        not tcp.get("match") for tcp in other.spec.get("tcp") or ()
    )


def index_by_service(
    rules: Sequence[VirtualService], services: Iterable[Service]
) -> dict[str, tuple[str, str]]:
    """Find for each service the rule with the most specific host; the first of equals has it."""
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
    for ``index`` they do, so a name in capitals yields to a wildcard as in istiod
    (``separateVSHostsAndServices``).
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


def _names(rule: Object, field: str) -> list[str]:
    spec = rule.data.get("spec")
    value = spec.get(field) if isinstance(spec, dict) else None
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []
