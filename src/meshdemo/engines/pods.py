"""Which pods are meant: the test client, and those that a user names. Once for every engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CLIENT = "testclient"
"""The test client: the label ``app`` of its pod, or the name of its Deployment."""
_POD_PREFIXES = ("pod", "pods", "po")
_WORKLOAD_PREFIXES = ("deploy", "deployment", "deployments")


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


AnyPod = TypeVar("AnyPod", bound=SomePod)


def find_client(pods: Iterable[AnyPod], namespace: str) -> AnyPod | None:
    """Find the test client of a namespace."""
    here = (pod for pod in pods if pod.namespace == namespace)
    return next((pod for pod in here if CLIENT in (pod.labels.get("app"), pod.workload)), None)


def named(pods: Iterable[AnyPod], name: str) -> list[AnyPod]:
    """Give the pods that a user names: a pod, ``pod/NAME``, a Deployment or ``deploy/NAME``."""
    kind, slash, rest = name.partition("/")
    if not slash:
        return [pod for pod in pods if name in (pod.name, pod.workload)]
    if kind in _POD_PREFIXES:
        return [pod for pod in pods if pod.name == rest]
    if kind in _WORKLOAD_PREFIXES:
        return [pod for pod in pods if rest and pod.workload == rest]
    return []
