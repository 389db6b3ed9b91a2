"""A route test about shares: as many answers as decide."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.language import said
from meshdemo.suite.judging import Finding, negated
from meshdemo.suite.model import HIDDEN_SHARE, MARGIN
from meshdemo.verdict.evidence import answers
from meshdemo.verdict.expectation import percent
from meshdemo.verdict.judgement import Outcome
from meshdemo.verdict.judging import rule_for
from meshdemo.verdict.measurement import Measurement, take
from meshdemo.verdict.precision import Precision
from meshdemo.verdict.tally import Tally

if TYPE_CHECKING:
    from meshdemo.suite.live_mesh import LiveMesh
    from meshdemo.suite.preparing import Case
    from meshdemo.suite.private_mesh import PrivateMesh
    from meshdemo.verdict.traffic import Sample

ERROR_RATE = 0.01
"""How often any share test of a file may be called wrong though all shares are right."""
OPPOSITE = {Outcome.MET: Outcome.NOT_MET, Outcome.NOT_MET: Outcome.MET}


class Counted(Struct, frozen=True):
    """What many answers say of what a test expects."""

    outcome: Outcome
    finding: Finding
    sample: Sample


def measure(case: Case, mesh: PrivateMesh | LiveMesh, timeout: float, among: int) -> Counted:
    """Send until the answers decide; ``among`` so many tests the error rate is shared."""
    expect, is_negated = case.test.expect, False
    if expect.none_of and expect.none_of.shares:
        expect, is_negated = expect.none_of, True
    assert expect.shares  # noqa: S101 - for the type checker: is_share
    expected, request = expect.shares, case.sent.request
    precision = Precision(
        MARGIN if expect.margin is None else expect.margin,
        ERROR_RATE,
        HIDDEN_SHARE if expect.margin is None else float(expect.margin),
        shared_by=among,
    )
    rule = rule_for(expected, precision)
    tally = Tally.of(dict.fromkeys([*expected.versions, *mesh.versions]), expected.kinds)
    measurement = Measurement(rule, tally)
    replies = mesh.send(request, case.source, rule.most, timeout, measurement.enough)
    sample = take(request, replies, rule.most, measurement.add, measurement.enough)
    outcome = measurement.verdict(sample).outcome
    outcome = OPPOSITE.get(outcome, outcome) if is_negated else outcome
    shares = said("shares {shares}", shares=expected)
    wanted = negated(shares) if is_negated else shares
    finding = Finding("shares", wanted, _counted(tally), outcome is Outcome.MET)
    return Counted(outcome, finding, sample)


def _counted(tally: Tally) -> str:
    counted = {**tally.versions, **tally.others}
    shown = [
        f"{name} {percent(Fraction(count, tally.total or 1))} %"
        for name, count in counted.items()
        if count
    ]
    came = ", ".join(shown) or said("nothing")
    return said("{shown} of {answers}", shown=came, answers=answers(tally.total))
