"""Durations as Istio's fields take them: Go's notation, ``1h``, ``1.5s``, ``2m30s``."""

from __future__ import annotations

import re
from fractions import Fraction

UNITS = {
    "ns": Fraction(1, 10**9),
    "us": Fraction(1, 10**6),
    "µs": Fraction(1, 10**6),
    "μs": Fraction(1, 10**6),
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
}
MILLISECOND = UNITS["ms"]
LONGEST_SECONDS = Fraction(9_223_372_036)
"""In seconds, and already too long for Envoy, which counts nanoseconds in 63 bits as Go does."""
LONGEST_DURATION = 100
"""Characters of a duration that anybody means; with many thousands its digits take for ever."""

_PART = r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)"
_WHOLE = re.compile(rf"[-+]?(?:{_PART})+", re.ASCII)
_PARTS = re.compile(_PART, re.ASCII)


def seconds(text: str) -> Fraction | None:
    """Give a duration in seconds, exactly; None if it is none."""
    if text in {"0", "+0", "-0"}:
        return Fraction(0)
    if len(text) > LONGEST_DURATION or not _WHOLE.fullmatch(text):
        return None
    sign = -1 if text.startswith("-") else 1
    # Go also takes ``1.`` and ``.5``, which Fraction does not.
    numbers = ((f"0{number}".removesuffix("."), unit) for number, unit in _PARTS.findall(text))
    return sign * sum((Fraction(number) * UNITS[unit] for number, unit in numbers), Fraction(0))
