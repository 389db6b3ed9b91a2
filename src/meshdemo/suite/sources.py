"""Where a request comes from, if nothing is said: a pod, or the gateway that its rules are for."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from meshdemo.errors import InputError
from meshdemo.rules import gateways, hosts
from meshdemo.rules.hosts import MESH
from meshdemo.suite.model import Source

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshdemo.objects.model import Object
    from meshdemo.verdict.traffic import Request


class Unanswerable(InputError):
    """A request that no single client is meant for."""


class Sources(Struct, frozen=True):
    """The clients that may be meant by a request."""

    namespace: str
    """That of pods where none is said."""
    by_host: dict[str, set[str]]
    """For each host of the rules the gateways that they are bound to, ``mesh`` among them."""

    @classmethod
    def among(cls, objects: Iterable[Object], namespace: str) -> Sources:
        """Read what the VirtualServices among objects are bound to."""
        rules = (item for item in objects if item.kind == "VirtualService")
        return cls(namespace, gateways.known_hosts(rules))

    def of(self, request: Request, said: Source | None) -> Source:
        """Say where a request comes from. Raises Unanswerable where several gateways may be meant.

        Where nothing is said, it is the only gateway that all rules for its host are bound to, else
        a pod.
        """
        if said and said.gateway:
            bound = {name for names in self.by_host.values() for name in names} - {MESH}
            if said.gateway not in bound:
                known = ", ".join(sorted(bound)) or "none"
                message = f"nothing is bound to the gateway {said.gateway}"
                raise Unanswerable(message, hint=f"rules are bound to: {known}")
            return said
        if said:
            return replace(said, namespace=said.namespace or self.namespace)
        bound = self._bound_for(request)
        if not bound or MESH in bound:
            return Source(self.namespace)
        if len(bound) > 1:
            name = _called(request)
            raise Unanswerable(
                f"rules for {name} are bound to {len(bound)} gateways",
                hint="say which: from: {gateway: " + " or ".join(sorted(bound)) + "}",
            )
        return Source(gateway=next(iter(bound)))

    def _bound_for(self, request: Request) -> set[str]:
        name = _called(request)
        dialled = hosts.dialled(name, self.namespace)
        fitting = (
            names
            for host, names in self.by_host.items()
            if hosts.overlap(host, name) or hosts.overlap(host, dialled)
        )
        return set().union(*fitting)


def _called(request: Request) -> str:
    called = request.header("host") or urlsplit(request.url).hostname or ""
    return called.partition(":")[0].lower()


def written_hosts(objects: Iterable[Object]) -> tuple[str, ...]:
    """Give the hosts that VirtualServices are for, as they are written."""
    rules = (item for item in objects if item.kind == "VirtualService")
    return tuple(dict.fromkeys(host for item in rules for host in item.spec.get("hosts") or ()))


def as_it_comes(request: Request, source: Source) -> Request:
    """Write a request as it comes to its client's proxy.

    To a gateway it comes with its URL's scheme, and without the port.
    """
    if not source.gateway:
        return request
    parts = urlsplit(request.url)
    host = parts.hostname or ""
    plain = request.url.replace(f"//{parts.netloc}", f"//{host}", 1)
    scheme = (("x-forwarded-proto", parts.scheme),) if parts.scheme == "https" else ()
    return replace(request, url=plain, headers=(*request.headers, *scheme))
