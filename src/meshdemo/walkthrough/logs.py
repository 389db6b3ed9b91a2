"""Which container's log is meant."""

from __future__ import annotations

from itertools import chain
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.engines.test_client import named
from meshdemo.errors import EnvironmentFailed
from meshdemo.objects.containers import ISTIO_PROXY
from meshdemo.walkthrough import pod_selection

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meshdemo.engines.protocol import Engine
    from meshdemo.engines.results import Pod

APP_CONTAINER = "app"
"""``-c app`` is the app's container, whatever its name is."""


def read_logs(
    engine: Engine, name: str, container: str, *, follow: bool, tail: int, access: bool = False
) -> Iterator[str]:
    """Give the lines of one pod, or of every pod with its name before each line.

    With ``access`` those of the access logs of their sidecars.
    """
    container = ISTIO_PROXY if access else container
    pods = pod_selection.require_pods(engine)
    chosen = named(pods, name) if name else pods
    if not chosen:
        message = f"there is no pod {name} in namespace {engine.where.namespace}"
        raise EnvironmentFailed(message, hint=f"There are {', '.join(p.name for p in pods)}.")
    if access and not any(pod.injected for pod in chosen):
        whose = "these pods have no sidecar" if len(chosen) > 1 else f"{chosen[0].name} has none"
        message = f"only a sidecar writes an access log, and {whose}"
        raise EnvironmentFailed(message, hint="`meshdemo inject` gives sidecars.")
    several = len(chosen) > 1
    # Before the first line: a container that is not there is an error with nothing printed.
    wanted = [(pod, container_of(pod, container, strict=not several)) for pod in chosen]
    found = [(pod, name) for pod, name in wanted if name]
    if not found:
        there = sorted({item.name for pod in chosen for item in pod.containers})
        message = f"no pod in namespace {engine.where.namespace} has a container {container}"
        raise EnvironmentFailed(message, hint=f"There are {', '.join(there)}.")
    how = _Reading(several, follow, tail, access)
    sources = [_lines(engine, pod, name, how) for pod, name in found]
    return merged(sources) if follow and several else chain.from_iterable(sources)


def container_of(pod: Pod, name: str, *, strict: bool) -> str:
    """Find the container that is meant; empty if the pod has none and that is not an error."""
    names = [item.name for item in pod.containers]
    if name in names:
        return name
    if name in ("", APP_CONTAINER):
        own = [item.name for item in pod.containers if not item.init and not item.sidecar]
        return next(iter([*own, *names]), "")
    if strict:
        message = f"the pod {pod.name} has no container {name}"
        raise EnvironmentFailed(message, hint=f"It has {', '.join(names)}.")
    return ""


def merged(sources: Sequence[Iterator[str]]) -> Iterator[str]:
    """Give the lines of several sources, each as soon as it comes. The first error ends it."""
    arrived: SimpleQueue[str | BaseException | None] = SimpleQueue()

    def read(source: Iterator[str]) -> None:
        try:
            for line in source:
                arrived.put(line)
            arrived.put(None)
        except BaseException as error:  # noqa: BLE001 - raised again below, by who reads
            arrived.put(error)

    for source in sources:
        Thread(target=read, args=(source,), daemon=True).start()
    going = len(sources)
    while going:
        line = arrived.get()
        if isinstance(line, BaseException):
            raise line
        if line is None:
            going -= 1
        else:
            yield line


class _Reading(Struct, frozen=True):
    """How a log is read."""

    prefixed: bool
    follow: bool
    tail: int
    access: bool


def _lines(engine: Engine, pod: Pod, container: str, how: _Reading) -> Iterator[str]:
    prefix = f"[{pod.name}] " if how.prefixed else ""
    lines = engine.logs(pod.name, container, follow=how.follow, tail=how.tail, access=how.access)
    return (prefix + line.rstrip("\n") for line in lines)
