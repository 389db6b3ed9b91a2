"""The HTTP rules of a VirtualService, as Envoy's routes for one port and one host.

Source: ``BuildHTTPRoutesForVirtualService`` in istiod's core/route/route.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.engines.local.translate import cors, faults, headers, names, route_actions
from meshdemo.engines.local.translate.matches import EVERYTHING, route_match
from meshdemo.engines.local.translate.resources import origin
from meshdemo.rules import traffic_policies
from meshdemo.rules.destinations import default_target, hash_of, target_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.engines.local.translate.resources import Json
    from meshdemo.rules.client_view import ClientView
    from meshdemo.rules.destinations import Target
    from meshdemo.rules.virtual_hosts import VirtualHost
    from meshdemo.rules.virtual_services import VirtualService


def routes_of(dialled: VirtualHost, view: ClientView) -> list[Json]:
    """Translate the HTTP rules of a virtual host in their order, each match to a route.

    Where no rule governs it there is one route, to the service itself.
    """
    rule, client = dialled.rule, view.client
    if rule is None:
        hashed = view.destination_rules.get(dialled.host)
        action = route_actions.send(
            _cluster(default_target(dialled, view)),
            traffic_policies.hash_of_service(hashed, dialled.port),
        )
        return [{"name": "default", "match": EVERYTHING, "route": action}]
    rules = rule.http_rules(dialled.port, client.namespace, client.labels)
    return [_route(rule, http, match, dialled, view) for http, match in rules]


def _route(
    rule: VirtualService, http: Json, match: Json | None, dialled: VirtualHost, view: ClientView
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
        route["redirect"] = route_actions.redirect(http["redirect"], dialled.port)
        route.update(headers.operations(http.get("headers")))
    elif "directResponse" in http:
        route["direct_response"] = route_actions.direct_response(http["directResponse"])
        route.update(headers.operations(http.get("headers")))
    else:

        def cluster(destination: Json) -> str:
            return _cluster(target_of(destination, rule, dialled, view))

        def hashed(destination: Json) -> Json | None:
            return hash_of(destination, rule, view)

        forwarding = route_actions.forward(http, cluster, hashed)
        route["route"] = forwarding.action
        route.update(forwarding.operations)
    if filters := _filters(http):
        route["typed_per_filter_config"] = filters
    return route


def _cluster(target: Target) -> str:
    """Name the cluster of a destination, whether or not there is one."""
    if target.passes_through:
        return names.passthrough(target.port, target.host, target.pod)
    return names.outbound(target.port, target.host, target.subset)


def _names(http: Json, match: Json | None) -> Iterator[str]:
    """Give the name of a rule and that of its match."""
    if inner := (match or {}).get("name"):
        yield http.get("name") or ""
        yield inner
    elif http.get("name"):
        yield http["name"]


def _filters(http: Json) -> Json:
    """Configure the filters before the router for one route."""
    found: Json = {}
    if "fault" in http:
        found[faults.FILTER] = faults.http_fault(http["fault"])
    if "corsPolicy" in http:
        found[cors.FILTER] = cors.cors_policy(http["corsPolicy"])
    return found
