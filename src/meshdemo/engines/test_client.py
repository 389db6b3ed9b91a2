"""Which pods are meant: the test client, and those that a user names. Once for every engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from meshdemo.errors import EnvironmentFailed
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


AnyPod = TypeVar("AnyPod", bound=SomePod)


def find_client(pods: Iterable[AnyPod], namespace: str) -> AnyPod | None:
    """Find the test client of a namespace."""
    here = (pod for pod in pods if pod.namespace == namespace)
    return next((p for p in here if is_client(p.labels, p.workload or p.name)), None)


def is_client(labels: Mapping[str, str], workload: str) -> bool:
    """Tell whether pods of these labels, and of this workload, are a test client."""
    return CLIENT in (labels.get("app"), workload)


def no_client(pods: Iterable[SomePod], namespace: str) -> EnvironmentFailed:
    """Make the error for a namespace without a test client, with the way to get one."""
    message = f"there is no test client in namespace {namespace}: no pod has the label app={CLIENT}"
    found = list(pods)
    elsewhere = (pod.namespace for pod in found if find_client([pod], pod.namespace))
    if other := next(elsewhere, None):
        return EnvironmentFailed(message, hint=f"There is one in namespace {other}: -n {other}")
    if any(pod.namespace == namespace for pod in found):
        hint = "Beside objects of your own there will be one after: meshdemo up -f FILE"
        return EnvironmentFailed(message, hint=hint)
    return EnvironmentFailed(message, hint="Start one with: meshdemo up")


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
