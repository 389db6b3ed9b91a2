"""The http rules of a VirtualService, as Envoy's routes for one port and one host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshdemo.engines.local.translate import actions, faults, headers, names
from meshdemo.engines.local.translate.matches import EVERYTHING, route_match, takes_everything
from meshdemo.engines.local.translate.resources import origin
from meshdemo.rules.hosts import MESH, within

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.engines.local.translate.resources import Json
    from meshdemo.engines.local.translate.scope import Scope
    from meshdemo.engines.local.translate.services import Service
    from meshdemo.engines.local.translate.virtual_services import VirtualService


@dataclass(frozen=True, slots=True)
class Dialled:
    """What the client called: a port, of a service or of a host that only a rule knows."""

    port: int
    service: Service | None = None


def default_route(cluster: str) -> Json:
    """Make the route of a service that no rule governs."""
    return {"name": "default", "match": EVERYTHING, "route": actions.send(cluster)}


def routes_of(rule: VirtualService, dialled: Dialled, scope: Scope) -> list[Json]:
    """Translate the rules in their order, each match to a route, up to one that takes all.

    Empty if the VirtualService says nothing about this port or client.
    """
    found = []
    for http in rule.http:
        for match in http.get("match") or [None]:
            if not _holds(match, dialled.port, scope):
                continue
            route = _route(rule, http, match, dialled, scope)
            found.append(route)
            if takes_everything(route["match"]):
                return found
        if not http.get("match"):
            return found
    return found


def _holds(match: Json | None, port: int, scope: Scope) -> bool:
    """Judge the parts of a match that are about the client, not about the request."""
    if match is None:
        return True
    if match.get("port") and match["port"] != port:
        return False
    if gateways := match.get("gateways"):
        return MESH in gateways
    if not within(match.get("sourceLabels") or {}, scope.labels):
        return False
    return (match.get("sourceNamespace") or scope.namespace) == scope.namespace


def _route(
    rule: VirtualService, http: Json, match: Json | None, dialled: Dialled, scope: Scope
) -> Json:
    name = ".".join(_names(http, match))
    route: Json = {
        **({"name": name} if name else {}),
        "match": route_match(match),
        "metadata": origin("virtual-service", rule.namespace, rule.name),
    }
    if prefix := (match or {}).get("statPrefix"):
        route["stat_prefix"] = prefix
    if "redirect" in http:
        route["redirect"] = actions.redirect(http["redirect"], dialled.port)
        route.update(headers.operations(http.get("headers")))
    else:

        def cluster(destination: Json) -> str:
            return _destination(rule, destination, dialled, scope)

        forwarding = actions.forward(http, cluster)
        route["route"] = forwarding.action
        route.update(forwarding.operations)
    if filters := _filters(http):
        route["typed_per_filter_config"] = filters
    return route


def _names(http: Json, match: Json | None) -> Iterator[str]:
    """Give the name of a rule and that of its match."""
    if inner := (match or {}).get("name"):
        yield http.get("name") or ""
        yield inner
    elif http.get("name"):
        yield http["name"]


def _filters(http: Json) -> Json:
    """Configure the filters before the router for one route."""
    return {faults.FILTER: faults.http_fault(http["fault"])} if "fault" in http else {}


def _destination(rule: VirtualService, destination: Json, dialled: Dialled, scope: Scope) -> str:
    """Name the cluster of a destination, whether or not there is one.

    Without a port it is the one that was dialled, even if the service's only port is another.
    """
    port = (destination.get("port") or {}).get("number") or dialled.port
    host = rule.resolve(destination["host"])
    return cluster_of(host, destination.get("subset") or "", port, dialled, scope)


def cluster_of(host: str, subset: str, port: int, dialled: Dialled, scope: Scope) -> str:
    """Name the cluster of a part of a service, or the way around it if a rule says PASSTHROUGH."""
    if dialled.service and scope.passes_through(host, subset, port):
        return names.passthrough(dialled.port, dialled.service.host)
    return names.outbound(port, host, subset)
