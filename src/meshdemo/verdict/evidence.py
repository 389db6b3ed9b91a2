"""A verdict in sentences: what was counted, and what it proves."""

from __future__ import annotations

from fractions import Fraction
from itertools import count as count_from
from math import ceil, floor, log10
from typing import TYPE_CHECKING

from meshdemo.language import joined, said
from meshdemo.verdict.expectation import ERROR, outcome_text, percent
from meshdemo.verdict.fixed import FixedSample
from meshdemo.verdict.judgement import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.verdict.judgement import Judgement
    from meshdemo.verdict.judging import Rule
    from meshdemo.verdict.tally import Tally


_KINDS_NAMED = 3
"""How many kinds of errors are named."""
_STEPS = 4
"""How many steps of its last decimal an interval spans at least when it is written out."""


def sentences(
    outcome: Outcome, rule: Rule, judgements: tuple[Judgement, ...], tally: Tally
) -> Iterator[str]:
    """Say what decided."""
    if outcome is Outcome.MET:
        named = dict(rule.expectation.shares)
        yield from (share_sentence(item) for item in judgements if item.claim.name in named)
        yield from _proved(rule, tally)
    elif outcome is Outcome.NOT_MET:
        wrong = [item for item in judgements if item.outcome is Outcome.NOT_MET]
        yield from (_with_kinds(item, tally) for item in wrong)
        if not all(item.claim.exact for item in wrong):
            often = _percent(rule.precision.error_rate)
            yield said(
                "a mesh that keeps its shares fails this at most {often} of the time", often=often
            )
    else:
        open_ones = [item for item in judgements if item.outcome is Outcome.INCONCLUSIVE]
        yield from (share_sentence(item) for item in open_ones)
        yield _not_enough(rule, tally)


def undecided(total: int, broken_off: str, disturbed: str) -> str:
    """Say why a measurement decides nothing."""
    came = answers(total)
    if disturbed:
        return said("{answers} came back and prove nothing: {why}", answers=came, why=disturbed)
    early = said("{answers} came back before the measurement broke off", answers=came)
    return joined(said(": "), [early, broken_off]) if broken_off else early


def answers(total: int) -> str:
    """Count answers."""
    return said("1 answer") if total == 1 else said("{total:,} answers", total=total)


def interval_text(interval: tuple[float, float]) -> str:
    """Say which real shares fit the answers, as in ``45.2 to 54.9 %``; rounded outwards."""
    low, high = _in_percent(interval)
    return _rounded_outwards(low, high, _places(high - low))


def _proved(rule: Rule, tally: Tally) -> Iterator[str]:
    precision = rule.precision
    sure = _percent(1 - precision.error_rate)
    if rule.expectation.is_exact:
        share = _percent_up(precision.hidden(tally.total))
        yield said(
            "a hidden share of {share} would have shown with {sure} confidence",
            share=share,
            sure=sure,
        )
    elif not isinstance(rule, FixedSample):
        margin = percent(precision.margin)
        yield said(
            "a share that is off by {margin} points would have shown with {sure} confidence",
            margin=margin,
            sure=sure,
        )


def _not_enough(rule: Rule, tally: Tally) -> str:
    if isinstance(rule, FixedSample):
        return said("so few answers prove nothing: send more with --requests, or leave it out")
    if rule.expectation.is_exact or tally.total < rule.precision.revealing:
        return said(
            "{answers} are needed to rule out a hidden share: allow more with --max-requests",
            answers=answers(rule.precision.revealing),
        )
    return said(
        "neither the expected shares nor shares that are off by {margin} points are ruled out: "
        "allow more with --max-requests, or tell less apart with --margin",
        margin=percent(rule.precision.margin),
    )


def share_sentence(judgement: Judgement) -> str:
    """Say how often an outcome came, and how often it should."""
    claim = judgement.claim
    expected, fitting = _beside(claim.share, judgement.interval)
    counted = said(
        "{outcome}: {count:,} of {answers}, {share} where {expected} is expected",
        outcome=outcome_text(claim.name),
        count=claim.count,
        answers=answers(claim.total),
        share=_percent(judgement.share),
        expected=expected,
    )
    if claim.exact:
        return counted
    return said("{counted}; a real {interval} would fit", counted=counted, interval=fitting)


def _beside(share: Fraction, interval: tuple[float, float]) -> tuple[str, str]:
    """Write an expected share and an interval: the one is within the other where it really is.

    Counting stops just as a share is excluded, so that rounded outwards the interval may hold it:
    then it takes more digits.
    """
    low, high = _in_percent(interval)
    expected = 100 * share
    for places in count_from(_places(high - low)):
        digits = max(places, _digits(expected))
        shown = round(expected, digits)
        least, most = -_up(-low, places), _up(high, places)
        if (least <= shown <= most) is (low <= expected <= high):
            break
    return f"{percent(shown / 100)} %", _rounded_outwards(low, high, places)


def _digits(expected: Fraction) -> int:
    """Choose the decimals of an expected share: all that it has, or three digits if it has no end.

    A share that was said, and not worked out from weights, has an end.
    """
    most = next((n for n in range(13) if (expected * 10**n).denominator == 1), None)
    return max(2, 2 - floor(log10(expected))) if most is None else most


def _with_kinds(judgement: Judgement, tally: Tally) -> str:
    """Say the same with what the errors were, the most frequent ones first."""
    sentence = share_sentence(judgement)
    if judgement.claim.name != ERROR:
        return sentence
    kinds = sorted(tally.others.items(), key=lambda item: -item[1])
    named: list[str] = [
        said("{count:,} {kind}", count=count, kind=kind)
        for kind, count in kinds[:_KINDS_NAMED]
        if count
    ]
    if (more := len(kinds) - _KINDS_NAMED) > 0:
        named.append(said("{more} more kinds", more=more))
    if not named:
        return sentence
    return said("{sentence} ({kinds})", sentence=sentence, kinds=joined(said(", "), named))


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
    return f"{float(_up(Fraction(100 * share), places)):g} %"


def _in_percent(interval: tuple[float, float]) -> tuple[Fraction, Fraction]:
    low, high = interval
    return Fraction(100 * low), Fraction(100 * high)


def _rounded_outwards(low: Fraction, high: Fraction, places: int) -> str:
    ends = (f"{0 - float(_up(-low, places)):.{places}f}", f"{float(_up(high, places)):.{places}f}")
    return said("{low} to {high} %", low=ends[0], high=ends[1])


def _places(width: Fraction) -> int:
    """Choose as many decimals as it takes to see where between two ends something lies."""
    return next(places for places in count_from(0) if width * 10**places >= _STEPS)


def _up(value: Fraction, places: int) -> Fraction:
    """Round up to so many decimals."""
    unit = Fraction(10) ** places
    return ceil(value * unit) / unit
