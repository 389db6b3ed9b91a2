"""How precise a verdict is to be: what it must tell apart, and how often it may be wrong."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, log, log1p

from msgspec import Struct


class Precision(Struct, frozen=True):
    """What the verdict promises.

    If every real share is the expected one, "not met" comes at most with ``error_rate``. If a real
    share is off by ``margin`` or more (one of 0 or 100 %: by ``hidden_share``), "met" comes at most
    with ``error_rate``.
    """

    margin: Fraction = Fraction(5, 100)
    """How far off a share must be to matter, 0 to 1: 5 points."""
    error_rate: float = 0.01
    """How often a verdict may be wrong, on either side: 1 %."""
    hidden_share: float = 0.01
    """The share of contrary answers that must not go unseen where none is expected: 1 %."""

    shared_by: int = 1
    """How many verdicts share the error rate on the side of "not met": then it is the chance that
    any of them refuses a mesh that keeps its shares."""

    @property
    def revealing(self) -> int:
        """How many answers, none of them contrary, rule out the hidden share: 459 by default.

        All of n answers miss a share h with probability (1 - h)^n.
        """
        return ceil(log(self.error_rate) / log1p(-self.hidden_share))

    def hidden(self, total: int) -> float:
        """Give the smallest share that would have come up in so many answers, but for the error."""
        return float(1 - self.error_rate ** (1 / total))


DEFAULT_PRECISION = Precision()
"""What a verdict promises if nothing else is said."""
