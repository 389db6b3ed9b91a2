"""How long a request may take by the rules alone, so that nobody gives it up before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshdemo.objects import durations
from meshdemo.verdict.traffic import TIME_LIMIT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshdemo.rules.request_trace import Trace

FIELDS = ("fixedDelay", "timeout", "perTryTimeout")
"""Those of a VirtualService that let a request wait."""
PART_OF_TIMEOUT = 0.9
"""How much of all the time one request may take."""
PAUSE = 0.25
"""Seconds that a sidecar may wait at most before it tries again, if nothing else is said."""


def time_limit(trace: Trace | None, expected: float = 0.0) -> float:
    """Give the seconds after which a request is given up.

    ``TIME_LIMIT`` is for the app; what rules add to it, or what is ``expected``, comes before it.
    """
    return TIME_LIMIT + max(by_rules(trace), expected)


def within(limit: float, timeout: float) -> float:
    """Cut a time limit so that there is time left to tell that a request was given up."""
    return min(limit, PART_OF_TIMEOUT * timeout)


def by_rules(trace: Trace | None) -> float:
    """Give the seconds for which the rules let a request wait, besides what the app takes."""
    http = trace.chosen.tried.http if trace and trace.chosen else {}
    return _delay(http) + _tries(http)


def _delay(http: Mapping[str, Any]) -> float:
    delay = (http.get("fault") or {}).get("delay") or {}
    is_ever = (delay.get("percentage") or {}).get("value") or delay.get("percent")
    return _seconds(delay.get("fixedDelay")) if is_ever else 0.0


def _tries(http: Mapping[str, Any]) -> float:
    """Give how long a rule waits for pods: its timeout is that of all attempts together."""
    if timeout := _seconds(http.get("timeout")):
        return timeout
    retries = http.get("retries") or {}
    one = _seconds(retries.get("perTryTimeout"))
    attempts = int(retries.get("attempts") or 0)
    return one * (attempts + 1) + PAUSE * attempts if one else 0.0


def _seconds(text: object) -> float:
    return float(durations.seconds(str(text)) or 0) if text else 0.0
