"""Names of services, and selectors of pods: what they mean to Istio and Kubernetes.

A rule and a request write the same short name with different meanings, see ``resolve`` and
``dialled``; so nothing else completes names.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DOMAIN = "svc.cluster.local"
HTTP_PORT = 80
"""The port of a URL that names none."""
LOCALHOST = "localhost"
MESH = "mesh"
"""The gateway that stands for all sidecars."""


def service_host(name: str, namespace: str) -> str:
    """Give the full name of a service."""
    return f"{name}.{namespace}.{DOMAIN}"


def namespace_of(host: str) -> str:
    """Give the namespace in a service's full name; empty for a host that is no service's."""
    name = host.removesuffix(f".{DOMAIN}")
    return name.partition(".")[2] if name != host else ""


def resolve(name: str, namespace: str) -> str:
    """Complete a short name in a rule: it is a service beside the rule.

    Whatever has a dot counts as complete, so ``app.shop`` is not the service app of shop.
    """
    if not name or name == "*" or "." in name or ":" in name:
        return name
    return service_host(name, namespace)


def full_name(host: str, namespace: str) -> str:
    """Complete a rule's host as Istio does; capitals are no difference to a request."""
    return resolve(host, namespace).lower()


def dialled(name: str, namespace: str) -> str:
    """Complete the name in a request as DNS does in a pod: ``app.shop`` is app of shop."""
    short = name.lower().rstrip(".").removesuffix(f".{DOMAIN}").removesuffix(".svc")
    service, _, other = short.partition(".")
    return service_host(service, other or namespace)


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


def is_loopback(address: str) -> bool:
    """Tell whether an address, or a name that DNS knows, leads to this very machine."""
    if address == LOCALHOST or address.endswith(f".{LOCALHOST}"):
        return True
    try:
        return "%" not in address and ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def within(labels: Mapping[str, str], of: Mapping[str, str]) -> bool:
    """Tell whether all of ``labels`` are among those of a pod."""
    return all(of.get(key) == value for key, value in labels.items())


def selects(selector: Mapping[str, str] | None, labels: Mapping[str, str]) -> bool:
    """Tell whether a Service's selector takes a pod of its namespace; without one, none."""
    return bool(selector) and within(selector or {}, labels)
