"""What a page has been told, kept to be seen again: the last minutes of it, in bounded memory."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

KEPT_SECONDS = 600.0
"""How long an event is kept."""
TOGETHER_SECONDS = 0.5
"""Answers are kept as one that come within so many seconds."""
COUNTS_SECONDS = 1.0
"""What was counted is kept once in so many seconds, and as it was last."""
STATES = ("scene", "counts")
"""Events of which the last one tells all."""
KEPT = (*STATES, "answers", "changed", "happened")

Event = tuple[float, str, Any]
"""When, in seconds of the clock; its name; and what it tells."""


class Recording:
    """Events come from one thread, and are read in others."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """Begin now, by a clock that counts seconds since the epoch."""
        self._clock, self._began = clock, clock()
        self._before: dict[str, Any] = {}
        """The states as they were when what is kept begins."""
        self._events: list[Event] = []
        self._lock = threading.Lock()

    def take(self, name: str, told: Any) -> None:  # noqa: ANN401 - whatever pages are told
        """Keep an event, as pages get it."""
        if name in KEPT:
            with self._lock:
                now = self._clock()
                self._forget(now)
                if not (self._events or self._before):
                    self._began = now
                {"answers": self._add_answers, "counts": self._add_counts}.get(name, self._add)(
                    now, name, told
                )

    def document(self) -> dict[str, Any]:
        """Give it as a page replays it: times in seconds since it began."""
        with self._lock:
            now, events = self._clock(), list(self._events)
            before = dict(self._before)
            began = self._began
        return {
            "began": began,
            "seconds": round(now - began, 3),
            "events": [
                *([0.0, name, before[name]] for name in STATES if name in before),
                *([round(max(when - began, 0.0), 3), name, told] for when, name, told in events),
            ],
        }

    def _add(self, now: float, name: str, told: Any) -> None:  # noqa: ANN401 - as above
        self._events.append((now, name, told))

    def _add_answers(self, now: float, name: str, told: dict[str, Any]) -> None:
        came = Counter(told["came"])
        if self._events:
            when, last, known = self._events[-1]
            if last == name and known["by"] == told["by"] and now - when < TOGETHER_SECONDS:
                known["came"] = dict(Counter(known["came"]) + came)
                return
        self._add(now, name, {"by": told["by"], "came": dict(came)})

    def _add_counts(self, now: float, name: str, told: Any) -> None:  # noqa: ANN401 - as above
        """Replace the last one, unless the one before it is old enough for both."""
        found = (p for p in range(len(self._events) - 1, -1, -1) if self._events[p][1] == name)
        last, before = next(found, None), next(found, None)
        if (
            last is not None
            and before is not None
            and now - self._events[before][0] < COUNTS_SECONDS
        ):
            del self._events[last]
        self._add(now, name, told)

    def _forget(self, now: float) -> None:
        """Let go of what is too old, but for what still holds."""
        old = now - KEPT_SECONDS
        gone = 0
        for when, name, told in self._events:
            if when >= old:
                break
            if name in STATES:
                self._before[name] = told
            gone += 1
        if gone:
            del self._events[:gone]
            self._began = max(self._began, old)
