"""What containers wrote: their log files, and the ones before after a rotation."""

from __future__ import annotations

import os
import time
from io import TextIOWrapper
from typing import TYPE_CHECKING

from meshdemo.engines import run_record
from meshdemo.engines.local import images
from meshdemo.engines.local.envoy.bootstrap import FLUSH_MILLISECONDS
from meshdemo.errors import EnvironmentFailed
from meshdemo.objects.containers import ISTIO_PROXY
from meshdemo.system import files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import TextIO

    from meshdemo.engines.local.envoy.binary import Admin
    from meshdemo.engines.local.model import PlannedPod

FOLLOW_PAUSE = 0.1
"""Seconds between two looks for new lines."""
ARRIVAL_SECONDS = 2 * FLUSH_MILLISECONDS / 1000
"""Seconds after which a line is there that Envoy wrote: the supervisor passes it on."""


def find(pods: Iterable[PlannedPod], namespace: str, name: str, container: str) -> PlannedPod:
    """Find the pod of this very name, which must have the container."""
    pod = next((p for p in pods if (p.namespace, p.name) == (namespace, name)), None)
    if pod is None:
        raise EnvironmentFailed(f"there is no pod {name} in namespace {namespace}")
    own = [str(item["name"]) for item in images.containers(pod.template)]
    known = [*own, ISTIO_PROXY] if pod.injected else own
    if container not in known:
        message = f"the pod {name} has no container {container}"
        raise EnvironmentFailed(message, hint=f"It has {', '.join(known)}.")
    return pod


def lines(log: Path, *, follow: bool, tail: int) -> Iterator[str]:
    """Give the lines of a log without their ends; ``tail`` is how many at most, -1 for all."""
    with _open(log) as file:
        rotated = files.text(log.with_name(f"{log.name}.1")).splitlines(keepends=True)
        written = [*rotated, *file]
        yield from (
            line.rstrip("\n") for line in written[len(written) - tail if tail >= 0 else 0 :]
        )
        if follow:
            yield from _new_lines(log, file)


def access_lines(admin: Admin, log: Path, *, follow: bool, tail: int) -> Iterator[str]:
    """Give the lines of a sidecar's access log, also of the request that ended just now.

    Its Envoy writes now what it keeps back. That is waited for from now on, also where it is read
    later: of several logs that are asked for together only the first one takes the time.
    """
    admin.write_access_log()
    there = time.monotonic() + ARRIVAL_SECONDS

    def arrived() -> Iterator[str]:
        time.sleep(max(0.0, there - time.monotonic()))
        yield from lines(log, follow=follow, tail=tail)

    return arrived()


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
            time.sleep(FOLLOW_PAUSE)


def _open(log: Path) -> TextIO:
    if not files.is_own_folder(log.parent):
        raise run_record.Damaged(log.parent, run_record.NOT_OURS)
    try:
        log.touch(mode=0o600)
        return TextIOWrapper(files.open_to_read(log), encoding="utf-8", errors="replace")
    except OSError as error:
        raise run_record.Damaged(log, str(error.strerror)) from error


def _is_replaced(log: Path, file: TextIO) -> bool:
    try:
        return not os.path.samestat(log.stat(), os.fstat(file.fileno()))
    except OSError:
        return False
