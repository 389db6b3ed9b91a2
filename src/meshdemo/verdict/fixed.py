"""The verdict on a sample whose size was said before: exact binomial tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.verdict.binomial import Binomial
from meshdemo.verdict.expectation import is_exact
from meshdemo.verdict.judgement import Judgement, Outcome, claims
from meshdemo.verdict.wald import edge, interval

if TYPE_CHECKING:
    from meshdemo.verdict.expectation import Expectation
    from meshdemo.verdict.judgement import Claim
    from meshdemo.verdict.precision import Precision
    from meshdemo.verdict.tally import Tally


class FixedSample(Struct, frozen=True):
    """Exactly so many requests, judged once.

    A share that is all or nothing is decided by one contrary answer, any other by the exact
    two-sided binomial test. The tests of one verdict share the error rate (Bonferroni: however the
    counts depend on each other, the bound holds). It bounds "not met" for a mesh that keeps the
    expectation; what so few answers cannot see may be "met".
    """

    expectation: Expectation
    precision: Precision
    most: int
    """How many requests are sent."""

    name = "fixed sample"

    def enough(self, tally: Tally) -> bool:
        """Tell whether all of them have come back."""
        return tally.total >= self.most

    def judgements(self, tally: Tally) -> tuple[Judgement, ...]:
        """Judge each claim."""
        margin = float(self.precision.margin)
        found = claims(self.expectation, tally)
        return tuple(_judgement(claim, self.level, margin) for claim in found)

    @property
    def level(self) -> float:
        """The part of the error rate for each share that is neither all nor nothing."""
        tested = sum(not is_exact(share) for _, share in self.expectation.shares)
        return self.precision.error_rate / max(1, tested)


def _judgement(claim: Claim, level: float, margin: float) -> Judgement:
    if claim.exact:
        low = high = claim.allowed
        p_value = claim.exact_p_value
    else:
        binomial = Binomial(claim.total, claim.share)
        low, high = binomial.accepted(level)
        p_value = binomial.p_value(claim.count)
    outcome = Outcome.MET if low <= claim.count <= high else Outcome.NOT_MET
    # A test that no count could have failed proves nothing, so it is not passed either.
    if not claim.exact and (low, high) == (0, claim.total):
        outcome = Outcome.INCONCLUSIVE
    if claim.exact:
        fitting = interval(claim.count, claim.total, margin, level)
    else:
        fitting = _fitting(claim, level, accepted=low <= claim.count <= high)
    return Judgement(claim, outcome, low, high, p_value, fitting)


def _fitting(claim: Claim, level: float, *, accepted: bool) -> tuple[float, float]:
    """Give the shares that the same test does not refuse for this count.

    That they are all between two ends is nearly true: small p-values jump. So the ends are sought
    where the expected share is within them just if it is not refused itself.
    """
    if not claim.total:
        return 0.0, 1.0
    counted, expected = claim.count / claim.total, float(claim.share)

    def fits(share: float) -> bool:
        return 0 < share < 1 and Binomial(claim.total, share).p_value(claim.count) >= level

    def end(utmost: float) -> float:
        if counted == utmost:
            return utmost
        if not min(counted, utmost) < expected < max(counted, utmost):
            return edge(fits, inside=counted, outside=utmost)
        if accepted:
            return edge(fits, inside=expected, outside=utmost)
        return edge(fits, inside=counted, outside=expected)

    return end(0.0), end(1.0)
