"""Listeners: where a pod's sidecar takes what the pod sends, and what others send to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.engines.local.translate import cors, error_replies, faults, names, tcp_passthrough
from meshdemo.engines.local.translate.access_log import ACCESS_LOG
from meshdemo.engines.local.translate.endpoints import target_of
from meshdemo.engines.local.translate.resources import NEVER, extension, loopback, typed
from meshdemo.rules.protocols import Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshdemo.engines.local.model import PlannedPod, PodPort
    from meshdemo.engines.local.translate.resources import Json
    from meshdemo.rules.services import Service, ServicePort

SIDECAR: Json = {
    "access_log": ACCESS_LOG,
    "use_remote_address": False,
    "normalize_path": True,
    "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
    "upgrade_configs": [{"upgrade_type": "websocket"}],
}
"""How istiod has its sidecars treat HTTP."""

INVISIBLE: Json = {
    "use_remote_address": False,
    "generate_request_id": False,
    "server_header_transformation": "PASS_THROUGH",
    "upgrade_configs": [{"upgrade_type": "websocket"}],
}
"""How to treat HTTP so that nobody notices: a pod without a sidecar has no proxy."""

INBOUND_RETRIES: Json = {"num_retries": 2, "retry_on": "reset-before-request"}
"""Istio's: a request that never reached the app is sent again, on a connection that is open."""


def outbound(port: int, folder: str) -> Json:
    """Make the HTTP proxy of an injected pod."""
    filters = [
        error_replies.https_filter(),
        extension(faults.FILTER, faults.KIND),
        extension(cors.FILTER, cors.KIND),
        _router(),
    ]
    return _proxy(port, _manager(names.ROUTES, filters, SIDECAR | _routes(folder)))


def kube_proxy(port: int, folder: str) -> Json:
    """Make the HTTP proxy of the pods without a sidecar."""
    filters = [error_replies.https_filter(), _router(suppress_envoy_headers=True)]
    return _proxy(port, _manager(names.ROUTES, filters, INVISIBLE | _routes(folder)))


def outside() -> Json:
    """Make the internal listener that answers for what is outside the mesh."""
    manager = _manager(
        names.OUTSIDE, [_router()], {"route_config": error_replies.outside()} | INVISIBLE
    )
    return typed(
        "envoy.config.listener.v3.Listener",
        name=names.OUTSIDE,
        internal_listener={},
        filter_chains=[{"filters": [manager]}],
    )


def inbound(port: PodPort, protocol: Protocol, service_port: int) -> Json:
    """Make the listener of a sidecar for one port of its pod."""
    name = names.inbound(port.number)
    if not protocol.takes_http_rules:
        proxy = tcp_passthrough.tcp_proxy(name, cluster=name, access_log=ACCESS_LOG)
        return _listener(name, port.inbound, "INBOUND", proxy)
    action = {
        "cluster": name,
        "timeout": NEVER,
        "max_stream_duration": {"max_stream_duration": NEVER, "grpc_timeout_header_max": NEVER},
        "retry_policy": INBOUND_RETRIES,
    }
    route = {"name": "default", "match": {"prefix": "/"}, "route": action}
    host = {"name": f"inbound|http|{service_port}", "domains": ["*"], "routes": [route]}
    routes = {"name": name, "virtual_hosts": [host], "validate_clusters": False}
    own = {"server_name": "istio-envoy", "route_config": routes}
    manager = _manager(name, [_router()], SIDECAR | own)
    return _listener(name, port.inbound, "INBOUND", manager)


class Served(Struct, frozen=True):
    """How a port of a pod is known outside."""

    protocol: Protocol
    number: int
    host: str = ""
    """The full name of the Service; empty if none leads there."""


def served(pod: PlannedPod, port: PodPort, services: Iterable[Service]) -> Served:
    """Find how the first Service that leads to a pod's port declares it; else detect HTTP."""
    declared: Iterable[tuple[Service, ServicePort]] = (
        (service, known)
        for service in services
        if service.selects(pod.namespace, pod.labels)
        for known in service.ports
        if target_of(known, pod) == port
    )
    for service, known in declared:
        return Served(known.protocol, known.number, service.host)
    return Served(Protocol.AUTO, port.number)


def _proxy(port: int, manager: Json) -> Json:
    return _listener(names.ROUTES, port, "OUTBOUND", manager)


def _listener(name: str, port: int, direction: str, network_filter: Json) -> Json:
    return typed(
        "envoy.config.listener.v3.Listener",
        name=name,
        address=loopback(port),
        traffic_direction=direction,
        enable_reuse_port=False,  # else two Envoys would share a port, and nobody would notice
        filter_chains=[{"filters": [network_filter]}],
    )


def _manager(prefix: str, filters: list[Json], settings: Json) -> Json:
    return extension(
        "envoy.filters.network.http_connection_manager",
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=prefix,
        stream_idle_timeout=NEVER,
        http_filters=filters,
        **settings,
    )


def _routes(folder: str) -> Json:
    source = {"path_config_source": {"path": f"{folder}/rds.json"}, "resource_api_version": "V3"}
    return {
        "rds": {"config_source": source, "route_config_name": names.ROUTES},
        "local_reply_config": error_replies.local_replies(),
    }


def _router(**settings: bool) -> Json:
    return extension(
        "envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router", **settings
    )
