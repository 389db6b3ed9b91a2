"""What containers wrote: their log files, and the ones before after a rotation."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from meshdemo.engines.local import images
from meshdemo.engines.local.layout import SIDECAR
from meshdemo.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import TextIO

    from meshdemo.engines.local.model import PlannedPod

PAUSE = 0.1
"""Seconds between two looks for new lines."""
APP = "app"
"""Stands for a pod's only container of its own, whatever it is called."""


def find_pod(pods: Sequence[PlannedPod], name: str, namespace: str) -> PlannedPod:
    """Find a pod by its name, by ``deploy/NAME``, or by the name of its only workload's pod."""
    here = [pod for pod in pods if pod.namespace == namespace]
    wanted = name.removeprefix("pod/").removeprefix("deployment/").removeprefix("deploy/")
    for pod in here:
        if wanted == pod.name:
            return pod
    for pod in here:
        if wanted == pod.workload:
            return pod
    names = ", ".join(pod.name for pod in here) or "none"
    raise UsageError(f"there is no pod {name} in namespace {namespace}", hint=f"Pods: {names}.")


def find_container(pod: PlannedPod, name: str) -> str:
    """Check a container's name; without one, the first container that is the pod's own."""
    own = [str(container["name"]) for container in images.containers(pod.template)]
    known = [*own, SIDECAR] if pod.injected else own
    if not name or (name == APP and len(own) == 1):
        return own[0]
    if name not in known:
        hint = f"Containers: {', '.join(known)}."
        raise UsageError(f"the pod {pod.name} has no container {name}", hint=hint)
    return name


def lines(log: Path, *, follow: bool, tail: int) -> Iterator[str]:
    """Give the lines of a log without their ends; ``tail`` is how many at most, -1 for all."""
    with _open(log) as file:
        written = [*_rotated(log), *file]
        yield from (
            line.rstrip("\n") for line in written[len(written) - tail if tail >= 0 else 0 :]
        )
        if follow:
            yield from _new_lines(log, file)


def _new_lines(log: Path, file: TextIO) -> Iterator[str]:
    part = ""
    while log.parent.exists():
        part += file.readline()
        if part.endswith("\n"):
            yield part.rstrip("\n")
            part = ""
        elif _is_replaced(log, file):
            with _open(log) as successor:
                yield from _new_lines(log, successor)
            return
        else:
            time.sleep(PAUSE)


def _rotated(log: Path) -> list[str]:
    before = log.with_name(f"{log.name}.1")
    if not before.exists():
        return []
    return before.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)


def _open(log: Path) -> TextIO:
    log.touch(mode=0o600)
    return log.open(encoding="utf-8", errors="replace")


def _is_replaced(log: Path, file: TextIO) -> bool:
    try:
        return not os.path.samestat(log.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
