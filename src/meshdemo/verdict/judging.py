"""What a measurement proves about an expectation: met, not met or inconclusive, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from meshdemo.verdict import evidence
from meshdemo.verdict.fixed import FixedSample
from meshdemo.verdict.judgement import Outcome, claims, together
from meshdemo.verdict.precision import DEFAULT_PRECISION
from meshdemo.verdict.sequential import Sequential
from meshdemo.verdict.wald import interval

if TYPE_CHECKING:
    from meshdemo.verdict.expectation import Expectation
    from meshdemo.verdict.judgement import Judgement
    from meshdemo.verdict.precision import Precision
    from meshdemo.verdict.tally import Tally


class Rule(Protocol):
    """How it is decided, and when."""

    @property
    def name(self) -> str:
        """What it is called in results."""

    @property
    def expectation(self) -> Expectation:
        """What is to be proved or refuted."""

    @property
    def precision(self) -> Precision:
        """How often it may be wrong."""

    @property
    def level(self) -> float:
        """The part of the error rate for each share."""

    @property
    def most(self) -> int:
        """How many requests may be sent."""

    def enough(self, tally: Tally) -> bool:
        """Tell whether no more answers are needed."""

    def judgements(self, tally: Tally) -> tuple[Judgement, ...]:
        """Judge each outcome."""


class Verdict(Struct, frozen=True):
    """What the whole comes to, and the sentences that say why."""

    outcome: Outcome
    judgements: tuple[Judgement, ...]
    rule: Rule
    total: int
    """The answers that it rests on."""
    evidence: tuple[str, ...]

    @property
    def false_alarm(self) -> float:
        """The bound on refusing a mesh that keeps the expectation: 0 if every share is exact."""
        exact = all(judgement.claim.exact for judgement in self.judgements)
        return 0.0 if exact else self.rule.precision.error_rate

    @property
    def hidden_share(self) -> float | None:
        """The smallest share of contrary answers that would have shown; if none came."""
        met = self.outcome is Outcome.MET and self.rule.expectation.is_exact
        return self.rule.precision.hidden(self.total) if met else None


def rule_for(
    expectation: Expectation,
    precision: Precision = DEFAULT_PRECISION,
    *,
    requests: int | None = None,
    most: int | None = None,
) -> Rule:
    """Choose how to decide: with so many ``requests``, or with ``most`` of them at most."""
    if requests is not None:
        return FixedSample(expectation, precision, requests)
    return Sequential(expectation, precision, most)


def fitting(rule: Rule, tally: Tally) -> dict[str, tuple[float, float]]:
    """Give, for each outcome that is judged, the real shares that fit the answers so far.

    They hold whenever one looks, and take a millisecond.
    """
    margin = float(rule.precision.margin)
    return {
        claim.name: interval(claim.count, claim.total, margin, rule.level)
        for claim in claims(rule.expectation, tally)
    }


def judge(
    rule: Rule,
    tally: Tally,
    decisive: Tally | None = None,
    *,
    complete: bool = True,
    broken_off: str = "",
    disturbed: str = "",
) -> Verdict:
    """Decide on a measurement.

    ``decisive`` is the tally at the look at which there was enough; answers that came after it were
    under way and change nothing, unless they are what must never come. Only a ``complete``
    measurement decides, and only if nothing changed meanwhile: ``broken_off`` says why it is not
    complete, ``disturbed`` what changed.
    """
    contrary = any(claim.exact and claim.contrary for claim in claims(rule.expectation, tally))
    judged = tally if decisive is None or contrary else decisive
    judgements = rule.judgements(judged)
    if not complete or disturbed or not judged.total:
        why = evidence.undecided(tally.total, broken_off, disturbed)
        return Verdict(Outcome.INCONCLUSIVE, judgements, rule, judged.total, (why,))
    outcome = together(judgement.outcome for judgement in judgements)
    said = tuple(evidence.sentences(outcome, rule, judgements, judged))
    return Verdict(outcome, judgements, rule, judged.total, said)
