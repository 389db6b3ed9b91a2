"""Whether a sidecar's configuration has a rule, read from Envoy's own dump. Pure.

istiod notes in each route and cluster which rule it comes from, but not which version of the
rule. So what is there is compared with what the rule says, as far as that is simple; of the rest
only that it is there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from meshdemo.matching import full_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from meshdemo.engines.cluster.kube import Json
    from meshdemo.manifests import Object

RULE_PATHS = {"VirtualService": "virtual-service", "DestinationRule": "destination-rule"}
"""The last part but one of the name that istiod gives a rule in the metadata."""
NOT_SIMPLE = ("port", "gateways", "sourceLabels", "sourceNamespace")
"""Conditions of a match that istiod decides for each sidecar: a route may be left out."""


@dataclass(frozen=True, slots=True)
class Dump:
    """A sidecar's routes and clusters, as far as they come from rules."""

    routes: tuple[Json, ...] = ()
    clusters: tuple[Json, ...] = ()
    names: frozenset[str] = field(default_factory=frozenset)
    """The names of all its clusters."""

    @classmethod
    def of(cls, routes: Json, clusters: Json) -> Dump:
        """Read what Envoy's config_dump says of its dynamic routes and clusters."""
        found = [r for config in _configs(routes, "route_config") for r in _routes(config)]
        known = list(_configs(clusters, "cluster"))
        return cls(tuple(found), tuple(known), frozenset(str(c.get("name", "")) for c in known))

    def has_rule(self, rule: Object) -> bool:
        """Tell whether anything in it comes from this rule."""
        parts = self.routes if rule.kind == "VirtualService" else self.clusters
        return any(_comes_from(part, rule) for part in parts)

    def is_live(self, rule: Object, rules: Sequence[Object]) -> bool:
        """Tell whether it is what this rule, among all ``rules``, makes of a sidecar."""
        if not _concerns_sidecars(rule) or _has_rival(rule, rules):
            return True
        if rule.kind == "VirtualService":
            return self._routes_live(rule)
        return self._subsets_live(rule)

    def _routes_live(self, rule: Object) -> bool:
        there = [_targets(part) for part in self.routes if _comes_from(part, rule)]
        ways = rule.spec.get("http") or []
        if not ways:
            return True
        if not there:
            return False
        if any(_is_special(way) for way in ways):
            return True
        wanted = [_wanted(way, rule.namespace) for way in _reachable(ways)]
        return {*there} == {*wanted}

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


def _routes(config: Json) -> Iterator[Json]:
    for host in config.get("virtual_hosts") or ():
        yield from host.get("routes") or ()


def _comes_from(part: Json, rule: Object) -> bool:
    istio = ((part.get("metadata") or {}).get("filter_metadata") or {}).get("istio") or {}
    ending = f"/namespaces/{rule.namespace}/{RULE_PATHS[rule.kind]}/{rule.name}"
    return str(istio.get("config", "")).endswith(ending)


def _targets(route: Json) -> tuple[tuple[str, int], ...]:
    """Give where a route leads: the clusters without their port, and their weights."""
    action = route.get("route") or {}
    if "cluster" in action:
        return ((_portless(action["cluster"]), 0),)
    clusters = (action.get("weighted_clusters") or {}).get("clusters") or ()
    return tuple(sorted((_portless(c["name"]), int(c.get("weight", 0))) for c in clusters))


def _wanted(way: Mapping[str, Any], namespace: str) -> tuple[tuple[str, int], ...]:
    """Give where a rule's way leads, in the same form."""
    found = []
    routes = way.get("route") or []
    for route in routes:
        target = route.get("destination") or {}
        name = f"{target.get('subset', '')}|{full_name(str(target.get('host')), namespace)}"
        weight = int(route.get("weight") or 0)
        if len(routes) == 1:
            return ((name, 0),)
        if weight:
            found.append((name, weight))
    return tuple(sorted(found)) if len(found) != 1 else ((found[0][0], found[0][1]),)


def _portless(cluster: str) -> str:
    """``outbound|80|v2|app.default.svc.cluster.local`` without its port."""
    parts = cluster.split("|")
    return "|".join(parts[2:]) if len(parts) == 4 else cluster  # noqa: PLR2004 - as above


def _reachable(ways: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Give the ways up to the first that takes everything."""
    for way in ways:
        yield way
        if not way.get("match"):
            return


def _is_special(way: Mapping[str, Any]) -> bool:
    """Tell whether what becomes of it is not plain to see."""
    if any(way.get(name) for name in ("redirect", "directResponse", "delegate")):
        return True
    return any(match.get(name) for match in way.get("match") or () for name in NOT_SIMPLE)


def _concerns_sidecars(rule: Object) -> bool:
    gateways = rule.spec.get("gateways") or ["mesh"]
    exported = rule.spec.get("exportTo") or ["*"]
    return "mesh" in gateways and bool({"*", ".", rule.namespace} & {*exported})


def _has_rival(rule: Object, rules: Sequence[Object]) -> bool:
    """Tell whether another rule may win over it, or be merged with it."""
    mine = _hosts(rule)
    return any(
        _hosts(other) & mine for other in rules if other.kind == rule.kind and other.key != rule.key
    )


def _hosts(rule: Object) -> set[str]:
    hosts = rule.spec.get("hosts") or [rule.spec.get("host")]
    return {full_name(str(host), rule.namespace) for host in hosts}
