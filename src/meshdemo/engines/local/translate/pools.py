"""Connection pools: what a cluster may have open, and for how long.

Source: ``applyConnectionPool`` and ``applyRetryBudget`` in istiod's core/cluster_traffic_policy.go,
``setKeepAliveSettings`` in core/cluster.go. A limit of 0 is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.engines.local.translate.resources import duration, whole_seconds
from meshdemo.rules.protocols import Protocol

if TYPE_CHECKING:
    from meshdemo.engines.local.translate.resources import Json

UNLIMITED = 2**32 - 1
CONNECT_TIMEOUT = "10s"
"""Istio's, for every cluster of which no rule says otherwise."""
RETRY_SHARE, LEAST_RETRIES = 20.0, 3
"""Of a retryBudget that does not say: percent of the requests under way, and how many always."""

HTTP1: Json = {"explicit_http_config": {"http_protocol_options": {}}}
HTTP2: Json = {"explicit_http_config": {"http2_protocol_options": {}}}
AS_CLIENT: Json = {
    "use_downstream_protocol_config": {"http_protocol_options": {}, "http2_protocol_options": {}}
}
SPOKEN = {Protocol.HTTP2: HTTP2, Protocol.AUTO: AS_CLIENT}
"""What an upstream speaks, where that is not HTTP/1.1."""


def limits(policy: Json) -> Json:
    """Translate how many connections, requests and retries may be under way at once."""
    tcp, http = _settings(policy)
    threshold: Json = {
        "max_connections": tcp.get("maxConnections") or UNLIMITED,
        "max_pending_requests": http.get("http1MaxPendingRequests") or UNLIMITED,
        "max_requests": http.get("http2MaxRequests") or UNLIMITED,
        "max_retries": http.get("maxRetries") or UNLIMITED,
        "track_remaining": True,
    }
    if (budget := policy.get("retryBudget")) is not None:
        threshold["retry_budget"] = _retry_budget(budget)
    found: Json = {
        "connect_timeout": _duration(tcp, "connectTimeout") or CONNECT_TIMEOUT,
        "circuit_breakers": {"thresholds": [threshold]},
    }
    if (alive := tcp.get("tcpKeepalive")) is not None:
        found["upstream_connection_options"] = {"tcp_keepalive": _keepalive(alive)}
    return found


def http_options(policy: Json, protocol: Protocol, *, upgrades: bool = True) -> Json:
    """Translate what is spoken, and how long a connection is kept; empty for plain HTTP/1.1.

    A port whose protocol is detected is not upgraded to HTTP/2: it speaks as the client does.
    """
    tcp, http = _settings(policy)
    as_client = http.get("useClientProtocol") is True
    spoken = SPOKEN.get(protocol, HTTP1)
    if upgrades and spoken is HTTP1 and http.get("h2UpgradePolicy") == "UPGRADE" and not as_client:
        spoken = HTTP2
    if spoken is HTTP2:
        spoken = {"explicit_http_config": {"http2_protocol_options": _http2(http)}}
    if as_client:
        spoken = AS_CLIENT
    common = {
        "idle_timeout": _duration(http, "idleTimeout") or _duration(tcp, "idleTimeout"),
        "max_connection_duration": _duration(tcp, "maxConnectionDuration"),
        "max_requests_per_connection": http.get("maxRequestsPerConnection"),
    }
    kept = {name: value for name, value in common.items() if value}
    if kept:
        return {"common_http_protocol_options": kept, **spoken}
    return {} if spoken is HTTP1 else spoken


def of_connections(policy: Json) -> Json:
    """Translate for a TCP proxy how long a connection of the client's is kept."""
    tcp, _ = _settings(policy)
    found = {
        "idle_timeout": _duration(tcp, "idleTimeout"),
        "max_downstream_connection_duration": _duration(tcp, "maxConnectionDuration"),
    }
    return {name: value for name, value in found.items() if value}


def _settings(policy: Json) -> tuple[Json, Json]:
    pool = policy.get("connectionPool") or {}
    return pool.get("tcp") or {}, pool.get("http") or {}


def _duration(settings: Json, name: str) -> str:
    return duration(settings[name]) if name in settings else ""


def _http2(http: Json) -> Json:
    found: Json = {}
    if streams := http.get("maxConcurrentStreams"):
        found["max_concurrent_streams"] = streams
    if (alive := http.get("http2KeepAlive")) is not None:
        found["connection_keepalive"] = {n: duration(alive[n]) for n in ("interval", "timeout")}
    return found


def _keepalive(alive: Json) -> Json:
    """Translate TCP keepalive; Envoy, as the kernel, counts whole seconds."""
    found: Json = {"keepalive_probes": alive["probes"]} if alive.get("probes") else {}
    times = {name: alive[name] for name in ("time", "interval") if name in alive}
    return found | {f"keepalive_{name}": whole_seconds(text) for name, text in times.items()}


def _retry_budget(budget: Json) -> Json:
    share = budget.get("percent")
    found: Json = {
        "budget_percent": {"value": RETRY_SHARE if share is None else share},
        "min_retry_concurrency": budget.get("minRetryConcurrency") or LEAST_RETRIES,
    }
    if "budgetInterval" in budget:
        found["budget_interval"] = duration(budget["budgetInterval"])
    return found
