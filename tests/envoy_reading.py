"""Who answers a request, read from Envoy's configuration alone: an independent reading of it.

Sources: Envoy's documentation of VirtualHost (domains), RouteMatch, WeightedCluster, HeaderMatcher,
CorsPolicy, RequestMirrorPolicy.
Only what the translation writes is read, and anything else is a KeyError or an AssertionError.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from meshdemo.engines.local.translate import Config

Json = dict[str, Any]

CLOSED = 1
"""The port on loopback that stands for one on which nothing listens."""


@dataclass(frozen=True)
class Asked:
    """A request as Envoy sees it, after it normalized the path."""

    authority: str
    path: str = "/"
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "GET"


@dataclass(frozen=True)
class Answered:
    """By which ports on loopback a request is answered, and how often; none if by nobody."""

    ports: Mapping[int, Fraction]
    statuses: Mapping[int, Fraction] = field(default_factory=dict)
    """The statuses that the sidecar itself answers with, and how often."""
    connections: bool = False
    """Whether a connection, not a request, chooses the pod."""
    mixed: tuple[frozenset[int], ...] = ()
    """The ports among which copies of requests take turns with the requests themselves."""
    sticky: bool = False
    """Whether something in the request chooses one of several pods."""


NOBODY = Answered({})
HASHING = ("RING_HASH", "MAGLEV")
REDIRECTS = {
    "MOVED_PERMANENTLY": 301,
    "FOUND": 302,
    "SEE_OTHER": 303,
    "TEMPORARY_REDIRECT": 307,
    "PERMANENT_REDIRECT": 308,
}


def answered(config: Config, asked: Asked) -> Answered:
    """Follow a request from the route configuration to the endpoints."""
    route = route_for(config, asked)
    statuses = _statuses(route, asked) if route else {}
    if route is None or not ("route" in route or statuses):
        return NOBODY
    left = 1 - sum(statuses.values())
    if not left:
        return Answered({}, statuses)
    action = route["route"]
    if "cluster" in action:
        parts = [(action["cluster"], Fraction(1))]
    else:
        weighted = action["weighted_clusters"]["clusters"]
        total = sum(part["weight"] for part in weighted)
        parts = [(part["name"], Fraction(part["weight"], total)) for part in weighted]
    copied = {copies["cluster"] for copies in action.get("request_mirror_policies", ()) if
              copies["runtime_fraction"]["default_value"]["numerator"]}  # fmt: skip
    reading = _Reading(config)
    mixed = []
    for name, share in parts:
        if not reading.follow(name, left * share):
            return NOBODY
        if name in copied and reading.clusters[name].get("lb_policy") != "RANDOM":
            alone = _Reading(config)
            alone.follow(name, Fraction(1))
            mixed.append(frozenset(alone.found))
    return Answered(
        dict(reading.found), statuses, reading.connections, tuple(mixed), reading.sticky
    )


def route_for(config: Config, asked: Asked) -> Json | None:
    """Find the route that takes a request."""
    return _route(_virtual_host(config.routes[0]["virtual_hosts"], asked.authority), asked)


OUTSIDE = "outside"
"""The internal listener that stands for all that is outside the mesh."""


class _Reading:
    """What is reached from clusters, and whether connections choose."""

    def __init__(self, config: Config) -> None:
        self.clusters = {cluster["name"]: cluster for cluster in config.clusters}
        self.listeners = {listener["name"]: listener for listener in config.listeners}
        self.found: dict[int, Fraction] = {}
        self.connections = self.sticky = False

    def follow(self, name: str, share: Fraction) -> bool:
        """Follow a cluster's endpoints; false where one of them answers nothing."""
        cluster = self.clusters.get(name)
        endpoints = [
            endpoint
            for locality in (cluster["load_assignment"]["endpoints"] if cluster else ())
            if not locality.get("priority")  # while all are well, the others get nothing
            for endpoint in locality["lb_endpoints"]
        ]
        hashes = cluster is not None and cluster.get("lb_policy") in HASHING
        self.sticky = self.sticky or (hashes and len(endpoints) > 1)
        total = sum(endpoint.get("load_balancing_weight", 1) for endpoint in endpoints)
        return bool(endpoints) and all(
            self._reach(
                endpoint["endpoint"]["address"],
                share * Fraction(endpoint.get("load_balancing_weight", 1), total),
            )
            for endpoint in endpoints
        )

    def _reach(self, address: Json, share: Fraction) -> bool:
        if "envoy_internal_address" in address:
            listener = address["envoy_internal_address"]["server_listener_name"]
            if listener == OUTSIDE:
                return False
            self.connections = True
            return all(
                self.follow(name, share * part)
                for name, part in _weighted(_rest(self.listeners[listener])["filters"][0])
            )
        port = int(address["socket_address"]["port_value"])
        self.found[port] = self.found.get(port, Fraction(0)) + share
        return port != CLOSED


def _rest(listener: Json) -> Json:
    """Find the filter chain for a connection that begins with no TLS handshake."""
    chains = listener["filter_chains"]
    if "default_filter_chain" in listener:
        assert all(chain["filter_chain_match"]["server_names"] for chain in chains)
        chain: Json = listener["default_filter_chain"]
        return chain
    (only,) = chains
    assert "filter_chain_match" not in only
    return dict(only)


def _weighted(tcp_proxy: Json) -> list[tuple[str, Fraction]]:
    """Give the clusters of a tcp_proxy, each with its part."""
    found = tcp_proxy["typed_config"]
    if "cluster" in found:
        return [(found["cluster"], Fraction(1))]
    parts = found["weighted_clusters"]["clusters"]
    total = sum(part["weight"] for part in parts)
    return [(part["name"], Fraction(part["weight"], total)) for part in parts]


def _virtual_host(hosts: Iterable[Json], authority: str) -> Json:
    """Find the closest domain: whole, longest suffix, longest prefix, any."""
    by_domain = {domain.lower(): host for host in hosts for domain in host["domains"]}
    name = authority.lower()
    if name in by_domain:
        return by_domain[name]
    suffixes = [d for d in by_domain if d[0] == "*" and len(d) > 1 and name.endswith(d[1:])]
    prefixes = [d for d in by_domain if d[-1] == "*" and len(d) > 1 and name.startswith(d[:-1])]
    for domains in (suffixes, prefixes):
        if domains:
            return by_domain[max(domains, key=len)]
    return by_domain["*"]


def _route(host: Json, asked: Asked) -> Json | None:
    return next((route for route in host["routes"] if _takes(route["match"], asked)), None)


def _takes(match: Json, asked: Asked) -> bool:
    if asked.method == "CONNECT" or "connect_matcher" in match:
        return asked.method == "CONNECT" and "connect_matcher" in match
    fold = str.lower if match.get("case_sensitive", True) is False else str
    right: bool
    path = fold(asked.path)
    if "path" in match:
        right = path == fold(match["path"])
    elif "prefix" in match:
        right = path.startswith(fold(match["prefix"]))
    else:
        right = re.fullmatch(match["safe_regex"]["regex"], asked.path) is not None
    values = {
        ":method": asked.method,
        ":scheme": "http",
        ":authority": asked.authority,
        **asked.headers,
    }
    return (
        right
        and all(_holds(wanted, values) for wanted in match.get("headers", ()))
        and all(_holds(wanted, asked.query) for wanted in match.get("query_parameters", ()))
    )


def _holds(wanted: Json, values: Mapping[str, str]) -> bool:
    value = values.get(wanted["name"])
    if "present_match" in wanted:
        return (value is not None) != bool(wanted.get("invert_match"))
    if value is None and wanted.get("treat_missing_header_as_empty"):
        value = ""
    if value is None:
        return False
    return _fits(wanted["string_match"], value) != bool(wanted.get("invert_match"))


def _fits(pattern: Json, value: str) -> bool:
    right: bool
    if "exact" in pattern:
        right = value == pattern["exact"]
    elif "prefix" in pattern:
        right = value.startswith(pattern["prefix"])
    else:
        right = re.fullmatch(pattern["safe_regex"]["regex"], value) is not None
    return right


def _statuses(route: Json, asked: Asked) -> dict[int, Fraction]:
    """Give what the sidecar itself answers, and how often: its filter for faults is the first."""
    own, found = _own_status(route, asked), _aborted(route)
    if own:
        left = 1 - sum(found.values())
        found[own] = found.get(own, Fraction(0)) + left
    return found


def _aborted(route: Json) -> dict[int, Fraction]:
    fault = route.get("typed_per_filter_config", {}).get("envoy.filters.http.fault", {})
    abort = fault.get("abort", {})
    parts = abort.get("percentage", {}).get("numerator", 0)
    return {abort["http_status"]: Fraction(parts, 1_000_000)} if parts else {}


def _own_status(route: Json, asked: Asked) -> int:
    """Give the status of an answer that is no pod's; 0 where a pod is asked."""
    if "redirect" in route:
        return REDIRECTS[route["redirect"].get("response_code", "MOVED_PERMANENTLY")]
    # Ours say what is not there; those of rules bear their origin.
    if "direct_response" in route and "metadata" in route:
        return int(route["direct_response"]["status"])
    return 200 if _answers_preflight(route, asked) else 0


def _answers_preflight(route: Json, asked: Asked) -> bool:
    policy = route.get("typed_per_filter_config", {}).get("envoy.filters.http.cors")
    origin = asked.headers.get("origin")
    is_preflight = asked.method == "OPTIONS" and "access-control-request-method" in asked.headers
    if policy is None or origin is None or not is_preflight:
        return False
    allowed = policy["allow_origin_string_match"]
    if any(_fits(pattern, text) for pattern in allowed for text in ("*", origin)):
        return True
    return not policy["forward_not_matching_preflights"]
