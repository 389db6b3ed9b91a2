"""A traffic policy in words: ``at most 1 pending request``, ``sticky by header x-user``. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshdemo.rules.field_words import in_words, leaves, value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_HASH = "loadBalancer.consistentHash"
_TCP, _HTTP = "connectionPool.tcp", "connectionPool.http"
_OUTLIER = "outlierDetection"

_PHRASES = {
    "loadBalancer.simple": "load balancer {}",
    "loadBalancer.warmup.duration": "warms a new pod up for {}",
    "loadBalancer.warmupDurationSecs": "warms a new pod up for {}",
    "loadBalancer.localityLbSetting.failoverPriority": "prefers pods with the client's {}",
    f"{_HASH}.httpHeaderName": "sticky by header {}",
    f"{_HASH}.httpCookie.name": "sticky by cookie {}",
    f"{_HASH}.httpQueryParameterName": "sticky by query parameter {}",
    f"{_TCP}.connectTimeout": "connects within {}",
    f"{_OUTLIER}.baseEjectionTime": "ejected for {}",
    f"{_OUTLIER}.interval": "looks each {}",
    f"{_OUTLIER}.maxEjectionPercent": "ejects at most {} %",
    "tls.mode": "TLS {}",
    "tls.sni": "as {}",
    "proxyProtocol.version": "PROXY protocol {}",
}
_COUNTS = {
    f"{_TCP}.maxConnections": "at most {} connection{s}",
    f"{_HTTP}.http1MaxPendingRequests": "at most {} pending request{s}",
    f"{_HTTP}.http2MaxRequests": "at most {} request{s} under way",
    f"{_HTTP}.maxRequestsPerConnection": "at most {} request{s} a connection",
    f"{_OUTLIER}.consecutive5xxErrors": "ejects a pod after {} 5xx",
    f"{_OUTLIER}.consecutiveGatewayErrors": "ejects a pod after {} gateway error{s}",
    f"{_OUTLIER}.consecutiveLocalOriginFailures": "ejects a pod after {} lost connection{s}",
}
"""What counts. 0 is no limit, and has no words."""


def policy_words(policy: Mapping[str, Any] | None) -> Iterator[str]:
    """Say each part of a policy, then what holds for a port instead of it.

    What has no words of its own is written as its field and value, so that nothing is left out.
    """
    parts = dict(policy or {})
    ports = parts.pop("portLevelSettings", None) or ()
    for name, part in parts.items():
        if found := [_said(path, leaf) for path, leaf in leaves(part, (name,))]:
            yield ", ".join(found)
    for settings in ports:
        inner = {name: part for name, part in settings.items() if name != "port"}
        number = (settings.get("port") or {}).get("number")
        yield f"port {number}: {'; '.join(policy_words(inner)) or 'no policy'}"


def _said(path: tuple[str | int, ...], leaf: Any) -> str:  # noqa: ANN401 - any scalar, or a list
    name = ".".join(map(str, path))
    if name in _COUNTS and leaf and isinstance(leaf, int):
        return _COUNTS[name].format(leaf, s="" if leaf == 1 else "s")
    if name in _PHRASES and leaf != {}:
        written = ", ".join(map(value, leaf)) if isinstance(leaf, list) else value(leaf)
        return _PHRASES[name].format(written)
    if name == f"{_HASH}.useSourceIp" and leaf is True:
        return "sticky by source address"
    return in_words(("trafficPolicy", *path), leaf)
