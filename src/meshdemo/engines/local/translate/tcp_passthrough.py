"""Choosing a pod per connection, where HTTP's load balancing would choose one per request.

    request -> route -> static cluster -> internal listener -> tcp_proxy -> the pods

The static cluster has one endpoint, the internal listener. A connection that it opens is one
connection of the tcp_proxy, which chooses a pod for it and stays with it. Each connection of the
client's has a pool of its own, so that no two of them share one of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.engines.local.model import LOOPBACK
from meshdemo.engines.local.translate import pools
from meshdemo.engines.local.translate.resources import (
    NEVER,
    assignment,
    endpoint,
    extension,
    internal,
    typed,
)
from meshdemo.rules import traffic_policies

if TYPE_CHECKING:
    from meshdemo.engines.local.translate.resources import Json

SOURCE = "meshdemo.source"
"""What is hashed where the source of a connection chooses its pod."""

TRACES: Json = {
    "request_headers_to_remove": ["x-forwarded-proto", "x-request-id"],
    "response_headers_to_remove": ["x-envoy-upstream-service-time"],
}
"""What HTTP in Envoy adds, and a connection that is only passed on would not have."""


KEPT_IDLE = "2s"
"""How long what is open for a connection of the client's waits for its next request, as many
servers do (Gunicorn so long, uvicorn 5 s). Envoy keeps it for an hour, also when the client has
hung up: a connection for each request would soon take all the files that it may open, and ends it.
"""


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


def closed_soon(policy: Json) -> Json:
    """Give a policy by which a cluster in front closes what is idle, unless it says when itself."""
    pool = policy.get("connectionPool") or {}
    tcp, http = pool.get("tcp") or {}, pool.get("http") or {}
    if "idleTimeout" in {**tcp, **http}:
        return policy
    return {**policy, "connectionPool": {**pool, "http": {**http, "idleTimeout": KEPT_IDLE}}}


def front(name: str, limits: Json) -> Json:
    """Make the static cluster in front of the internal listener of the same name."""
    return typed(
        "envoy.config.cluster.v3.Cluster",
        name=name,
        type="STATIC",
        load_assignment=assignment(name, [endpoint(internal(name))]),
        connection_pool_per_downstream_connection=True,
        **limits,
    )


def listener(name: str, *chains: Json, **settings: object) -> Json:
    """Make an internal listener that hands each connection to the filters of a chain."""
    return typed(
        "envoy.config.listener.v3.Listener",
        name=name,
        internal_listener={},
        filter_chains=list(chains),
        **settings,
    )


def tcp_proxy(prefix: str, **settings: str | Json | list[Json]) -> Json:
    """Make the filter that passes a connection on to one pod of its cluster."""
    return extension(
        "envoy.filters.network.tcp_proxy",
        "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        stat_prefix=prefix,
        **settings,
    )


def proxy_filters(prefix: str, policy: Json, **target: str | Json | list[Json]) -> list[Json]:
    """Make the filters that pass a connection on as a policy says, to a cluster or to several.

    Source: ``buildOutboundNetworkFiltersWithSingleDestination`` in istiod's core/networkfilter.go.
    """
    settings: Json = {**target, **pools.of_connections(policy), **_tunnel(policy)}
    if not (traffic_policies.consistent_hash(policy) or {}).get("useSourceIp"):
        return [tcp_proxy(prefix, **settings)]
    settings["hash_policy"] = [{"filter_state": {"key": SOURCE}}]
    return [_source(), tcp_proxy(prefix, **settings)]


def _source() -> Json:
    """Make the filter that says where a connection comes from: inside Envoy it has no address."""
    state = {
        "object_key": SOURCE,
        "factory_key": "envoy.hashable_string",
        "format_string": {"text_format_source": {"inline_string": LOOPBACK}},
    }
    return extension(
        "envoy.filters.network.set_filter_state",
        "envoy.extensions.filters.network.set_filter_state.v3.Config",
        on_new_connection=[state],
    )


def _tunnel(policy: Json) -> Json:
    """Have the pods asked to pass the connection on to another host, as HTTP proxies do.

    Source: ``tunnelingconfig.Apply`` in istiod's core/tunnelingconfig.
    """
    tunnel = policy.get("tunnel")
    if tunnel is None:
        return {}
    host = tunnel["targetHost"]
    named = f"[{host}]" if ":" in host else host
    post = tunnel.get("protocol") == "POST"
    return {"tunneling_config": {"hostname": f"{named}:{tunnel['targetPort']}", "use_post": post}}
