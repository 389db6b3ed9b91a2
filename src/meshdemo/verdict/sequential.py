"""The verdict that asks no more requests than its question needs.

Each share is tested against the shares that are off by the margin, with Wald's sequential
probability ratio test (see ``wald``), whenever some more answers are there.
"""

from __future__ import annotations

from bisect import bisect_left
from fractions import Fraction
from functools import cached_property
from math import ceil, exp, log
from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.verdict.expectation import is_exact
from meshdemo.verdict.judgement import Judgement, Outcome, claims, together
from meshdemo.verdict.wald import divergence, interval, log_evidence, log_ratio

if TYPE_CHECKING:
    from meshdemo.verdict.expectation import Expectation
    from meshdemo.verdict.judgement import Claim
    from meshdemo.verdict.precision import Precision
    from meshdemo.verdict.tally import Tally


LOOK_EVERY = 20
"""Answers between two looks: whoever looks more often stops a little earlier."""
PATIENCE = 5
"""How many times the answers that tell a share from one off by the margin, on average, are asked
for at most. Enough for all but 1 in 100 of meshes that keep their shares, and of those whose shares
are off by the margin; `make simulate` shows it."""


class Sequential(Struct, frozen=True, dict=True):
    """Requests until the answer is known.

    *Not met* as soon as the evidence against a share is k/a, k the number of shares and a the error
    rate: only on this side they share it. *Met* as soon as each share that is a margin off is
    unlikelier than the expected one by 1/a: a real share that is off must slip past its own. A
    share that is all or nothing is not met by one contrary answer, and met by as many others as
    reveal the hidden share.
    """

    expectation: Expectation
    precision: Precision
    asked_for: int | None = None
    """How many requests may be sent at most; None means as many as the question is worth."""

    name = "sequential"

    @cached_property
    def most(self) -> int:
        """How many requests may be sent at most."""
        if self.asked_for is not None:
            return self.asked_for
        patience = PATIENCE * log(self.precision.shared_by / self.precision.error_rate)
        worth = [
            ceil(patience / divergence(off, float(share)))
            for name, share in self.expectation.shares
            for off in self._off.get(name, ())
        ]
        return max([self.precision.revealing, *worth])

    def enough(self, tally: Tally) -> bool:
        """Tell whether the answers decide; they are looked at from time to time."""
        if tally.total % LOOK_EVERY and tally.total != self.precision.revealing:
            return False
        found = together(self._outcome(claim) for claim in claims(self.expectation, tally))
        return found is not Outcome.INCONCLUSIVE

    def judgements(self, tally: Tally) -> tuple[Judgement, ...]:
        """Judge each claim."""
        return tuple(self._judgement(claim) for claim in claims(self.expectation, tally))

    @cached_property
    def _off(self) -> dict[str, tuple[float, float]]:
        """The shares that each share must be told from, a margin off, cut at 0 and 100 %."""
        margin = self.precision.margin
        return {
            name: (float(max(share - margin, Fraction(0))), float(min(share + margin, Fraction(1))))
            for name, share in self.expectation.shares
            if not is_exact(share)
        }

    @cached_property
    def level(self) -> float:
        """The part of the error rate for each share; of two that make 100 % one says all."""
        shares = [share for _, share in self.expectation.shares if not is_exact(share)]
        mirrored = len(shares) == 2 and sum(shares) == 1  # noqa: PLR2004 - of two
        claims = 1 if mirrored else max(1, len(shares))
        return self.precision.error_rate / claims / self.precision.shared_by

    def _outcome(self, claim: Claim) -> Outcome:
        if claim.exact:
            if claim.contrary:
                return Outcome.NOT_MET
            revealed = claim.total >= self.precision.revealing
            return Outcome.MET if revealed else Outcome.INCONCLUSIVE
        if self._evidence(claim, claim.count) >= -log(self.level):
            return Outcome.NOT_MET
        expected = float(claim.share)
        rejected = all(
            log_ratio(claim.count, claim.total, off, expected) <= log(self.precision.error_rate)
            for off in self._off[claim.name]
        )
        return Outcome.MET if rejected else Outcome.INCONCLUSIVE

    def _evidence(self, claim: Claim, count: int) -> float:
        margin = float(self.precision.margin)
        return log_evidence(count, claim.total, float(claim.share), margin)

    def _judgement(self, claim: Claim) -> Judgement:
        low, high = self._not_refused(claim)
        margin = float(self.precision.margin)
        return Judgement(
            claim,
            self._outcome(claim),
            low,
            high,
            self._p_value(claim),
            interval(claim.count, claim.total, margin, self.level),
        )

    def _p_value(self, claim: Claim) -> float:
        """Bound how likely there ever comes so much evidence against shares that are real."""
        if claim.exact:
            return claim.exact_p_value
        shares = self.precision.error_rate / self.level
        return min(1.0, shares * exp(-self._evidence(claim, claim.count)))

    def _not_refused(self, claim: Claim) -> tuple[int, int]:
        """Give the least and the greatest count of so many answers that are not refused."""
        total = claim.total
        if claim.exact:
            return claim.allowed, claim.allowed
        middle, limit = round(total * claim.share), -log(self.level)
        below, above = range(middle + 1), range(middle, total + 1)
        low = bisect_left(below, -limit, key=lambda count: -self._evidence(claim, count))
        high = bisect_left(above, limit, key=lambda count: self._evidence(claim, count))
        return low, middle + high - 1
