"""What a tally proves about an expectation: met, not met or inconclusive, and why.

100 % and 0 % are exact: one wrong answer decides. Any other share is decided by an exact
two-sided binomial test; the tests of one verdict share a false-alarm rate of 1 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from math import ceil, floor, log
from typing import TYPE_CHECKING

from meshdemo.binomial import Binomial
from meshdemo.expectation import is_exact, percent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.expectation import Expectation
    from meshdemo.traffic import Tally

FALSE_ALARM = 0.01
"""How often, at most, a mesh that keeps the expectation is refused."""
CONFIDENCE = 0.99
"""How surely a hidden share of wrong answers would have shown."""
HIDDEN_SHARE = 0.01
"""The share of wrong answers that the default number of requests must reveal."""
SPLIT_REQUESTS = 1_000
"""The default for a split: 50 % is then told from 55 %, mostly."""

OTHERS = "errors and unknown answers"
"""The judgement on what no known version answered; it is no possible version's name."""
_CAUSES_SHOWN = 3


class Outcome(str, Enum):
    """What a verdict comes to."""

    MET = "met"
    NOT_MET = "not met"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Judgement:
    """One version (or ``OTHERS``) against its share."""

    version: str
    expected: float
    """The share that it shall have, 0 to 1."""
    count: int
    total: int
    low: int
    """The least count that passes."""
    high: int
    """The greatest count that passes."""
    p_value: float
    """How likely a mesh that keeps the share is to be this far off, or farther."""
    exact: bool
    """Whether the share is all or nothing, so that one wrong answer decides."""

    @property
    def ok(self) -> bool:
        return self.low <= self.count <= self.high

    @property
    def share(self) -> float:
        """The share that was counted, 0 to 1."""
        return self.count / self.total if self.total else 0.0

    @property
    def passing(self) -> str:
        """Which shares pass, as in ``46 to 54 %``; rounded inwards, so that each really does."""
        if self.low == self.high:
            return _percent(self.low / max(self.total, 1))
        width = (self.high - self.low) / self.total
        places = next((p for p, enough in enumerate((0.04, 0.004)) if width >= enough), 2)
        unit = 10**places
        low = ceil(Fraction(self.low * 100 * unit, self.total)) / unit
        high = floor(Fraction(self.high * 100 * unit, self.total)) / unit
        return f"{low:.{places}f} to {high:.{places}f} %"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the whole comes to, and the sentences that say why."""

    outcome: Outcome
    judgements: tuple[Judgement, ...]
    total: int
    evidence: tuple[str, ...]
    false_alarm: float
    """The bound on refusing a mesh that keeps the expectation: 0 if every share is exact."""
    hidden_share: float | None
    """The smallest share of wrong answers that would have shown, at ``CONFIDENCE``; None unless
    no answer was wrong."""


def default_requests(expectation: Expectation) -> int:
    """Give how many requests a verdict on this expectation is worth.

    If all shares are exact: as many as reveal a hidden share of 1 % with 99 % confidence.
    """
    if expectation.is_exact:
        return ceil(log(1 - CONFIDENCE) / log(1 - HIDDEN_SHARE))
    return SPLIT_REQUESTS


def judge(expectation: Expectation, tally: Tally, *, complete: bool) -> Verdict:
    """Decide on a measurement.

    Only a complete one decides. Errors and unknown answers have the share 0; so has a known
    version that is not named, unless the shares leave it a rest.
    """
    judgements = tuple(_judgements(expectation, tally))
    outcome = _outcome(judgements, tally.total, complete=complete)
    met = outcome is Outcome.MET
    return Verdict(
        outcome=outcome,
        judgements=judgements,
        total=tally.total,
        evidence=tuple(_evidence(outcome, judgements, tally)),
        false_alarm=0.0 if all(judgement.exact for judgement in judgements) else FALSE_ALARM,
        hidden_share=hidden_share(tally.total) if met else None,
    )


def hidden_share(total: int) -> float:
    """Give the share that would have come up in so many requests, at ``CONFIDENCE``."""
    return 1 - (1 - CONFIDENCE) ** (1 / total)


def _outcome(judgements: tuple[Judgement, ...], total: int, *, complete: bool) -> Outcome:
    if not complete or not total:
        return Outcome.INCONCLUSIVE
    return Outcome.MET if all(judgement.ok for judgement in judgements) else Outcome.NOT_MET


def _judgements(expectation: Expectation, tally: Tally) -> Iterator[Judgement]:
    shares = dict(expectation.shares)
    if expectation.rest == 0:
        shares |= {version: Fraction(0) for version in tally.versions if version not in shares}
    # Bonferroni: however the versions' counts depend on each other, the bound holds.
    level = FALSE_ALARM / max(1, sum(not is_exact(share) for share in shares.values()))
    for version, share in shares.items():
        yield _judgement(version, share, tally.versions.get(version, 0), tally.total, level)
    yield _judgement(OTHERS, Fraction(0), tally.missed, tally.total, level)


def _judgement(version: str, share: Fraction, count: int, total: int, level: float) -> Judgement:
    if is_exact(share):
        low = high = total * int(share)
        p_value = 1.0 if count == low else 0.0
    else:
        binomial = Binomial(total, share)
        low, high = binomial.accepted(level)
        p_value = binomial.p_value(count)
    return Judgement(
        version=version,
        expected=float(share),
        count=count,
        total=total,
        low=low,
        high=high,
        p_value=p_value,
        exact=is_exact(share),
    )


def _evidence(
    outcome: Outcome, judgements: tuple[Judgement, ...], tally: Tally
) -> Iterator[str]:
    if outcome is Outcome.INCONCLUSIVE:
        yield f"only {_answers(tally.total)} came back before it ended, which proves nothing"
    elif outcome is Outcome.MET:
        for judgement in judgements:
            if judgement.count or judgement.expected:
                yield _counted(judgement)
        share = _percent_up(hidden_share(tally.total))
        yield f"with {CONFIDENCE:.0%} confidence less than {share} of the answers are wrong"
    else:
        for judgement in judgements:
            if not judgement.ok:
                yield _counted(judgement) + _causes(judgement, tally)
        if any(not (judgement.ok or judgement.exact) for judgement in judgements):
            yield f"a mesh that keeps the split fails this at most once in {1 / FALSE_ALARM:.0f} runs"
