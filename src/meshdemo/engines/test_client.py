"""Which pods are meant: the test client, and those that a user names. Once for every engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from msgspec import Struct

from meshdemo.errors import BrokenOff, EnvironmentFailed
from meshdemo.language import said
from meshdemo.objects import kinds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CLIENT = "testclient"
"""The test client: the label ``app`` of its pod, or the name of its workload or of the pod."""


class SomePod(Protocol):
    """What a pod is known by, planned or running."""

    @property
    def name(self) -> str: ...

    @property
    def namespace(self) -> str: ...

    @property
    def labels(self) -> Mapping[str, str]: ...

    @property
    def workload(self) -> str: ...

    @property
    def workload_kind(self) -> str: ...

    @property
    def injected(self) -> bool: ...

    @property
    def is_endpoint(self) -> bool: ...


AnyPod = TypeVar("AnyPod", bound=SomePod)


class Sender(Struct, frozen=True):
    """Which pod sends the requests: the test client, or another pod of the mesh."""

    namespace: str
    """Where it is sought first."""
    selector: str = ""
    """The labels of the other pod, as in ``app=reviews,version=v2``; empty for the test client."""

    def find(self, pods: Iterable[AnyPod]) -> AnyPod | None:
        """Find the pod, of several the first; one that labels choose has a sidecar."""
        found = list(pods)
        if not self.selector:
            return find_client(found, self.namespace)
        selected = [pod for pod in self._selected(found) if pod.injected]
        near = (pod for pod in selected if pod.namespace == self.namespace)
        return next(near, None) or next(iter(selected), None)

    def missing(self, pods: Iterable[SomePod]) -> EnvironmentFailed:
        """Make the error for a sender that is not there."""
        found = list(pods)
        if not self.selector:
            return no_client(found, self.namespace)
        if without := self._selected(found):
            message = said(
                "the pod {pod} ({labels}) has no sidecar", pod=without[0].name, labels=self.selector
            )
            return EnvironmentFailed(message, hint=said("Give it one: meshdemo inject"))
        known = sorted({f"app={p.labels['app']}" for p in found if "app" in p.labels})
        hint = said("Type: meshdemo get pods")
        if known:
            hint = said("There are pods with {labels}.", labels=", ".join(known))
        message = said("no pod has the labels {labels}", labels=self.selector)
        return EnvironmentFailed(message, hint=hint)

    def _selected(self, pods: Iterable[AnyPod]) -> list[AnyPod]:
        from meshdemo.objects import selectors  # noqa: PLC0415 - only who names labels pays for it

        wanted = selectors.read(self.selector)
        return [pod for pod in pods if wanted.selects(pod.labels)]


def answering(pods: Iterable[SomePod], sender: SomePod) -> list[tuple[str, Mapping[str, str]]]:
    """Give namespace and labels of the pods that a Service may lead a sender to.

    That may be the sender itself, but for a test client: it answers nobody.
    """
    silent = sender.name if is_client(sender.labels, sender.workload or sender.name) else ""
    return [(p.namespace, p.labels) for p in pods if p.is_endpoint and p.name != silent]


def find_client(pods: Iterable[AnyPod], namespace: str) -> AnyPod | None:
    """Find the test client of a namespace."""
    here = (pod for pod in pods if pod.namespace == namespace)
    return next((p for p in here if is_client(p.labels, p.workload or p.name)), None)


def is_client(labels: Mapping[str, str], workload: str) -> bool:
    """Tell whether pods of these labels, and of this workload, are a test client."""
    return CLIENT in (labels.get("app"), workload)


def no_client(pods: Iterable[SomePod], namespace: str) -> EnvironmentFailed:
    """Make the error for a namespace without a test client, with the way to get one."""
    message = said(
        "there is no test client in namespace {namespace}: no pod has the label {label}",
        namespace=namespace,
        label=f"app={CLIENT}",
    )
    found = list(pods)
    elsewhere = (pod.namespace for pod in found if find_client([pod], pod.namespace))
    if other := next(elsewhere, None):
        hint = said("There is one in namespace {namespace}: -n {namespace}", namespace=other)
        return EnvironmentFailed(message, hint=hint)
    if any(pod.namespace == namespace for pod in found):
        hint = said("Beside objects of your own there will be one after: meshdemo up -f FILE")
        return EnvironmentFailed(message, hint=hint)
    return EnvironmentFailed(message, hint=said("Start one with: meshdemo up"))


def out_of_time() -> BrokenOff:
    """Make the error for requests of which some have no reply in time."""
    return BrokenOff(
        said("some requests had no answer when the time was over"),
        hint=said("Allow more with --timeout, or send fewer with --requests."),
    )


def named(pods: Iterable[AnyPod], name: str) -> list[AnyPod]:
    """Give the pods that a user names: a pod, ``pod/NAME``, a Deployment or ``deploy/NAME``."""
    word, slash, rest = name.partition("/")
    if not slash:
        return [pod for pod in pods if name in (pod.name, pod.workload)]
    kind = kinds.find(word)
    if kind is None or not rest:
        return []
    if kind.name == "Pod":
        return [pod for pod in pods if pod.name == rest]
    return [pod for pod in pods if (pod.workload_kind, pod.workload) == (kind.name, rest)]
