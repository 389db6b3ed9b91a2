"""What an engine answers: how things are, and what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.language import said

if TYPE_CHECKING:
    from meshdemo.engines.access_log import Account
    from meshdemo.errors import Problem
    from meshdemo.rules.virtual_services import Followed
    from meshdemo.verdict.traffic import Reply


LAST_LINES = 10
"""How many last lines of a log an error shows."""
ANSWERS_IN_A_ROW = 20
"""So many good answers prove that all pods answer: of two pods, one of which refuses, they come
once in a million times."""


class Where(Struct, frozen=True):
    """Which mesh a result is about."""

    engine: str
    context: str
    namespace: str
    server: str = ""
    """The API server's URL, on a cluster."""


class Check(Struct, frozen=True):
    """One named fact that must hold: the name says the fact, the hint what to do without it."""

    name: str
    ok: bool
    detail: str = ""
    hint: str = ""
    late: bool = False
    """Whether it does not hold because the time was over; it may hold later."""
    final: bool = False
    """Whether it does not hold, and waiting does not help."""


class Change(Struct, frozen=True):
    """What became of one object, in kubectl's words."""

    action: str
    """created, configured, unchanged, deleted, or kept: to be deleted, and not ours."""
    kind: str
    namespace: str
    name: str
    reason: str = ""
    """Whose it is, if it was kept."""


class MeshStatus(Struct, frozen=True):
    """What there is besides objects and pods, to tell what becomes of them."""

    mesh: tuple[Check, ...] = ()
    """How the mesh itself is."""
    without_pods: tuple[str, ...] = ()
    """Workloads that have no pods because they want none."""
    gateways: frozenset[str] | None = None
    """The gateways that are there, as NAMESPACE/NAME; None where one may not see them."""
    followed: tuple[Followed, ...] | None = None
    """What the test client's sidecar follows; None where that cannot be seen."""
    trouble: str = ""
    """What is wrong with the namespace itself: it is not there, or on its way out."""


class Applied(Struct, frozen=True):
    """What ``apply`` did, or with ``dry_run`` would do."""

    changes: tuple[Change, ...] = ()
    warnings: tuple[Problem, ...] = ()
    """What is accepted, as Istio accepts it, and probably not meant."""
    notes: tuple[str, ...] = ()
    """Fields without effect on this engine, each named once."""
    untried: tuple[str, ...] = ()
    """Objects of kinds that come with the mesh, which is not there yet: our own tables alone have
    judged them. Whoever installs it tries them again before anything is applied."""


class Container(Struct, frozen=True):
    """One container of a pod, ``init`` if it is an init container."""

    name: str
    image: str
    ready: bool
    restarts: int = 0
    init: bool = False
    sidecar: bool = False
    reason: str = ""
    """Why it does not run, in Kubernetes' one word, as ``CrashLoopBackOff``; empty if it does."""


class Pod(Struct, frozen=True):
    """One pod as it is now."""

    name: str
    namespace: str
    labels: dict[str, str]
    containers: tuple[Container, ...]
    injected: bool
    phase: str
    """Running, Pending, Failed, or Succeeded: its work is done, as a Job's."""
    message: str = ""
    """What is wrong with it; empty when nothing is."""
    addresses: tuple[str, ...] = ()
    workload: str = ""
    """The Deployment, or other workload, it belongs to; empty for a bare Pod."""
    workload_kind: str = ""
    """What kind that is; empty for a bare Pod."""
    created: str = ""
    """When, as in ``creationTimestamp``; empty if that is not known."""

    serves: bool = True
    """Whether Services may lead to it while it runs."""

    @property
    def is_endpoint(self) -> bool:
        """Tell whether Services may lead to it."""
        return self.serves and self.phase not in ("Succeeded", "Failed")

    @property
    def counted(self) -> tuple[Container, ...]:
        """The containers that READY counts: all but an init container that ends by itself."""
        return tuple(c for c in self.containers if not c.init or c.sidecar)

    @property
    def ready(self) -> str:
        """READY as kubectl prints it, as in ``2/2``."""
        counted = self.counted
        return f"{sum(c.ready for c in counted)}/{len(counted)}"

    @property
    def is_ready(self) -> bool:
        """Tell whether all of its containers are ready."""
        return self.phase == "Running" and all(c.ready for c in self.counted)

    @property
    def is_done(self) -> bool:
        """Tell whether its work is done, so that it will not be ready any more."""
        return self.phase == "Succeeded"

    @property
    def restarts(self) -> int:
        """How often its containers were restarted, all together."""
        return sum(c.restarts for c in self.containers)


class Sync(Struct, frozen=True):
    """How far the test client's sidecar has taken the configuration that the mesh has for it."""

    behind: tuple[str, ...] = ()
    """What it has not taken, each in a sentence; none where it has all."""
    hidden: str = ""
    """Why that is not known; empty where it is, and where nobody was asked."""
    is_level: bool = False
    """Whether the mesh says that it has all."""


class Arrival(Struct, frozen=True):
    """A pod whose sidecar took a request."""

    pod: str
    account: Account


NO_SIDECAR = said("the client has no sidecar that could tell")


class Observed(Struct, frozen=True):
    """What became of one request that was really sent."""

    reply: Reply
    seconds: float
    """How long it took the client."""
    account: Account | None = None
    """What the client's sidecar says of it."""
    hidden: str = ""
    """Why that is not known; empty where it is."""
    unseen: bool = False
    """Whether it did not even see an HTTP request, so that it can have sent no copies of it."""
    arrivals: tuple[Arrival, ...] | None = None
    """The pods whose sidecars took it, in turn: copies and retries too. None if not known."""
