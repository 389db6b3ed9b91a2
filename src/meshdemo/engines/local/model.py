"""The mesh as the local engine plans it: pods, and their places on loopback.

another pod -> PodPort.entry = inbound (the sidecar's listener) -> app (the process)
no sidecar:    PodPort.entry = app
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.rules.client_view import MeshRules

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshdemo.objects.model import Object

LOOPBACK = "127.0.0.1"


class PodPort(Struct, frozen=True):
    """One port of a pod. ``app`` and ``inbound`` are ports on loopback; 0 means there is none."""

    number: int
    """The port inside the pod, as manifests know it."""
    app: int
    """Where the pod's process listens, or would listen."""
    inbound: int = 0
    """Where the pod's sidecar takes connections for it."""
    name: str = ""

    @property
    def entry(self) -> int:
        """Where other pods reach it."""
        return self.inbound or self.app


class PlannedPod(Struct, frozen=True):
    """One pod that shall run."""

    name: str
    namespace: str
    labels: Mapping[str, str]
    template: Mapping[str, object]
    """The pod's metadata and spec."""
    workload: str
    """The workload it belongs to; empty for a bare Pod."""
    injected: bool
    workload_kind: str = ""
    """What kind that is, as ``Deployment``; empty for a bare Pod."""
    tries: int = 0
    """How often at most its processes are started until they succeed; 0 if they shall never end."""
    ports: tuple[PodPort, ...] = ()
    outbound: int = 0
    """Where its sidecar takes what the pod sends, as an HTTP proxy; 0 without a sidecar."""

    @property
    def is_endpoint(self) -> bool:
        """Tell whether a Service may lead to it: a Job's pod is soon none any more."""
        return self.workload_kind != "Job"


class Mesh(Struct, frozen=True, dict=True):
    """All that the translation into Envoy's configuration depends on."""

    objects: tuple[Object, ...]
    """Services, rules and namespaces; each carries ``metadata.creationTimestamp``."""
    pods: tuple[PlannedPod, ...]

    @cached_property
    def rules(self) -> MeshRules:
        """What the objects mean, read once for all of its pods."""
        return MeshRules.of(self.objects)
