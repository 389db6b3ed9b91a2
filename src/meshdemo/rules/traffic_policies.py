"""Traffic policies: which of a DestinationRule's settings hold for one port and subset.

Source: ``MergeSubsetTrafficPolicy`` in istiod's pilot/pkg/networking/util.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from meshdemo.rules.destination_rules import DestinationRule

Json: TypeAlias = "dict[str, Any]"

PASSTHROUGH = "PASSTHROUGH"
"""The load balancer that sends a connection on to the address that was dialled."""
PER_PORT = ("connectionPool", "outlierDetection", "loadBalancer", "tls")
"""What portLevelSettings replace, also by nothing: a port inherits none of it."""
OTHERS = ("tunnel", "proxyProtocol", "retryBudget")


def effective(rule: DestinationRule | None, port: int, subset: Json | None = None) -> Json:
    """Merge the policy of the rule with that of a subset, field by field."""
    if rule is None:
        return {}
    base, _ = _for_port(rule.policy or {}, port)
    own = (subset or {}).get("trafficPolicy")
    if own is None:
        return base
    above, replaces = _for_port(own, port)
    merged = {name: base[name] for name in (*PER_PORT, *OTHERS) if name in base}
    for name in PER_PORT:
        if replaces:
            merged.pop(name, None)
        if name in above:
            merged[name] = above[name]
    merged.update({name: above[name] for name in OTHERS if name in above})
    return merged


def _for_port(policy: Json, port: int) -> tuple[Json, bool]:
    """Give what holds for a port, and whether the port has settings of its own."""
    for settings in policy.get("portLevelSettings") or ():
        if (settings.get("port") or {}).get("number") == port:
            return {name: settings[name] for name in PER_PORT if name in settings}, True
    return policy, False


def simple(policy: Json) -> str:
    """Give the load balancer by name; empty for the default."""
    return str((policy.get("loadBalancer") or {}).get("simple") or "")


def passes_through(rule: DestinationRule | None, port: int, subset: Json | None = None) -> bool:
    """Tell whether connections go on to the address that was dialled.

    What the rule says on top cannot be undone by a subset.
    """
    if simple(effective(rule, port)) == PASSTHROUGH:
        return True
    own = (subset or {}).get("trafficPolicy") or {}
    return PASSTHROUGH in (simple(own), simple(effective(rule, port, subset)))


def stickiness(policy: Json) -> str:
    """Say why equal requests do not spread over the pods; empty if each pod gets as much."""
    if (policy.get("loadBalancer") or {}).get("consistentHash"):
        return "its consistentHash sends equal requests to one pod"
    return ""


def speaks_of(rule: DestinationRule, word: str) -> bool:
    """Tell whether a field or value of this name stands anywhere in a rule's policies."""
    return word in str((rule.policy, [subset.get("trafficPolicy") for subset in rule.subsets]))
