"""Where on loopback the pods behind a Service's port are reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from meshdemo.rules import hosts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from meshdemo.engines.local.model import PlannedPod, PodPort
    from meshdemo.rules.services import Service, ServicePort

CLOSED = 1
"""A port on which nothing listens: only root could, and nobody uses tcpmux any more."""


def target_of(port: ServicePort, pod: PlannedPod) -> PodPort | None:
    """Find the port of a pod that a service's port leads to."""
    if isinstance(port.target, str):
        return next((known for known in pod.ports if known.name == port.target), None)
    return next((known for known in pod.ports if known.number == port.target), None)


def entries(
    service: Service, port: ServicePort, pods: Iterable[PlannedPod], labels: Mapping[str, str]
) -> Iterator[tuple[int, PlannedPod]]:
    """Give where the pods behind a port are reached, those with ``labels`` only.

    A number as targetPort leads to every pod, also to one with nothing behind that port: its
    connections are refused. A name leads only to pods that have a port of that name. The name of a
    headless service stands for the pods' own addresses: nothing leads to another port there.
    """
    if service.is_headless:
        port = replace(port, target=port.number)
    for pod in sorted((pod for pod in pods if pod.is_endpoint), key=lambda pod: pod.name):
        if not service.selects(pod.namespace, pod.labels) or not hosts.within(labels, pod.labels):
            continue
        if target := target_of(port, pod):
            yield target.entry, pod
        elif isinstance(port.target, int):
            yield CLOSED, pod
