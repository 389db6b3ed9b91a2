"""Choosing a pod per connection, where HTTP's load balancing would choose one per request.

    request -> route -> static cluster -> internal listener -> tcp_proxy -> the pods

The static cluster has one endpoint, the internal listener. A connection that it opens is one
connection of the tcp_proxy, which chooses a pod for it and stays with it. Each connection of the
client's has a pool of its own, so that no two of them share one of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.engines.local.translate.resources import (
    NEVER,
    assignment,
    extension,
    internal,
    typed,
)

if TYPE_CHECKING:
    from meshdemo.engines.local.translate.resources import Json


TRACES: Json = {
    "request_headers_to_remove": ["x-forwarded-proto", "x-request-id"],
    "response_headers_to_remove": ["x-envoy-upstream-service-time"],
}
"""What HTTP in Envoy adds, and a connection that is only passed on would not have."""


def plain_route(cluster: str) -> Json:
    """Send everything on, without timeout or retries."""
    action = {"cluster": cluster, "timeout": NEVER}
    return {"name": "default", "match": {"prefix": "/"}, "route": action}


def connect_route(cluster: str) -> Json:
    """Send the connections that CONNECT asks for on, each of which is one of the cluster's."""
    upgrade = {"upgrade_type": "CONNECT", "connect_config": {}}
    action = {"cluster": cluster, "timeout": NEVER, "upgrade_configs": [upgrade]}
    return {"name": "connect", "match": {"connect_matcher": {}}, "route": action}


def unseen_route(cluster: str) -> Json:
    """Send everything on as if nobody knew that it is HTTP."""
    return {**plain_route(cluster), **TRACES}


def front(name: str, limits: Json) -> Json:
    """Make the static cluster in front of the internal listener of the same name."""
    return typed(
        "envoy.config.cluster.v3.Cluster",
        name=name,
        type="STATIC",
        load_assignment=assignment(name, [internal(name)]),
        connection_pool_per_downstream_connection=True,
        **limits,
    )


def listener(name: str, network_filter: Json) -> Json:
    """Make an internal listener that hands each connection to a filter."""
    return typed(
        "envoy.config.listener.v3.Listener",
        name=name,
        internal_listener={},
        filter_chains=[{"filters": [network_filter]}],
    )


def tcp_proxy(prefix: str, **settings: str | Json | list[Json]) -> Json:
    """Make the filter that passes a connection on to one pod of its cluster."""
    return extension(
        "envoy.filters.network.tcp_proxy",
        "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        stat_prefix=prefix,
        **settings,
    )
