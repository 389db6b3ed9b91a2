"""Which container's log is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.engines.pods import named
from meshdemo.errors import EnvironmentFailed, UsageError
from meshdemo.walkthrough import pods as who

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meshdemo.engines import Container, Engine, Pod

APP = "app"
"""``-c app`` is the app's container, whatever its name is."""


def read_logs(
    engine: Engine, name: str, container: str, *, follow: bool, tail: int
) -> Iterator[str]:
    """Give the lines of one pod, or of every pod with its name before each line."""
    pods = who.require_pods(engine)
    chosen = named(pods, name) if name else pods
    if not chosen:
        message = f"there is no pod {name} in namespace {engine.where.namespace}"
        raise EnvironmentFailed(message, hint=f"There are {', '.join(p.name for p in pods)}.")
    if follow and len(chosen) > 1:
        names = ", ".join(pod.name for pod in chosen)
        raise UsageError("-f follows one pod", hint=f"Name one of {names}.")
    several = len(chosen) > 1
    # Before the first line: a container that is not there is an error with nothing printed.
    wanted = [(pod, container_of(pod, container, strict=not several)) for pod in chosen]
    return _lines(engine, [(p, c) for p, c in wanted if c], follow=follow, tail=tail)


def container_of(pod: Pod, name: str, *, strict: bool) -> str:
    """Find the container that is meant; empty if the pod has none and that is no error."""
    names = [item.name for item in pod.containers]
    if name in names:
        return name
    if name in ("", APP):
        return next((c.name for c in pod.containers if _is_app(c)), names[0] if names else "")
    if strict:
        message = f"the pod {pod.name} has no container {name}"
        raise EnvironmentFailed(message, hint=f"It has {', '.join(names)}.")
    return ""


def _is_app(container: Container) -> bool:
    return not container.init and not container.sidecar


def _lines(
    engine: Engine, wanted: Sequence[tuple[Pod, str]], *, follow: bool, tail: int
) -> Iterator[str]:
    for pod, container in wanted:
        prefix = f"[{pod.name}] " if len(wanted) > 1 else ""
        for line in engine.logs(pod.name, container, follow=follow, tail=tail):
            yield prefix + line.rstrip("\n")
