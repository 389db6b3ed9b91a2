"""What an engine can do: a small Kubernetes that holds objects, runs pods, and a command in a pod.

Everything above it is written once. An engine is a package beside this file; it is imported only
when it is chosen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

from meshdemo.engines.options import Injection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from threading import Event

    from meshdemo.engines.options import MeshOptions
    from meshdemo.engines.results import (
        Applied,
        Change,
        Check,
        MeshStatus,
        Observed,
        Pod,
        Sync,
        Where,
    )
    from meshdemo.engines.test_client import Sender
    from meshdemo.engines.upstreams import Ejected
    from meshdemo.errors import Problem
    from meshdemo.objects.model import Object
    from meshdemo.verdict.traffic import Reply, Request

LOCAL, CLUSTER = "local", "cluster"


ENGINES = (LOCAL, CLUSTER)


class Notify(Protocol):
    """Takes one sentence on how it goes, for a person who waits."""

    def __call__(self, text: str, *, lasting: bool = False, always: bool = False) -> None:
        """Show a sentence until the next one comes.

        What is ``lasting`` stays; what is shown ``always`` stays too, also for who wants it quiet.
        """


def say_nothing(text: str, *, lasting: bool = False, always: bool = False) -> None:
    """A Notify for callers that nobody watches."""


Judge: TypeAlias = "Callable[[Sequence[Object]], tuple[Problem, ...]]"
"""Says what Istio has against the rules among some objects, without asking an Istio."""


def find_nothing(objects: Sequence[Object]) -> tuple[Problem, ...]:  # noqa: ARG001 - a Judge
    """Judge for who has no tables."""
    return ()


class Engine(Protocol):
    """Where the mesh runs. Errors are those of ``meshdemo.errors``, whatever is underneath."""

    @property
    def where(self) -> Where:
        """Say which mesh it is."""

    @property
    def root_namespace(self) -> str:
        """Say in which namespace a DestinationRule holds for all of them."""

    @property
    def sender(self) -> Sender:
        """Say which pod sends: what is said of the test client below is about this one."""

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

    def mesh_status(self) -> MeshStatus:
        """Look at what decides on pods and rules from outside; it takes a moment."""

    def send(
        self, request: Request, count: int, timeout: float, enough: Event | None = None
    ) -> Iterator[Reply]:
        """Send a request ``count`` times from the test client, within ``timeout`` seconds.

        The replies come in the order of the requests, or in parts that are each complete: so
        whoever stops in between has not seen more of the quick ones. Once there is ``enough`` no
        other request begins, and the replies to those that did are the last ones.
        A request that failed is a reply with an error. Where replies are missing, because the
        time is over or the client broke down, the iterator raises BrokenOff after the last one.
        Raises EnvironmentFailed if there is no test client.
        """

    def observe(self, request: Request, timeout: float) -> Observed:
        """Send a request once from the test client, and give what its sidecar says of it.

        It is found there by its header x-request-id, which the request must have. Nothing of the
        mesh is changed for it that is not put back. Raises as ``send``.
        """

    def files(self) -> Mapping[tuple[str, str, str, str], str]:
        """Give the file that an object was applied from, by the object's key, where it is known."""

    def ejected(self) -> tuple[Ejected, ...]:
        """Give the endpoints that the test client's sidecar has ejected; none where it is unseen.

        Outlier detection leaves them out until their time is over.
        """

    def sync(self) -> Sync:
        """Say how far the test client's sidecar has taken the configuration for it.

        It takes a moment, and what may not be seen is said.
        """

    def exec(self, argv: Sequence[str]) -> int:
        """Run a command of the user's in the test client, on this terminal; its exit status.

        No command means the container's shell.
        """

    def logs(
        self,
        pod: str,
        container: str,
        *,
        follow: bool = False,
        tail: int = -1,
        access: bool = False,
    ) -> Iterator[str]:
        """Give the lines that a container wrote, both by their exact names.

        ``tail`` is how many lines at most, -1 for all. With ``access`` those of a sidecar's access
        log alone. Raises EnvironmentFailed if it is not there.
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
