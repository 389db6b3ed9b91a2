"""The outbound route configuration: a virtual host for whatever the client can dial.

All ports share one route configuration, because our client names the port in the URL.

Source: ``BuildSidecarOutboundVirtualHosts`` in istiod's core/httproute.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.engines.local.translate import error_replies, names, tcp_passthrough
from meshdemo.engines.local.translate.resources import typed
from meshdemo.engines.local.translate.routes import routes_of
from meshdemo.rules import virtual_hosts
from meshdemo.rules.virtual_services import LARGEST_BODY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshdemo.engines.local.translate.resources import Json
    from meshdemo.rules.client_view import ClientView
    from meshdemo.rules.services import Service
    from meshdemo.rules.virtual_hosts import VirtualHost


def route_configuration(found: list[Json]) -> Json:
    """Put virtual hosts into the one route configuration."""
    return typed(
        "envoy.config.route.v3.RouteConfiguration",
        name=names.ROUTES,
        virtual_hosts=found,
        validate_clusters=False,
        max_direct_response_body_size_bytes=LARGEST_BODY,
    )


def of_client(view: ClientView) -> list[Json]:
    """Work out the virtual hosts of an injected pod."""
    found = [_virtual_host(host, view) for host in virtual_hosts.of_client(view)]
    if view.reaches_only_known:
        return [*found, error_replies.block_all()]
    rules = "no VirtualService names it for this client (without a Service: on port 80 only)"
    return [*found, error_replies.unknown_host(rules)]


def of_gateway(view: ClientView, port: int) -> list[Json]:
    """Work out the virtual hosts of one port of a gateway; what is not among them gets 404."""
    return [_virtual_host(host, view) for host in view.at_port(port)]


def of_kube_proxy(services: Sequence[Service], namespace: str) -> list[Json]:
    """Work out the virtual hosts of pods without a sidecar: connections to any pod, no rules."""
    known = virtual_hosts.of_kube_proxy(services, namespace)
    found = [_missing_port(host) or _connection(host) for host in known]
    rules = "a pod without a sidecar follows no VirtualService"
    return [*found, error_replies.unknown_host(rules)]


def _virtual_host(host: VirtualHost, view: ClientView) -> Json:
    if missing := _missing_port(host):
        return missing
    if host.passes_on:
        # A rule may have taken the full name, and with it the virtual host's.
        cluster = names.passthrough(host.port, host.host, host.pod)
        return {
            "name": cluster,
            "domains": list(host.domains),
            "routes": [
                tcp_passthrough.connect_route(cluster),
                tcp_passthrough.plain_route(cluster),
            ],
        }
    if host.chooses_by_connection:
        return _connection(host)
    return {
        "name": host.name,
        "domains": list(host.domains),
        **({"require_tls": "ALL"} if host.to_https else {}),
        "routes": [*_connect(host), *routes_of(host, view)],
        "include_request_attempt_count": True,  # apps are told how often a request was tried
    }


def _connection(host: VirtualHost) -> Json:
    cluster = names.connection(host.port, host.host, host.pod)
    routes = [tcp_passthrough.connect_route(cluster), tcp_passthrough.unseen_route(cluster)]
    return {"name": host.name, "domains": list(host.domains), "routes": routes}


def _connect(host: VirtualHost) -> list[Json]:
    """Take connections beside HTTP requests, where the protocol is detected."""
    if not host.takes_connections:
        return []
    return [tcp_passthrough.connect_route(names.connection(host.port, host.host, host.pod))]


def _missing_port(host: VirtualHost) -> Json | None:
    """Refuse calls to a service on a port that it does not have; None for one that it has."""
    if host.port or not host.service:
        return None
    if host.service.is_alias:
        return error_replies.alias(host.service, list(host.domains))
    return error_replies.missing_port(host.service, list(host.domains))
