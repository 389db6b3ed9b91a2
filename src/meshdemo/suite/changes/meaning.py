"""The spec of an object without what makes no difference to any request.

Its fields stand where they stood, so that a path into it is one into the object.
"""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING, Any

from meshdemo.objects.documents import without_nulls
from meshdemo.rules import gateways, hosts, virtual_services, visibility
from meshdemo.rules.hosts import MESH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshdemo.objects.model import Object

Json = dict[str, Any]

ORDERLESS = frozenset({"match", "route", "subsets"})
"""Lists of parts of an http rule, or of a DestinationRule, that may stand in any order."""
NAMES_ONLY = ("name",)
"""What only names an http rule or a match, in logs."""
OF_SERVERS = {
    "allocateLoadBalancerNodePorts": True,
    "externalTrafficPolicy": "Cluster",
    "sessionAffinity": "None",
    "internalTrafficPolicy": "Cluster",
    "type": "ClusterIP",
}
"""What an API server writes into a Service where nothing is said."""
CHOSEN = ("clusterIPs", "healthCheckNodePort", "ipFamilies", "ipFamilyPolicy")
"""What it chooses by itself."""


def meaning(item: Object) -> Json:
    """Give what is left of the spec of an object."""
    spec: Json = without_nulls(item.spec)
    if item.kind not in _OWN:
        return spec
    if exported := spec.pop("exportTo", None):
        spec["exportTo"] = sorted(map(str, exported))
        if visibility.EVERYWHERE in exported and item.kind != "DestinationRule":
            del spec["exportTo"]  # one for a DestinationRule decides with which others it is merged
    return _OWN[item.kind](spec, item)


def hosts_of(item: Object) -> list[str]:
    """Give the hosts that an object is for, by their full names; none for a kind without hosts."""
    if item.kind == "Service":
        return [hosts.service_host(item.name, item.namespace)]
    if item.kind == "DestinationRule":
        return [hosts.full_name(str(item.spec.get("host", "")), item.namespace)]
    if item.kind == "ServiceEntry":
        return [str(host).lower() for host in item.spec.get("hosts") or ()]
    if item.kind == "VirtualService":
        return virtual_services.hosts_of(item)
    return []


def _virtual_service(spec: Json, item: Object) -> Json:
    if spec.get("hosts"):
        spec["hosts"] = sorted(hosts_of(item))
    bound = set(gateways.names_of(item))
    spec.pop("gateways", None)
    if bound != {MESH}:
        spec["gateways"] = sorted(bound)
    if spec.get("http"):
        spec["http"] = [_http(rule, item.namespace) for rule in spec["http"]]
    return spec


def _http(rule: Json, namespace: str) -> Json:
    found = _unnamed(rule)
    if "match" in found:
        found["match"] = [_unnamed(match or {}) for match in found["match"]]
    if not found.get("match") or any(map(_takes_all, found["match"])):
        found.pop("match", None)
    for name in ("route", "mirrors"):
        if name in found:
            found[name] = [_with_full_host(each, namespace) for each in found[name]]
    if "mirror" in found:
        found["mirror"] = _destination(found["mirror"], namespace)
    if found.get("route"):
        found["route"] = _with_least_weights(found["route"])
    return found


def _with_least_weights(routes: list[Json]) -> list[Json]:
    """Give destinations with the least whole weights of the same shares; an only one has none."""
    weights = [route.get("weight") or 0 for route in routes]
    unit = gcd(*weights)
    if len(routes) > 1 and not unit:
        return routes
    rest = [{name: value for name, value in route.items() if name != "weight"} for route in routes]
    if len(routes) == 1:
        return rest
    return [{**each, "weight": weight // unit} for each, weight in zip(rest, weights, strict=True)]


def _takes_all(match: Json) -> bool:
    return not match or match == {"uri": {"prefix": "/"}}


def _unnamed(part: Mapping[str, Any]) -> Json:
    return {name: value for name, value in part.items() if name not in NAMES_ONLY}


def _with_full_host(route: Json, namespace: str) -> Json:
    if "destination" not in route:
        return route
    return {**route, "destination": _destination(route["destination"], namespace)}


def _destination(said: Json, namespace: str) -> Json:
    return {**said, "host": hosts.full_name(str(said.get("host", "")), namespace)}


def _destination_rule(spec: Json, item: Object) -> Json:
    return _destination(spec, item.namespace)


def _service_entry(spec: Json, item: Object) -> Json:
    return {**spec, "hosts": sorted(hosts_of(item))}


def _service(spec: Json, _item: Object) -> Json:
    """Leave out what an API server has written: what is applied is compared with files."""
    found = {
        name: value
        for name, value in spec.items()
        if name not in CHOSEN and OF_SERVERS.get(name) != value
    }
    if found.get("clusterIP") != "None":
        found.pop("clusterIP", None)
    if "ports" in found:
        found["ports"] = [_port(port) for port in found["ports"]]
    return found


def _port(port: Json) -> Json:
    kept = {name: value for name, value in port.items() if name != "nodePort"}
    if kept.get("protocol") == "TCP":
        del kept["protocol"]
    if kept.get("targetPort") == kept.get("port"):
        kept.pop("targetPort", None)
    return kept


_OWN = {
    "VirtualService": _virtual_service,
    "DestinationRule": _destination_rule,
    "ServiceEntry": _service_entry,
    "Service": _service,
}
