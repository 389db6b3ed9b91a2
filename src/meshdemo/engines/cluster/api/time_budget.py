"""The time that one step may take: --timeout, whatever a step waits for on its way to a cluster.

A library's time limits are for each silence. A server that sends a little now and then, or a
program that gives credentials and never ends, would be waited for without an end by them.
"""

from __future__ import annotations

import queue
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

from meshdemo.errors import TimedOut

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

RETRY_PAUSE = 1.0
"""Seconds: within a step one asks again sooner than that."""
SLOW_CLUSTER = "Is it, or the way to it, slow? Give it longer with --timeout."


class OutOfTime(TimedOut):
    """The step's time was over before the cluster had answered."""


class Budget:
    """What is left of a step's time, for all of its requests together.

    A step also ends with a pause: who looks again every now and then is not given up.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._ends = time.monotonic() + seconds
        self._last = time.monotonic()
        """When an answer came last."""

    def begin(self, seconds: float | None = None) -> None:
        """Begin a step; it has ``seconds``, or as many as --timeout says."""
        self._ends = time.monotonic() + (self.seconds if seconds is None else seconds)

    def go_on(self) -> None:
        """Note that something has just been heard, so that what follows is of the same step."""
        self._last = time.monotonic()

    @property
    def left(self) -> float:
        """Seconds until the step has to be over."""
        return max(0.0, self._ends - time.monotonic())

    def run(
        self, call: Callable[[], T], what: str, *, hint: str = SLOW_CLUSTER, least: float = 0.0
    ) -> T:
        """Give what a call gives, or raise OutOfTime, which says ``what`` took so long.

        It has ``least`` seconds, however late it is. A call that is given up goes on by itself,
        in a thread that keeps nobody from ending.
        """
        if not self.left and time.monotonic() - self._last > RETRY_PAUSE:
            self.begin()
        answer: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()

        def answered() -> None:
            try:
                answer.put((call(), None))
            except BaseException as error:  # noqa: BLE001 - raised again below, by who asked
                answer.put((None, error))

        seconds = max(least, self.left)
        if seconds:  # else nothing is asked: an answer might come before it is looked for
            threading.Thread(target=answered, daemon=True).start()
        try:
            value, error = answer.get(timeout=seconds)
        except queue.Empty:
            message = f"{what} was not done within the {self.seconds:g} s of this step"
            raise OutOfTime(message, hint=hint) from None
        finally:
            self.go_on()
        if error is not None:
            raise error
        found: T = value
        return found
