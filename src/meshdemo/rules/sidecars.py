"""Sidecars: which of them a client follows, and what it lets the client know of the mesh.

Source: ``SidecarScope`` in istiod's pilot/pkg/model/sidecar.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct

from meshdemo.rules import hosts
from meshdemo.rules.hosts import within
from meshdemo.rules.visibility import EVERYWHERE, HERE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from meshdemo.objects.model import Object

Json: TypeAlias = "dict[str, Any]"

KIND = "Sidecar"
REGISTRY_ONLY = "REGISTRY_ONLY"
EXCLUDED = "~"
"""In front of a namespace: its hosts are left out of what other entries take in."""


class Sidecar(Struct, frozen=True):
    """One Sidecar, as far as it decides what its clients reach."""

    name: str
    namespace: str
    selector: Mapping[str, str] | None
    """The labels of the pods that it is for; None means all."""
    egress: tuple[str, ...]
    """The hosts that it lets them know, as NAMESPACE/HOST."""
    registry_only: bool
    """What they do not know they do not reach either."""

    @property
    def title(self) -> str:
        """How messages call it."""
        return f"Sidecar {self.namespace}/{self.name}"


def read_sidecars(objects: Iterable[Object]) -> list[Sidecar]:
    """Read them, those with a workloadSelector first, then by age."""
    found = [item for item in objects if item.kind == KIND]
    found.sort(key=lambda item: (item.spec.get("workloadSelector") is None, item.age))
    return [_sidecar(item) for item in found]


def _sidecar(item: Object) -> Sidecar:
    spec = item.spec
    selector = spec.get("workloadSelector")
    policy = spec.get("outboundTrafficPolicy")
    return Sidecar(
        name=item.name,
        namespace=item.namespace,
        selector=None if selector is None else selector.get("labels") or {},
        egress=tuple(
            host for listener in spec.get("egress") or () for host in listener.get("hosts") or ()
        ),
        # A policy that does not say which is the API's first one, and that is REGISTRY_ONLY.
        registry_only=policy is not None and (policy.get("mode") or REGISTRY_ONLY) == REGISTRY_ONLY,
    )


def choose(
    sidecars: Sequence[Sidecar], namespace: str, labels: Mapping[str, str], root: str
) -> Sidecar | None:
    """Choose the one that a client follows: the first of its namespace that selects it.

    Where there is none it is the first without a workloadSelector of the root namespace
    (``getSidecarScope``).
    """
    for sidecar in sidecars:
        fits = sidecar.selector is None or within(sidecar.selector, labels)
        if sidecar.namespace == namespace and fits:
            return sidecar
    return next((s for s in sidecars if s.namespace == root and s.selector is None), None)


class Imports(Struct, frozen=True):
    """What of the mesh a client knows, by the hosts of its Sidecar."""

    taken: Mapping[str, tuple[str, ...]]
    """Hosts by namespace; EVERYWHERE stands for any namespace."""
    excluded: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, egress: Iterable[str], namespace: str) -> Imports:
        """Read the hosts of an egress, for the clients of a namespace; none means all."""
        taken: dict[str, tuple[str, ...]] = {}
        excluded: dict[str, tuple[str, ...]] = {}
        for entry in tuple(egress) or (f"{EVERYWHERE}/*",):
            space, _, host = entry.partition("/")
            into = excluded if space.startswith(EXCLUDED) else taken
            space = space.removeprefix(EXCLUDED) or EVERYWHERE
            space = namespace if space == HERE else space
            into[space] = (*into.get(space, ()), host)
        return cls(taken, excluded)

    def has_service(self, host: str, namespace: str) -> bool:
        """Tell whether a service is among them."""
        return not self._excludes(host, namespace) and any(
            _covers(known, host) for known in self._of(self.taken, namespace)
        )

    def has_rule(self, names: Iterable[str], namespace: str) -> bool:
        """Tell whether a VirtualService for these hosts is: any one of them is enough.

        Unlike a service it is also taken by a host that its own wildcard covers.
        """
        return any(
            hosts.overlap(known, name)
            for name in names
            if not self._excludes(name, namespace)
            for known in self._of(self.taken, namespace)
        )

    def _excludes(self, host: str, namespace: str) -> bool:
        return any(_covers(known, host) for known in self._of(self.excluded, namespace))

    @staticmethod
    def _of(table: Mapping[str, tuple[str, ...]], namespace: str) -> tuple[str, ...]:
        return (*table.get(namespace, ()), *table.get(EVERYWHERE, ()))


def _covers(known: str, host: str) -> bool:
    """Tell whether a host, wildcard or not, is all within a known one."""
    if not hosts.is_wildcard(known):
        return known == host
    return host.removeprefix("*").endswith(known[1:])


def goes_beyond(item: Object) -> bool:
    """Tell whether a Sidecar says more about requests than is accounted for here."""
    spec = item.spec
    listeners: list[Json] = spec.get("egress") or []
    proxied = (spec.get("outboundTrafficPolicy") or {}).get("egressProxy")
    own = any(name in one for one in listeners for name in ("port", "bind", "captureMode"))
    return own or bool(proxied)


def governs_inbound(item: Object) -> bool:
    """Tell whether a Sidecar changes how its pods take requests."""
    return any(item.spec.get(name) for name in ("ingress", "inboundConnectionPool"))
