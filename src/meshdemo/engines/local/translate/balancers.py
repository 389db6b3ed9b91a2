"""Load balancers: which of a cluster's pods gets a request.

Source: ``applyLoadBalancer`` and ``ApplyRingHashLoadBalancer`` in istiod's
core/cluster_traffic_policy.go; ``ConsistentHashToHashPolicy`` in its core/route/route.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.engines.local.translate.resources import duration
from meshdemo.rules import traffic_policies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshdemo.engines.local.translate.resources import Json

SIMPLE = {"RANDOM": "RANDOM", "ROUND_ROBIN": "ROUND_ROBIN"}
"""By their name in a rule; all others are LEAST_REQUEST, which is the default too."""
RING_SIZE = 1024
"""Of a ring that does not say."""


def balancer(policy: Json) -> Json:
    """Translate the load balancer of a policy."""
    if (consistent := traffic_policies.consistent_hash(policy)) is not None:
        return _hashing(consistent)
    return {"lb_policy": SIMPLE.get(traffic_policies.simple(policy), "LEAST_REQUEST")}


def hash_policies(hashes: Sequence[Json | None]) -> Json:
    """Say on a route's action what of a request is hashed; empty if nothing is.

    Of several destinations each one's is hashed, whichever of them gets the request.
    """
    found = [policy for each in hashes if each and (policy := _hash_policy(each))]
    return {"hash_policy": found} if found else {}


def _hashing(consistent: Json) -> Json:
    if "maglev" in consistent:
        table = {"table_size": consistent["maglev"]["tableSize"]}
        return {"lb_policy": "MAGLEV", "maglev_lb_config": table}
    if "ringHash" in consistent:
        size = consistent["ringHash"].get("minimumRingSize")
    else:
        size = consistent.get("minimumRingSize")
    return {
        "lb_policy": "RING_HASH",
        "ring_hash_lb_config": {"minimum_ring_size": size or RING_SIZE},
    }


def _hash_policy(consistent: Json) -> Json:
    if "httpHeaderName" in consistent:
        return {"header": {"header_name": consistent["httpHeaderName"]}}
    if "httpQueryParameterName" in consistent:
        return {"query_parameter": {"name": consistent["httpQueryParameterName"]}}
    if "useSourceIp" in consistent:
        return {"connection_properties": {"source_ip": consistent["useSourceIp"]}}
    if "httpCookie" in consistent:
        return {"cookie": _cookie(consistent["httpCookie"])}
    return {}


def _cookie(cookie: Json) -> Json:
    """Translate a cookie; with a ttl, also of 0, Envoy sets one for whoever sends none."""
    found: Json = {"name": cookie["name"]}
    if "ttl" in cookie:
        found["ttl"] = duration(cookie["ttl"])
    if path := cookie.get("path"):
        found["path"] = path
    if attributes := cookie.get("attributes"):
        found["attributes"] = [
            {"name": each["name"], "value": each.get("value") or ""} for each in attributes
        ]
    return found
