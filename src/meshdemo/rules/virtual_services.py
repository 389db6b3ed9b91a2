"""Which of several VirtualServices for one host a sidecar heeds: Istio never merges them. Pure.

They are read as they were written, whatever that is: what is no list of names reads as none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.rules.hosts import MESH
from meshdemo.rules.http_matches import fit, full_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshdemo.objects.model import Object

EVERYWHERE, HERE, NOWHERE = "*", ".", "~"


def is_for_mesh(rule: Object) -> bool:
    """Tell whether sidecars get it, and not only gateways."""
    gateways = _names(rule, "gateways")
    return not gateways or MESH in gateways


def hosts_of(rule: Object) -> list[str]:
    """Give the full names of its hosts."""
    return [full_name(host, rule.namespace) for host in _names(rule, "hosts")]


def scope(rule: Object) -> frozenset[str]:
    """Give the namespaces whose clients get it, by ``exportTo``."""
    named = _names(rule, "exportTo") or [EVERYWHERE]
    return frozenset(rule.namespace if name == HERE else name for name in named if name != NOWHERE)


def is_seen(rule: Object, namespace: str) -> bool:
    """Tell whether the clients of a namespace get it."""
    return bool(scope(rule) & {EVERYWHERE, namespace})


def holds_for(rule: Object, hosts: Sequence[str], namespace: str) -> bool:
    """Tell whether a rule is for the clients of a namespace, and for one of these hosts."""
    named = hosts_of(rule) or [full_name(str(rule.spec.get("host", "")), rule.namespace)]
    return is_seen(rule, namespace) and any(fit(name, host) for name in named for host in hosts)


def publicity(rule: Object) -> int:
    """Sort those for their own namespace first, then those for named ones, then public ones."""
    seen = scope(rule)
    return 2 if EVERYWHERE in seen else 0 if seen == {rule.namespace} else 1


def precedence(rule: Object, created: str | None = None) -> tuple[int, str, str, str]:
    """Give what decides between rules for one host: the least wins.

    ``created`` is when it came to be, unless the rule says so itself.
    """
    if created is None:
        created = str(rule.metadata.get("creationTimestamp") or "")
    return publicity(rule), created, rule.name, rule.namespace


def overruling(rule: Object, rules: Sequence[Object], namespace: str) -> tuple[Object, ...]:
    """Give the VirtualServices that leave it none of its hosts for the clients of a namespace.

    ``rules`` are those that are applied, this one among them.
    """
    if rule.kind != "VirtualService" or not is_for_mesh(rule):
        return ()
    own = next((item for item in rules if item.key == rule.key), rule)
    winners = {
        host: other
        for other in rules
        if other.kind == "VirtualService" and is_for_mesh(other) and is_seen(other, namespace)
        for host in hosts_of(other)
        if other.key != rule.key and precedence(other) < precedence(own)
    }
    taken = [winners.get(host) for host in hosts_of(rule)]
    found = {other.key: other for other in taken if other}
    return tuple(found.values()) if None not in taken else ()


def _names(rule: Object, field: str) -> list[str]:
    spec = rule.data.get("spec")
    value = spec.get(field) if isinstance(spec, dict) else None
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []
