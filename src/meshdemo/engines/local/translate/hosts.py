"""Names of hosts: how rules write them, and which of them a client may use for a service."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SUFFIX = "svc.cluster.local"


def service_host(name: str, namespace: str) -> str:
    """Give the full name of a service."""
    return f"{name}.{namespace}.{SUFFIX}"


def resolve(name: str, namespace: str) -> str:
    """Complete a short name in a rule: it is a service beside the rule.

    Whatever has a dot counts as complete, so ``app.shop`` is not the service app of shop.
    """
    if not name or name == "*" or "." in name or ":" in name:
        return name
    return service_host(name, namespace)


def is_wildcard(name: str) -> bool:
    """Tell whether a name stands for many."""
    return name.startswith("*")


def overlap(one: str, other: str) -> bool:
    """Tell whether two names, wildcards or not, have any host in common."""
    if is_wildcard(one) and is_wildcard(other):
        short, long = sorted((one[1:], other[1:]), key=len)
        return long.endswith(short)
    if is_wildcard(one):
        return other.endswith(one[1:])
    if is_wildcard(other):
        return one.endswith(other[1:])
    return one == other


def most_specific(host: str, names: Iterable[str]) -> str | None:
    """Find the name that fits a host best: the host itself, else the longest wildcard."""
    known = set(names)
    if host in known:
        return host
    fitting = [name for name in known if is_wildcard(name) and host.endswith(name[1:])]
    return min(fitting, key=lambda name: (-len(name), name), default=None)


def aliases(name: str, namespace: str, client_namespace: str) -> list[str]:
    """List the names by which a client may call a service, in istiod's order."""
    full = service_host(name, namespace)
    if namespace == client_namespace:
        return [full, f"{full}.", name, f"{name}.{namespace}.svc", f"{name}.{namespace}"]
    return [full, f"{full}.", f"{name}.{namespace}", f"{name}.{namespace}.svc"]


def with_port(names: Iterable[str], port: int) -> list[str]:
    """Write the domains of a virtual host: only port 80 may be left out of a URL."""
    if port == HTTP_PORT:
        return [domain for name in names for domain in (name, f"{name}:{port}")]
    return [f"{name}:{port}" for name in names]


HTTP_PORT = 80
"""The port of a URL that names none."""
