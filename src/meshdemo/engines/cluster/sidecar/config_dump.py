"""Whether a sidecar's configuration has a rule, read from Envoy's own dump. Pure.

istiod notes in each route and cluster which rule it comes from, but not which version of the
rule. So what is there is compared with what the rule says: where it leads, and the details that
are plain to see; of the rest only that it is there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct, field

from meshdemo.engines.cluster.sidecar import route_comparison
from meshdemo.rules import delegates
from meshdemo.rules.hosts import full_name
from meshdemo.rules.http_matches import reachable, takes_everything, with_matches
from meshdemo.rules.virtual_services import ANSWERS, Followed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from meshdemo.engines.cluster.api.kube import Json
    from meshdemo.objects.model import Object

Targets: TypeAlias = "tuple[tuple[str, int], ...]"
"""Clusters without their port, each with its weight."""

RULE_PATHS = {"VirtualService": "virtual-service", "DestinationRule": "destination-rule"}
"""The last part but one of the name that istiod gives a rule in the metadata."""
VIRTUAL_SERVICE_ORIGIN = re.compile(r"/namespaces/([^/]+)/virtual-service/([^/]+)$")
NOT_SIMPLE = ("port", "gateways", "sourceLabels", "sourceNamespace")
"""Conditions of a match that istiod decides for each sidecar: a route may be left out."""


class Dump(Struct, frozen=True):
    """A sidecar's routes and clusters, as far as they come from rules."""

    hosts: tuple[tuple[Json, ...], ...] = ()
    """The routes of each virtual host, in their order."""
    host_names: tuple[str, ...] = ()
    """The name of each virtual host, as ``app.shop.svc.cluster.local:80``."""
    clusters: tuple[Json, ...] = ()
    names: frozenset[str] = field(default_factory=frozenset)
    """The names of all its clusters."""

    @classmethod
    def of(cls, routes: Json, clusters: Json) -> Dump:
        """Read what Envoy's config_dump says of its dynamic routes and clusters."""
        hosts = [h for c in _configs(routes, "route_config") for h in c.get("virtual_hosts") or ()]
        found = tuple(tuple(host.get("routes") or ()) for host in hosts)
        named = tuple(str(host.get("name", "")) for host in hosts)
        known = tuple(_configs(clusters, "cluster"))
        return cls(found, named, known, frozenset(str(c.get("name", "")) for c in known))

    def followed(self) -> tuple[Followed, ...]:
        """Say which VirtualServices the routes to each host come from, by their own word."""
        found: dict[str, dict[tuple[str, str], None]] = {}
        for name, routes in zip(self.host_names, self.hosts, strict=True):
            rules = found.setdefault(name.rpartition(":")[0] or name, {})
            rules |= dict.fromkeys(filter(None, map(_virtual_service, routes)))
        return tuple(Followed(host, tuple(rules)) for host, rules in found.items())

    def has_rule(self, rule: Object) -> bool:
        """Tell whether anything in it comes from this rule."""
        if rule.kind == "VirtualService":
            return bool(self._routes(rule))
        return any(_comes_from(part, rule) for part in self.clusters)

    def is_live(self, rule: Object) -> bool:
        """Tell whether it leads where this rule, which the client follows, makes it lead."""
        if rule.kind == "VirtualService":
            return self._routes_live(rule)
        return self._subsets_live(rule)

    def deviations(self, rule: Object) -> list[str]:
        """Name the details in which it is not what this rule says; none if that is not plain."""
        http_rules = rule.spec.get("http") or []
        if (
            rule.kind != "VirtualService"
            or not http_rules
            or any(_is_decided_elsewhere(http_rule) for http_rule in http_rules)
        ):
            return []
        wanted, complete = _wanted_routes(http_rules, rule.namespace)
        names: list[str] = []
        for host in self.hosts:
            there = [route_comparison.found(part) for part in host if _comes_from(part, rule)]
            if there and (len(there) < len(wanted) or (complete and len(there) > len(wanted))):
                return ["number of routes"]
            for one, other in zip(wanted, there, strict=False):
                names += route_comparison.differing(one, other)
        return list(dict.fromkeys(names))

    def _routes(self, rule: Object) -> list[Json]:
        return [part for host in self.hosts for part in host if _comes_from(part, rule)]

    def _routes_live(self, rule: Object) -> bool:
        there = [_targets(part) for part in self._routes(rule)]
        http_rules = rule.spec.get("http") or []
        if not http_rules:
            return True
        if not there:
            return False
        if any(
            _is_special(http_rule) or _is_decided_elsewhere(http_rule) for http_rule in http_rules
        ):
            return True
        pairs = reachable(with_matches(http_rules))
        needed = {_wanted(http_rule, rule.namespace) for http_rule, _ in pairs}
        allowed = {_wanted(http_rule, rule.namespace) for http_rule in http_rules}
        return needed <= {*there} <= allowed

    def _subsets_live(self, rule: Object) -> bool:
        host = full_name(str(rule.spec.get("host", "")), rule.namespace)
        ports = {n.split("|")[1] for n in self.names if n.startswith("outbound|") and
                 n.endswith(f"||{host}")}  # fmt: skip
        subsets = {str(s.get("name")) for s in rule.spec.get("subsets") or ()}
        wanted = {f"outbound|{port}|{subset}|{host}" for port in ports for subset in subsets}
        return wanted <= self.names


def _configs(dump: Json, name: str) -> Iterator[Json]:
    for entry in dump.get("configs") or ():
        # With ?resource= the entries are the resources; without it they are grouped.
        if name in entry:
            yield entry[name]


def _virtual_service(part: Json) -> tuple[str, str] | None:
    """Give namespace and name of the VirtualService that a route comes from."""
    said = VIRTUAL_SERVICE_ORIGIN.search(_origin(part))
    return (said[1], said[2]) if said else None


def _origin(part: Json) -> str:
    istio = ((part.get("metadata") or {}).get("filter_metadata") or {}).get("istio") or {}
    return str(istio.get("config", ""))


def _comes_from(part: Json, rule: Object) -> bool:
    ending = f"/namespaces/{rule.namespace}/{RULE_PATHS[rule.kind]}/{rule.name}"
    return _origin(part).endswith(ending)


def _targets(route: Json) -> Targets:
    """Give where a route leads: the clusters without their port, and their weights."""
    action = route.get("route") or {}
    if "cluster" in action:
        return _alike([(route_comparison.portless(action["cluster"]), 0)])
    clusters = (action.get("weighted_clusters") or {}).get("clusters") or ()
    return _alike(
        [(route_comparison.portless(c["name"]), int(c.get("weight", 0))) for c in clusters]
    )


def _wanted(http_rule: Mapping[str, Any], namespace: str) -> Targets:
    """Give where an HTTP rule leads, in the same form."""
    routes = http_rule.get("route") or []
    return _alike(
        [
            (route_comparison.target_name(route.get("destination") or {}, namespace), int(weight))
            for route in routes
            if (weight := route.get("weight") or 0) or len(routes) == 1
        ]
    )


def _alike(targets: list[tuple[str, int]]) -> Targets:
    """Leave out the weight of an only target: some releases keep it, others do not."""
    return tuple(sorted(targets)) if len(targets) > 1 else tuple((name, 0) for name, _ in targets)


def _wanted_routes(
    http_rules: Sequence[Mapping[str, Any]], namespace: str
) -> tuple[list[route_comparison.Details], bool]:
    """Say what becomes of HTTP rules, and whether that is all of it.

    After a match that takes everything some releases write no route, others do.
    """
    found = list(reachable(with_matches(http_rules)))
    wanted = [route_comparison.wanted(*pair, namespace) for pair in found]
    last = found[-1][1] if found else None
    return wanted, last is None or not takes_everything(last)


def _is_special(http_rule: Mapping[str, Any]) -> bool:
    """Tell whether it leads to no cluster."""
    return any(http_rule.get(name) for name in ANSWERS)


def _is_decided_elsewhere(http_rule: Mapping[str, Any]) -> bool:
    """Tell whether what becomes of it is not plain to see: it depends on more than the rule."""
    matches = http_rule.get("match") or ()
    return delegates.hands_over(http_rule) or any(
        m.get(name) for m in matches for name in NOT_SIMPLE
    )
