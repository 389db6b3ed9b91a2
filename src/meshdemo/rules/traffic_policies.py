"""Traffic policies: which of a DestinationRule's settings hold for one port and subset.

Source: ``MergeSubsetTrafficPolicy`` in istiod's pilot/pkg/networking/util, for what hashes requests
``hashForService`` and ``HashForHTTPDestination`` in its core/route/route.go.
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
OF_SUBSET = ("loadBalancer", "tunnel")
"""What a subset may say of connections in which no HTTP is seen."""
ORIGINATES = ("SIMPLE", "MUTUAL")
"""The modes of tls in which a sidecar speaks TLS to servers outside of Istio's own."""
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


def originated_tls(policy: Json) -> Json | None:
    """Give the tls of a policy if it has the sidecar speak TLS with the user's certificates."""
    tls: Json = policy.get("tls") or {}
    return tls if tls.get("mode") in ORIGINATES else None


def consistent_hash(policy: Json) -> Json | None:
    """Give the consistentHash of a policy; None where it has none, which an empty one is not.

    With one equal requests do not spread over the pods.
    """
    found: Json | None = (policy.get("loadBalancer") or {}).get("consistentHash")
    return found


def hash_of_service(rule: DestinationRule | None, port: int) -> Json | None:
    """Give what of a request is hashed where no VirtualService decides about it.

    A port's settings without a hash leave that of the rule in place here, unlike for the cluster.
    """
    policy = (rule and rule.policy) or {}
    own = consistent_hash(_for_port(policy, port)[0])
    return consistent_hash(policy) if own is None else own


def hash_of_destination(rule: DestinationRule | None, subset: str, port: int | None) -> Json | None:
    """Give what of a request is hashed for one destination of a VirtualService.

    ``port`` is the one that the destination names: the settings of a port that it does not name
    are left out here, although they hold for its cluster, which then has nothing to go by.
    """
    if rule is None:
        return None
    policies = [((rule.subset(subset) or {}).get("trafficPolicy") or {}), rule.policy or {}]
    for policy in policies:
        of_port, is_own = _for_port(policy, -1 if port is None else port)
        for each in (of_port if is_own else {}, policy):
            if (found := consistent_hash(each)) is not None:
                return found
    return None


def of_connections(rule: DestinationRule | None, subset: str) -> Json:
    """Give what holds for connections in which no HTTP is seen, beside what their cluster says.

    How long they are kept is said on top only; no port's settings count. Source:
    ``maybeSetHashPolicy`` and ``tunnelingconfig.Apply`` in istiod's networking/core.
    """
    above = (rule and rule.policy) or {}
    part = (rule.subset(subset) if rule and subset else None) or {}
    own = part.get("trafficPolicy") or {}
    found = {name: above[name] for name in ("connectionPool", *OF_SUBSET) if name in above}
    return found | {name: own[name] for name in OF_SUBSET if name in own}


def speaks_of(rule: DestinationRule, *words: str) -> bool:
    """Tell whether a field or value of such a name stands anywhere in a rule's policies."""
    said = str((rule.policy, [subset.get("trafficPolicy") for subset in rule.subsets]))
    return any(word in said for word in words)
