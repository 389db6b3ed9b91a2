"""Requests until the answer is known."""

from __future__ import annotations

from fractions import Fraction
from math import exp, isclose, log
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdemo.verdict import expectation, judging
from meshdemo.verdict.expectation import ERROR
from meshdemo.verdict.judgement import Outcome
from meshdemo.verdict.measurement import Measurement
from meshdemo.verdict.precision import Precision
from meshdemo.verdict.sequential import Sequential
from meshdemo.verdict.tally import Tally
from meshdemo.verdict.traffic import Reply
from meshdemo.verdict.wald import interval, log_evidence, log_ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

V1, V2, V3 = (Reply(200, version) for version in ("v1", "v2", "v3"))
BROKEN = Reply(503, "")


def rule(text: str, **precision: Any) -> Sequential:
    margin = Fraction(precision.pop("margin", 0.05)).limit_denominator()
    return Sequential(expectation.parse(text), Precision(margin, **precision))


def measured(of: Sequential, replies: Iterable[Reply]) -> Measurement:
    versions = sorted({*of.expectation.versions, "v1", "v2"})
    found = Measurement(of, Tally.of(versions, of.expectation.kinds))
    for reply in replies:
        found.add(reply)
    return found


def outcome(of: Sequential, replies: Iterable[Reply]) -> Outcome:
    found = measured(of, replies)
    return judging.judge(of, found.tally, found.decisive).outcome


def test_459_answers_reveal_a_hidden_share_of_1_percent_with_99_percent_confidence() -> None:
    assert Precision().revealing == 459
    assert Precision().hidden(459) < 0.01 < Precision().hidden(458)


@pytest.mark.parametrize(
    ("text", "replies", "found"),
    [
        pytest.param("v2=100", [V2] * 459, Outcome.MET, id="as many as it takes"),
        pytest.param("v2=100", [V2] * 458, Outcome.INCONCLUSIVE, id="one less"),
        pytest.param("v2=100", [V2, V1], Outcome.NOT_MET, id="one contrary answer"),
        pytest.param("v2=100", [V2] * 459 + [V1], Outcome.NOT_MET, id="also a late one"),
        pytest.param("v2=100", [V2, BROKEN], Outcome.NOT_MET, id="an error is one"),
        pytest.param("v1=0", [V2] * 459, Outcome.MET, id="none of it"),
        pytest.param("503=100", [BROKEN] * 459, Outcome.MET, id="a status"),
        pytest.param("503=100", [BROKEN] * 459 + [V1], Outcome.NOT_MET, id="no status"),
        pytest.param("error=100", [BROKEN, Reply(error="reset")] * 230, Outcome.MET, id="errors"),
        pytest.param("v1=50,v2=50", [V1, V2] * 600, Outcome.MET, id="half"),
        pytest.param("v1=50,v2=50", [V1, V2] * 100, Outcome.INCONCLUSIVE, id="half, a few"),
        pytest.param("v1=50,v2=50", [V1, V1, V2] * 100, Outcome.NOT_MET, id="two thirds"),
        pytest.param("v1=50,v2=50", [V1, V2] * 600 + [V3], Outcome.NOT_MET, id="and a third one"),
        pytest.param("v1=50", [V1, V2] * 600 + [V3], Outcome.NOT_MET, id="unknown"),
        pytest.param("v2=90,503=10", [*[V2] * 9, BROKEN] * 60, Outcome.MET, id="a fault"),
        pytest.param("v2=90,503=10", [*[V2] * 9, V1] * 60, Outcome.NOT_MET, id="no fault"),
        pytest.param("v2=90,error=10", [*[V2] * 9, BROKEN] * 60, Outcome.MET, id="any fault"),
        pytest.param("v1=99,v2=1", [V1] * 580, Outcome.INCONCLUSIVE, id="1 % or none"),
        pytest.param("v1=99,v2=1", [V1] * 600, Outcome.NOT_MET, id="1 % is not 0 %"),
        pytest.param("v1=99,v2=1", [*[V1] * 15, V2] * 40, Outcome.NOT_MET, id="nor is it 6 %"),
        pytest.param("v1=99,v2=1", [*[V1] * 99, V2] * 5, Outcome.MET, id="it is 1 %"),
    ],
)
def test_answers_decide(text: str, replies: list[Reply], found: Outcome) -> None:
    assert outcome(rule(text), replies) is found


def test_what_was_under_way_changes_nothing_that_was_decided() -> None:
    of = rule("v1=50,v2=50")
    half = [V1, V2] * 600
    found = measured(of, half)
    decided = found.decisive
    assert decided is not None
    assert found.enough.is_set()
    late = measured(of, [*half[: decided.total], *[V1] * 32])
    verdict = judging.judge(of, late.tally, late.decisive)
    assert (verdict.outcome, verdict.total) == (Outcome.MET, decided.total)
    assert late.tally.total == decided.total + 32


def test_only_a_complete_and_undisturbed_measurement_decides() -> None:
    found = measured(rule("v2=100"), [V1] * 20)
    for kwargs in ({"complete": False, "broken_off": "no"}, {"disturbed": "a rule changed"}):
        said = judging.judge(found.rule, found.tally, found.decisive, **kwargs)
        assert said.outcome is Outcome.INCONCLUSIVE
        assert "20 answers came back" in said.evidence[0]
    assert judging.judge(found.rule, Tally({}), complete=True).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("text", "most"),
    [("v2=100", 459), ("v1=50,v2=50", 4_598), ("v1=90,v2=10", 1_882), ("v1=0", 459)],
)
def test_the_question_says_how_many_requests_it_is_worth(text: str, most: int) -> None:
    assert rule(text).most == most


def test_half_the_margin_takes_four_times_the_requests() -> None:
    assert isclose(rule("v1=50", margin=0.025).most / rule("v1=50").most, 4, rel_tol=0.05)


@pytest.mark.parametrize(
    ("text", "shares"),
    [("v1=50", 1), ("v1=50,v2=50", 1), ("v1=50,v2=40", 2), ("v1=34,v2=33,v3=33", 3), ("v1=0", 1)],
)
def test_of_two_shares_that_make_all_one_says_both(text: str, shares: int) -> None:
    assert rule(text).level == 0.01 / shares


def test_the_judgements_say_what_was_counted_and_what_fits() -> None:
    of = rule("v1=50,v2=50")
    found = of.judgements(Tally({"v1": 200, "v2": 120}))
    assert [item.claim.name for item in found] == ["v1", "v2", ERROR]
    assert [item.ok for item in found] == [False, False, True]
    assert [item.outcome for item in found][:2] == [Outcome.NOT_MET] * 2
    first = found[0]
    assert first.p_value == found[1].p_value
    assert first.p_value <= 0.01
    assert first.interval[0] < 0.625 < first.interval[1]
    assert isclose(first.interval[0], 1 - found[1].interval[1], abs_tol=1e-9)


@given(st.integers(1, 3_000), st.data())
def test_counts_within_the_bounds_and_only_these_are_not_refused(
    total: int, data: st.DataObject
) -> None:
    count = data.draw(st.integers(0, total))
    share = data.draw(st.sampled_from(["50", "90", "10", "33.3", "1"]))
    found = rule(f"v1={share}").judgements(Tally({"v1": count, "v2": total - count}))[0]
    assert found.ok is (found.outcome is not Outcome.NOT_MET)
    # The last bits of the p-value may differ from those of the ratio.
    assert found.ok or found.p_value <= 0.01 * (1 + 1e-9)


@pytest.mark.parametrize("share", [0, Fraction(1, 4), Fraction(3, 4), 1])
def test_the_ratio_is_that_of_the_two_likelihoods(share: Fraction) -> None:
    for count in range(5):
        likelihood = float(Fraction(share) ** count * (1 - Fraction(share)) ** (4 - count))
        assert isclose(
            exp(log_ratio(count, 4, float(share), 0.5)), likelihood * 2**4, abs_tol=1e-12
        )


@given(st.integers(0, 2_000), st.integers(1, 2_000))
def test_an_interval_holds_the_shares_that_fit(count: int, more: int) -> None:
    total = count + more
    low, high = interval(count, total, 0.05, 0.01)
    assert 0 <= low <= count / total <= high <= 1
    inner = interval(count, total, 0.05, 0.1)
    assert low <= inner[0] <= inner[1] <= high


def test_an_interval_covers_the_real_share_at_all_times() -> None:
    random = Random(7)  # noqa: S311 - chance, not secrets
    left = 0
    for _ in range(300):
        count, total, fits = 0, 0, True
        for total in range(1, 301):
            count += random.random() < 0.3
            # What the interval's ends are sought by, and a hundred times as quick.
            fits = log_evidence(count, total, 0.3, 0.05) < log(1 / 0.1)
            if not fits:
                left += 1
                break
        low, high = interval(count, total, 0.05, 0.1)
        assert (low <= 0.3 <= high) is fits
    assert 0 < left <= 0.1 * 300


def test_no_answers_exclude_nothing() -> None:
    assert interval(0, 0, 0.05, 0.01) == (0.0, 1.0)


@pytest.mark.parametrize("text", ["v1=50,v2=50", "v1=90", "v1=34,v2=33,v3=33"])
def test_a_share_is_refused_exactly_where_it_does_not_fit(text: str) -> None:
    of = rule(text)
    for v1 in range(0, 401, 7):
        for item in of.judgements(Tally({"v1": v1, "v2": 400 - v1}))[:-1]:
            low, high = item.interval
            assert (low <= item.claim.share <= high) is item.ok


def test_the_bounds_are_kept_at_all_times() -> None:
    """At most a of the runs of a right mesh ever look so bad, at most a of a wrong one so good."""
    random = Random(3)  # noqa: S311 - chance
    alarms = misses = 0
    for _ in range(400):
        alarms += _ever(random, 0.5, lambda k, n: log_evidence(k, n, 0.5, 0.05) >= log(1 / 0.1))
        misses += _ever(random, 0.55, lambda k, n: log_ratio(k, n, 0.55, 0.5) <= log(0.1))
    assert 0 < alarms <= 55  # 40 expected at most; 55 comes once in a hundred
    assert 0 < misses <= 55


def _ever(random: Random, real: float, happens: Callable[[int, int], bool]) -> bool:
    count = 0
    for total in range(1, 600):
        count += random.random() < real
        if happens(count, total):
            return True
    return False


def test_verdicts_that_share_an_error_rate_refuse_later_and_are_met_as_soon() -> None:
    alone, shared = rule("v1=50%,v2=50%"), rule("v1=50%,v2=50%", shared_by=200)
    assert shared.level == alone.level / 200
    skewed = [V1] * 60
    assert outcome(alone, skewed) is Outcome.NOT_MET
    assert outcome(shared, [V1] * 12 + [V2] * 8) is Outcome.INCONCLUSIVE
    assert shared.most > alone.most
    fair = [V1, V2] * (shared.most // 2)
    met_alone, met_shared = (measured(each, fair).decisive for each in (alone, shared))
    assert met_alone
    assert met_shared
    assert met_alone.total == met_shared.total
