"""Whether the mesh has changed: what is typed in another terminal, on either engine.

watch(engine) -> Changes    a thread looks at the mesh; Changes tells once of each that has settled
"""

from __future__ import annotations

import queue
import threading
import time
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from meshdemo.errors import MeshdemoError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from meshdemo.engines.protocol import Engine

PAUSE = 1.0
"""Seconds from one look to the next."""
LOOK_SHARE = 10
"""Looks take at most this part of the time: so a cluster's API server is asked less."""
PATIENCE = 10.0
"""So many seconds a change waits for pods that are not ready yet."""


class Look(Struct, frozen=True):
    """The mesh at one moment."""

    began: float
    """When it was asked for, on the monotonous clock."""
    objects: Mapping[tuple[str, ...], object]
    """What they say, by their keys: one that went and came again, as at a check, is no news."""
    pods: Mapping[tuple[str, str], Mapping[str, str]]
    """Their labels, by namespace and name."""
    ready: frozenset[tuple[str, str]]
    """Those of the pods that are ready, or once were: what starts again and again is no news."""
    is_starting: bool = False
    """Whether a pod is not ready yet."""

    @classmethod
    def of(cls, engine: Engine, began: float) -> Look:
        """Look at a mesh. Raises MeshdemoError where it cannot be asked."""
        pods = engine.pods()
        return cls(
            began,
            {item.key: item.spec for item in engine.objects()},
            {(pod.namespace, pod.name): pod.labels for pod in pods},
            frozenset((pod.namespace, pod.name) for pod in pods if pod.is_ready),
            any(pod.is_endpoint and not pod.is_ready for pod in pods),
        )

    def is_as(self, other: Look) -> bool:
        """Tell whether it is the same mesh."""
        return all(getattr(self, each) == getattr(other, each) for each in _COMPARED)


_COMPARED = ("objects", "pods", "ready")
Looks = queue.SimpleQueue[Look | BaseException]


class Changes:
    """Compares looks at the mesh with what is known of it."""

    def __init__(self, looks: Looks, look: Callable[[], Look | None]) -> None:
        """Take where looks come from by themselves, and what looks at once, if it can."""
        self._looks, self._look = looks, look
        self.accept()

    def accept(self) -> None:
        """Take the mesh as it is now for known, as after a change of one's own."""
        self._since = time.monotonic()
        self._known = self._last = self._look()
        self._steady_since = self._since

    def happened(self) -> bool:
        """Tell whether there was a change that has settled since; of each once."""
        found = False
        while not self._looks.empty():
            look = self._looks.get()
            if isinstance(look, BaseException):
                raise look
            found = self._is_news(look) or found
        return found

    def _is_news(self, look: Look) -> bool:
        if look.began < self._since:
            return False
        before = self._last
        if before:
            look = replace(look, ready=look.ready | (before.ready & look.pods.keys()))
        self._last = look
        self._known = self._known or look
        if not before or not look.is_as(before):
            self._steady_since = look.began
            return False
        is_waited_for = look.is_starting and look.began - self._steady_since < PATIENCE
        if look.is_as(self._known) or is_waited_for:
            return False
        self._known = look
        return True


def watch(engine: Engine) -> Changes:
    """Look at the mesh for as long as the process lives; the engine is used for nothing else."""
    looks: Looks = queue.SimpleQueue()
    one_at_a_time = threading.Lock()

    def look() -> Look | None:
        with one_at_a_time:
            try:
                return Look.of(engine, time.monotonic())
            except MeshdemoError:
                return None  # it cannot be asked just now; the next time it may be

    def look_on() -> None:
        while True:
            began = time.monotonic()
            try:
                if found := look():
                    looks.put(found)
            except BaseException as error:  # noqa: BLE001 - raised again where they are compared
                looks.put(error)
                return
            time.sleep(max(PAUSE, LOOK_SHARE * (time.monotonic() - began)))

    threading.Thread(target=look_on, daemon=True, name="tour").start()
    return Changes(looks, look)
