"""Waiting for something to change: the API's watches are the door bell, a fresh list the truth."""

from __future__ import annotations

import queue
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from meshdemo.errors import MeshdemoError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meshdemo.engines.cluster.api.kube import Kube

WATCH_PAUSE = 0.5
"""Seconds until one looks without having been rung for: some facts are only a matter of time."""
SETTLE = 0.02
"""Seconds in which events that come together are taken for one."""


class Bell:
    """Rings when something under one of the watched paths changes."""

    def __init__(self) -> None:
        self._rings: queue.SimpleQueue[None] = queue.SimpleQueue()

    def ring(self) -> None:
        self._rings.put(None)

    def wait(self, timeout: float) -> None:
        """Return at the next change, and at the latest after ``WATCH_PAUSE`` or ``timeout``."""
        try:
            self._rings.get(timeout=max(0.0, min(WATCH_PAUSE, timeout)))
        except queue.Empty:
            return
        time.sleep(SETTLE)
        while not self._rings.empty():
            self._rings.get()


@contextmanager
def bell(kube: Kube, paths: Sequence[str], timeout: float) -> Iterator[Bell]:
    """Watch paths for at most ``timeout`` seconds.

    A watch that is not allowed, or breaks off, leaves the waiter to look by itself.
    """
    found, ended = Bell(), threading.Event()
    for path in paths:
        watch = threading.Thread(
            target=_watch, args=(kube, path, timeout, found, ended), daemon=True
        )
        watch.start()
    try:
        yield found
    finally:
        ended.set()


def _watch(kube: Kube, path: str, timeout: float, found: Bell, ended: threading.Event) -> None:
    query = {"watch": "true", "timeoutSeconds": str(max(1, int(timeout)))}
    try:
        with kube.stream(path, query, read_timeout=timeout) as lines:
            for _ in lines:
                if ended.is_set():
                    return
                found.ring()
    except MeshdemoError:
        return
