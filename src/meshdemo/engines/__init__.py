"""Where a mesh runs.

An engine is a small Kubernetes: it holds objects, runs pods and runs a command in a pod;
everything above it is written once. An engine is a package beside this file; it is imported
only when it is chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from meshdemo.errors import Problem
    from meshdemo.manifests import Object
    from meshdemo.traffic import Reply, Request


LOCAL, CLUSTER = "local", "cluster"
ENGINES = (LOCAL, CLUSTER)


class Notify(Protocol):
    """Takes one sentence on how it goes, for a person who waits."""

    def __call__(self, text: str, *, lasting: bool = False, always: bool = False) -> None:
        """Show it until the next one comes.

        What is ``lasting`` stays; what is shown ``always`` stays too, also for who wants it quiet.
        """


def say_nothing(text: str, *, lasting: bool = False, always: bool = False) -> None:
    """Take sentences for nobody."""


Judge: TypeAlias = "Callable[[Sequence[Object]], tuple[Problem, ...]]"
"""Says what Istio has against the rules among some objects, without asking an Istio."""


def find_nothing(objects: Sequence[Object]) -> tuple[Problem, ...]:  # noqa: ARG001 - a Judge
    """Judge for who has no tables."""
    return ()


INJECT_LABEL = "sidecar.istio.io/inject"
"""The label of a pod that says whether it gets a sidecar."""

RUN_LABEL = "meshdemo.dev/run"
"""The label of what a run creates on a cluster: the namespace of that run."""


class Injection(str, Enum):
    """Which workloads get a sidecar."""

    KUBE_INJECT = "kube-inject"
    """Every workload, but for the label ``sidecar.istio.io/inject: "false"``."""
    AUTO = "auto"
    """Those that Istio's webhook would choose, by the labels of namespace and pod."""
    NONE = "none"
    """None; a sidecar that is there is taken out."""


@dataclass(frozen=True, slots=True)
class Where:
    """Which mesh a result is about."""

    engine: str
    context: str
    namespace: str
    server: str = ""
    """The API server's URL, on a cluster."""


@dataclass(frozen=True, slots=True)
class Check:
    """One named fact that must hold: the name says the fact, the hint what to do without it."""

    name: str
    ok: bool
    detail: str = ""
    hint: str = ""
    late: bool = False
    """Whether it does not hold because the time was over; it may hold later."""
    final: bool = False
    """Whether it does not hold, and waiting does not help."""


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one object, in kubectl's words."""

    action: str
    """created, configured, unchanged, deleted, or kept: to be deleted, and not ours."""
    kind: str
    namespace: str
    name: str
    reason: str = ""
    """Whose it is, if it was kept."""


@dataclass(frozen=True, slots=True)
class Followed:
    """What a sidecar follows for requests to one host: VirtualServices, by namespace and name."""

    host: str
    rules: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Surroundings:
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


@dataclass(frozen=True, slots=True)
class Applied:
    """What ``apply`` did, or with ``dry_run`` would do."""

    changes: tuple[Change, ...] = ()
    warnings: tuple[Problem, ...] = ()
    """What is accepted, as Istio accepts it, and probably not meant."""
    notes: tuple[str, ...] = ()
    """Fields without effect on this engine, each named once."""
    untried: tuple[str, ...] = ()
    """Objects of kinds that come with the mesh, which is not there yet: our own tables alone have
    judged them. Whoever installs it tries them again before anything is applied."""


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a pod, ``init`` if it is an init container."""

    name: str
    image: str
    ready: bool
    restarts: int = 0
    init: bool = False
    sidecar: bool = False
    reason: str = ""
    """Why it does not run, in Kubernetes' one word, as ``CrashLoopBackOff``; empty if it does."""


@dataclass(frozen=True, slots=True)
class Pod:
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
    created: str = ""
    """When, as in ``creationTimestamp``; empty if that is not known."""

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


@dataclass(frozen=True, slots=True)
class Download:
    """Which istioctl to fetch, and from where."""

    version: str = ""
    """Empty means the one that this version of meshdemo was made with."""
    base_url: str = ""
    """A mirror of Istio's releases; empty means their official place."""
    sha256: str = ""
    """The archive's checksum, where the user knows it."""


@dataclass(frozen=True, slots=True)
class MeshOptions:
    """What ``istioctl install`` is asked for."""

    profile: str = ""
    settings: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    revision: str = ""
    """Empty means Istio's default one."""
    namespace: str = ""
    """Where istiod lives; empty means istio-system."""
    force: bool = False
    """Change an Istio that is there already."""
    download: Download | None = None
    """Which istioctl to fetch first; None means that one must be there."""

    @property
    def arguments(self) -> list[str]:
        """Which Istio is meant, as ``istioctl install`` and ``manifest generate`` are told."""
        given = ["--set", f"profile={self.profile}"] if self.profile else []
        for setting in self.settings:
            given += ["--set", setting]
        for file in self.files:
            given += ["-f", file]
        if self.revision:
            given += ["--revision", self.revision]
        if self.namespace:
            given += ["--set", f"values.global.istioNamespace={self.namespace}"]
        return given


class Engine(Protocol):
    """Where the mesh runs. Errors are those of ``meshdemo.errors``, whatever is underneath."""

    @property
    def where(self) -> Where:
        """Say which mesh it is."""

    @property
    def root_namespace(self) -> str:
        """Say in which namespace a DestinationRule holds for all of them."""

    def check(self) -> Iterator[Check]:
        """Look at every prerequisite, and change nothing."""

    def install(self, options: MeshOptions) -> Iterator[Check]:
        """Install the mesh itself if it is not there, and verify it."""

    def inject(
        self,
        objects: Sequence[Object],
        injection: Injection = Injection.KUBE_INJECT,
        revision: str = "",
    ) -> tuple[Object, ...]:
        """Give the same objects with the sidecars that ``injection`` asks for; apply nothing.

        ``revision`` is that of the Istio they are from; empty means the default or only one.
        """

    def revision(self) -> str:
        """Name the revision of Istio that the workloads here have their sidecars from.

        Empty means the default one, and where there are none yet.
        """

    def apply(self, objects: Sequence[Object], *, dry_run: bool = False) -> Applied:
        """Make the objects true, all or none of them; the same ones again change nothing.

        With ``dry_run`` only say what would happen. Raises InputError with all problems.
        """

    def analyze(self, objects: Sequence[Object]) -> tuple[Problem, ...]:
        """Say what Istio's analyzer finds odd about objects beyond what ``apply`` says.

        It takes a moment. Where there is no analyzer nothing is said.
        """

    def delete(self, objects: Sequence[Object]) -> tuple[Change, ...]:
        """Remove these objects; one that is not there is no error, one that is not ours is kept."""

    def wait_ready(self, objects: Sequence[Object], timeout: float) -> None:
        """Return when workloads are ready, and rules live in the test client's data plane.

        Raises EnvironmentFailed as soon as that cannot happen any more, and says why;
        TimedOut after ``timeout`` seconds.
        """

    def objects(self, towards: str = "") -> tuple[Object, ...]:
        """Give what is applied now, as it can be applied again.

        Of services and rules everybody's that hold in this namespace, of the rest only ours. For
        requests ``towards`` a namespace also its services and rules, and all else that touches
        them. Raises EnvironmentFailed where one may not see that.
        """

    def pods(self, towards: str = "") -> tuple[Pod, ...]:
        """Give the pods as they are now; also those of the namespace that requests go to."""

    def surroundings(self) -> Surroundings:
        """Look at what decides on pods and rules from outside; it takes a moment."""

    def send(self, request: Request, count: int, timeout: float) -> Iterator[Reply]:
        """Send a request ``count`` times from the test client, within ``timeout`` seconds.

        A request that failed is a reply with an error. Where replies are missing, because the
        time is over or the client broke down, the iterator raises BrokenOff after the last one.
        Raises EnvironmentFailed if there is no test client.
        """

    def exec(self, argv: Sequence[str]) -> int:
        """Run a command of the user's in the test client, on this terminal; its exit status.

        No command means the container's shell.
        """

    def logs(
        self, pod: str, container: str, *, follow: bool = False, tail: int = -1
    ) -> Iterator[str]:
        """Give the lines that a container wrote, both by their exact names.

        ``tail`` is how many lines at most, -1 for all. Raises EnvironmentFailed if it is not there.
        """

    def proxy_url(self) -> str:
        """Give the ``http_proxy`` that puts any program inside the test client."""

    def down(self, *, everything: bool = False, force: bool = False) -> Iterator[Check]:
        """Remove what we made, with ``everything`` also the mesh that we installed.

        Each check that follows proves one part of it gone. A mesh that somebody else uses is
        refused with EnvironmentFailed and nothing is removed, unless ``force``.
        """

    def images(self, options: MeshOptions) -> tuple[str, ...]:
        """Name the images that the mesh itself needs."""
