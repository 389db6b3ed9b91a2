"""A word now and then while one waits, where nothing may turn: in a log, for instance."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_WORD_SECONDS = 5.0
"""Seconds until the first word; each next one comes after twice the time."""


class Heartbeat(threading.Thread):
    """It says how it goes, with the seconds so far, until ``stop``; more and more seldom."""

    def __init__(self, say: Callable[[float], None], first: float = FIRST_WORD_SECONDS) -> None:
        super().__init__(daemon=True)
        self._say, self._first = say, first
        self._stopped = threading.Event()
        self.start()

    def stop(self) -> None:
        """End the thread's words; it may be at its last one."""
        self._stopped.set()

    def run(self) -> None:
        began, due = time.monotonic(), self._first
        while not self._stopped.wait(began + due - time.monotonic()):
            self._say(due)
            due *= 2
