"""What the Envoy of a client, or of a gateway, is configured with: all of it in its bootstrap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshdemo.engines.local.envoy.bootstrap import bootstrap
from meshdemo.engines.local.translate import clusters, listeners, names, pools, route_configuration
from meshdemo.engines.local.translate.resources import HTTP_UPSTREAM
from meshdemo.rules import gateways
from meshdemo.rules.client_view import ClientView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshdemo.engines.local.model import PlannedPod
    from meshdemo.engines.local.translate.resources import Json
    from meshdemo.rules.client_view import Client, MeshRules

POD = 0
"""Stands for the port of a gateway where the client is a pod: its one proxy takes all ports."""
ANY_PORT = 0
"""The kernel chooses the port on which the client's proxy listens, so that none is taken."""


def configuration(
    rules: MeshRules, pods: Sequence[PlannedPod], client: Client, folder: str
) -> dict[str, Any]:
    """Give the bootstrap of a client's Envoy; ``folder`` is its own."""
    view = ClientView(rules, client)
    upstreams = clusters.Upstreams(tuple(pods), rules.services, client.namespace, client.labels)
    clusters.of_client(view, upstreams)
    if any(service.is_entry for service in view.upstreams.values()):
        upstreams.listeners.append(listeners.outside())
    if client.gateway:
        entries = [_of_gateway(view, port, folder) for port in gateways.ports(rules.servers)]
    else:
        entries = [_listener(listener_name(), route_configuration.of_client(view), folder)]
    start = bootstrap("test", folder=folder, admin=f"{folder}/admin.sock")
    del start["dynamic_resources"]
    start["static_resources"] = {
        "listeners": [_untyped(each) for each in (*entries, *upstreams.listeners)],
        "clusters": [_untyped(_plain(each)) for each in upstreams.clusters],
    }
    return start


def _of_gateway(view: ClientView, port: int, folder: str) -> Json:
    """Make what listens for one port of a gateway."""
    hosts = route_configuration.of_gateway(view, port)
    found = _listener(listener_name(port), hosts, folder)
    manager = _manager(found)
    # Whoever calls a gateway by https is not sent away: TLS ends there.
    manager["http_filters"] = manager["http_filters"][1:]
    del manager["local_reply_config"]
    return found


def _listener(name: str, hosts: list[Json], folder: str) -> Json:
    """Make a proxy with these virtual hosts."""
    found = {**listeners.outbound(ANY_PORT, folder), "name": name}
    manager = _manager(found)
    del manager["rds"]
    manager["route_config"] = _untyped(route_configuration.route_configuration(hosts))
    return found


def _manager(listener: Json) -> Json:
    found: Json = listener["filter_chains"][0]["filters"][0]["typed_config"]
    return found


def _plain(cluster: Json) -> Json:
    """Have a cluster speak HTTP/1.1 without TLS, as stand-ins do."""
    found = {name: value for name, value in cluster.items() if name != "transport_socket"}
    options = found.get("typed_extension_protocol_options")
    if options:
        http = options[HTTP_UPSTREAM]
        spoken = {
            name: value
            for name, value in http.items()
            if name not in ("use_downstream_protocol_config", "upstream_http_protocol_options")
        }
        found["typed_extension_protocol_options"] = {HTTP_UPSTREAM: {**spoken, **pools.HTTP1}}
    return found


def _untyped(resource: Json) -> Json:
    return {name: value for name, value in resource.items() if name != "@type"}


def listener_name(port: int = POD) -> str:
    """Name the listener that is a client's proxy; a gateway has one for each of its ports."""
    return f"{names.ROUTES}:{port}"
