"""Names of services, and selectors of pods: what they mean to Istio and Kubernetes.

A rule and a request write the same short name with different meanings, see ``resolve`` and
``dialled``; so nothing else completes names.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

T = TypeVar("T")

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


def gateway_in_full(name: str, namespace: str) -> str:
    """Write a gateway's name with its namespace: NAME alone is one of the rule's own."""
    return name if name == MESH or "/" in name else f"{namespace}/{name}"


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


def most_specific(host: str, names: Container[str]) -> str | None:
    """Find the name that fits a host best: the host itself, else the longest wildcard."""
    return next((name for name in _covering(host) if name in names), None)


def _covering(host: str) -> Iterator[str]:
    """Give all names that cover a host: itself, then the wildcards, the longest first."""
    yield host
    yield from (f"*{host[start:]}" for start in range(len(host) + 1))


class HostIndex(Generic[T]):
    """Values by the hosts that each is for, so that a search looks at those that fit only."""

    def __init__(self, values: Iterable[tuple[Iterable[str], T]]) -> None:
        self._values: list[T] = []
        self._places: dict[str, list[int]] = {}
        for names, value in values:
            for name in names:
                self._places.setdefault(name, []).append(len(self._values))
            self._values.append(value)

    def overlapping(self, *hosts: str) -> list[T]:
        """Give the values for what has any host in common with these, in the order given."""
        places = {place for host in hosts for place in self._overlapping(host)}
        return [self._values[place] for place in sorted(places)]

    def _overlapping(self, host: str) -> Iterator[int]:
        every = self._places
        narrower = [name for name in every if overlap(host, name)] if is_wildcard(host) else ()
        for name in (*_covering(host), *narrower):
            yield from every.get(name, ())


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
    return labels.items() <= of.items()


def selects(selector: Mapping[str, str] | None, labels: Mapping[str, str]) -> bool:
    """Tell whether a Service's selector takes a pod of its namespace; without one, none."""
    return bool(selector) and within(selector or {}, labels)
