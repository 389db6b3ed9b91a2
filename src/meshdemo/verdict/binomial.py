"""The exact two-sided binomial test, and the counts that it accepts.

Probabilities are summed from a tail's edge outwards until nothing is added any more, which takes
some multiples of the square root of n: a million requests are no trouble.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from functools import cached_property
from math import exp, floor, lgamma, log, log1p
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from fractions import Fraction

_TIE = 1e-7
"""Outcomes whose probabilities differ by less (relatively) are equally likely, as in R."""
_NEGLIGIBLE = 1e-17
"""A term that is smaller than this part of its sum changes no float."""


class Binomial(Struct, frozen=True, dict=True):
    """How often something with this share (0 < share < 1) comes up in ``n`` requests."""

    n: int
    share: Fraction | float

    @cached_property
    def mode(self) -> int:
        """The likeliest count."""
        return min(floor((self.n + 1) * self.share), self.n)

    def p_value(self, count: int) -> float:
        """Give the probability of all counts that are no likelier than ``count``.

        That is the two-sided exact test of R's ``binom.test`` (the method of small
        p-values), its tolerance for ties included.
        """
        limit = self.log_probability(count) + _TIE
        if self.log_probability(self.mode) <= limit:
            return 1.0
        if count < self.mode:
            other = self.mode + bisect_left(self._above, -limit, key=self._unlikeliness)
            low, high = count, other
        else:
            low = bisect_right(self._below, limit, key=self.log_probability) - 1
            high = count
        return min(1.0, self._tail(low, -1) + self._tail(high, 1))

    def accepted(self, level: float) -> tuple[int, int]:
        """Give the least and the greatest count whose p-value is at least ``level``.

        All counts between are accepted too: towards the mode the p-value only grows.
        """
        low = bisect_left(self._below, level, key=self.p_value)
        above = bisect_right(self._above, -level, key=lambda count: -self.p_value(count))
        return low, self.mode + above - 1

    def log_probability(self, count: int) -> float:
        """Give the natural logarithm of the probability of exactly ``count``."""
        return self._log_ways(count) + count * self._log_share + (self.n - count) * self._log_other

    @property
    def _below(self) -> range:
        return range(self.mode + 1)

    @property
    def _above(self) -> range:
        return range(self.mode, self.n + 1)

    @cached_property
    def _log_share(self) -> float:
        return log(self.share)

    @cached_property
    def _log_other(self) -> float:
        return log1p(-self.share)

    def _log_ways(self, count: int) -> float:
        return lgamma(self.n + 1) - lgamma(count + 1) - lgamma(self.n - count + 1)

    def _unlikeliness(self, count: int) -> float:
        return -self.log_probability(count)

    def _tail(self, edge: int, step: int) -> float:
        """Add up the probabilities from ``edge`` away from the mode."""
        if not 0 <= edge <= self.n:
            return 0.0
        odds = float(self.share / (1 - self.share))
        term, total, count = exp(self.log_probability(edge)), 0.0, edge
        while term > total * _NEGLIGIBLE:
            total += term
            if step > 0:
                term *= (self.n - count) / (count + 1) * odds
            else:
                term *= count / (self.n - count + 1) / odds
            count += step
        return total
