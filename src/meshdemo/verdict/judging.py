"""What a tally proves about an expectation: met, not met or inconclusive, and why.

100 % and 0 % are exact: one wrong answer decides. Any other share is decided by an exact
two-sided binomial test; the tests of one verdict share a false-alarm rate of 1 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from itertools import count as count_from
from math import ceil, floor, log, log10
from typing import TYPE_CHECKING

from meshdemo.system.plural import counted
from meshdemo.verdict.binomial import Binomial
from meshdemo.verdict.expectation import is_exact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.verdict.expectation import Expectation
    from meshdemo.verdict.traffic import Tally

FALSE_ALARM = 0.01
"""How often, at most, a mesh that keeps the expectation is refused."""
CONFIDENCE = 0.99
"""How surely a hidden share of wrong answers would have shown."""
HIDDEN_SHARE = 0.01
"""The share of wrong answers that the default number of requests must reveal."""
SPLIT_REQUESTS = 1_000
"""The default for a split: 50 % is then told from 55 %, mostly."""

ERRORS_AND_UNKNOWN = "errors and unknown answers"
"""The judgement on what no known version answered; it cannot be a version's name."""
_KINDS_NAMED = 3
"""How many kinds of errors the evidence names."""
_STEPS = 4
"""How many steps of its last decimal an interval spans at least when it is written out."""


class Outcome(str, Enum):
    """What a verdict comes to."""

    MET = "met"
    NOT_MET = "not met"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Judgement:
    """One version (or ``ERRORS_AND_UNKNOWN``) against its share."""

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
    def is_blind(self) -> bool:
        """Tell whether every count passes: so few answers prove nothing of the share."""
        return not self.exact and self.low == 0 and self.high == self.total

    @property
    def share(self) -> float:
        """The share that was counted, 0 to 1."""
        return self.count / self.total if self.total else 0.0

    @property
    def passing(self) -> str:
        """Which shares pass, as in ``46 to 54 %``; rounded inwards, so that each really does."""
        if self.low == self.high:
            return _percent(self.low / max(self.total, 1))
        low, high = (Fraction(count * 100, self.total) for count in (self.low, self.high))
        # As many decimals as it takes to see where between the two a share lies.
        places = next(places for places in count_from(0) if (high - low) * 10**places >= _STEPS)
        return f"{_up(low, places):.{places}f} to {-_up(-high, places):.{places}f} %"


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
    """The smallest share of wrong answers that would have shown, at ``CONFIDENCE``; only if all
    shares are exact and no answer was wrong."""


def default_requests(expectation: Expectation) -> int:
    """Give how many requests a verdict on this expectation is worth.

    If all shares are exact: as many as reveal a hidden share of 1 % with 99 % confidence.
    """
    if expectation.is_exact:
        return ceil(log(1 - CONFIDENCE) / log(1 - HIDDEN_SHARE))
    return SPLIT_REQUESTS


def judge(
    expectation: Expectation,
    tally: Tally,
    *,
    complete: bool,
    broken_off: str = "",
    disturbed: str = "",
) -> Verdict:
    """Decide on a measurement.

    Only a complete one decides, and only if it could have failed and nothing changed meanwhile;
    ``broken_off`` says why it is not complete, ``disturbed`` what changed. Errors and unknown
    answers have the share 0; so has a known version that is not named, unless the shares leave it
    a rest.
    """
    judgements = tuple(_judgements(expectation, tally))
    decides = complete and not disturbed
    outcome = _outcome(judgements, tally.total, decides=decides)
    met = outcome is Outcome.MET
    return Verdict(
        outcome=outcome,
        judgements=judgements,
        total=tally.total,
        evidence=tuple(_evidence(outcome, expectation, judgements, tally))
        if decides and tally.total
        else (_undecided(tally.total, broken_off, disturbed),),
        false_alarm=0.0 if all(judgement.exact for judgement in judgements) else FALSE_ALARM,
        hidden_share=hidden_share(tally.total) if met and expectation.is_exact else None,
    )


def hidden_share(total: int) -> float:
    """Give the share that would have come up in so many requests, at ``CONFIDENCE``."""
    return 1 - float((1 - CONFIDENCE) ** (1 / total))


def _outcome(judgements: tuple[Judgement, ...], total: int, *, decides: bool) -> Outcome:
    if not decides or not total:
        return Outcome.INCONCLUSIVE
    if not all(judgement.ok for judgement in judgements):
        return Outcome.NOT_MET
    # A check that could not have failed proves nothing, so it is not passed either.
    blind = any(judgement.is_blind for judgement in judgements)
    return Outcome.INCONCLUSIVE if blind else Outcome.MET


def _judgements(expectation: Expectation, tally: Tally) -> Iterator[Judgement]:
    shares = dict(expectation.shares)
    # Shares of 100 % in all leave nothing to other versions: one answer of theirs is too many.
    if expectation.rest == 0:
        shares |= {version: Fraction(0) for version in tally.versions if version not in shares}
    # Bonferroni: however the versions' counts depend on each other, the bound holds.
    level = FALSE_ALARM / max(1, sum(not is_exact(share) for share in shares.values()))
    for version, share in shares.items():
        yield _judgement(version, share, tally.versions.get(version, 0), tally.total, level)
    yield _judgement(ERRORS_AND_UNKNOWN, Fraction(0), tally.missed, tally.total, level)


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
    outcome: Outcome, expectation: Expectation, judgements: tuple[Judgement, ...], tally: Tally
) -> Iterator[str]:
    if outcome is Outcome.MET:
        named = expectation.versions
        yield from (_counted(judgement) for judgement in judgements if judgement.version in named)
        if expectation.is_exact:
            share = _percent_up(hidden_share(tally.total))
            sure = _percent(CONFIDENCE)
            yield f"a hidden share of {share} would have shown with {sure} confidence"
    elif outcome is Outcome.INCONCLUSIVE:
        for judgement in judgements:
            if judgement.is_blind:
                yield f"{_counted(judgement)}: so few prove nothing, send more with --requests"
    else:
        wrong = [judgement for judgement in judgements if not judgement.ok]
        yield from (_counted(judgement) + _kinds(judgement, tally) for judgement in wrong)
        if not all(judgement.exact for judgement in wrong):
            often = _percent(FALSE_ALARM)
            yield f"a mesh that keeps its split fails this at most {often} of the time"


def _undecided(total: int, broken_off: str, disturbed: str) -> str:
    answers = counted(total, "answer")
    if disturbed:
        return f"{answers} came back and prove nothing: {disturbed}"
    said = f"{answers} came back before the measurement broke off"
    return f"{said}: {broken_off}" if broken_off else said


def _counted(judgement: Judgement) -> str:
    answered = f"{judgement.version}: {judgement.count:,} of {counted(judgement.total, 'answer')}"
    shares = f"{_percent(judgement.share)} where {_percent(judgement.expected)} is expected"
    if judgement.exact:
        return f"{answered}, {shares}"
    passing = f"a real {judgement.passing} would pass"
    return f"{answered}, {shares}; {passing} (p = {judgement.p_value:.2g})"


def _kinds(judgement: Judgement, tally: Tally) -> str:
    """Name what the errors were, the most frequent ones first."""
    if judgement.version != ERRORS_AND_UNKNOWN:
        return ""
    kinds = sorted(tally.others.items(), key=lambda item: -item[1])
    named = [f"{count:,} {kind}" for kind, count in kinds[:_KINDS_NAMED]]
    more = [f"{len(kinds) - _KINDS_NAMED} more kinds"] if len(kinds) > _KINDS_NAMED else []
    return f" ({', '.join(named + more)})"


def _percent(share: float) -> str:
    """Write a share so that only nothing reads as 0 % and only all as 100 %."""
    value = 100 * share
    text = f"{value:.3g}"
    if 0 < share < 1 and ("e" in text or text == "100"):
        text = f"{value:.12f}".rstrip("0")
    return f"{text} %"


def _percent_up(share: float) -> str:
    """Write a bound with two digits, rounded up so that it stays one."""
    places = 1 - floor(log10(100 * share))
    return f"{_up(Fraction(100 * share), places):g} %"


def _up(value: Fraction, places: int) -> float:
    """Round up to so many decimals."""
    unit = Fraction(10) ** places
    return float(ceil(value * unit) / unit)
