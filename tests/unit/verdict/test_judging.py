"""A fixed sample, judged by exact tests."""

from __future__ import annotations

import re
from fractions import Fraction
from math import comb
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshdemo.verdict import evidence, expectation, judging
from meshdemo.verdict.expectation import ERROR
from meshdemo.verdict.fixed import FixedSample
from meshdemo.verdict.judgement import Outcome
from meshdemo.verdict.precision import DEFAULT_PRECISION
from meshdemo.verdict.tally import Tally

if TYPE_CHECKING:
    from meshdemo.verdict.judgement import Judgement
    from meshdemo.verdict.judging import Verdict


def judge(
    text: str,
    versions: dict[str, int],
    others: dict[str, int] | None = None,
    *,
    complete: bool = True,
) -> Verdict:
    tally = Tally(versions, others or {})
    rule = FixedSample(expectation.parse(text), DEFAULT_PRECISION, tally.total)
    return judging.judge(rule, tally, complete=complete)


@pytest.mark.parametrize(
    ("text", "versions", "others", "outcome"),
    [
        pytest.param("v2=100", {"v1": 0, "v2": 459}, {}, "met", id="all right"),
        pytest.param("v2=100", {"v1": 1, "v2": 458}, {}, "not met", id="one from another version"),
        pytest.param("v2=100", {"v2": 458}, {"HTTP 503": 1}, "not met", id="one error"),
        pytest.param(
            "v2=100", {"v2": 99_999}, {"unknown answer 'x'": 1}, "not met", id="one unknown"
        ),
        pytest.param("v1=0", {"v1": 0, "v2": 459}, {}, "met", id="none of it"),
        pytest.param("v1=0", {"v1": 1, "v2": 458}, {}, "not met", id="one of it"),
        pytest.param(
            "v1=0", {"v1": 0, "v2": 458}, {"HTTP 503": 1}, "not met", id="no rest for errors"
        ),
        pytest.param("v1=50,v2=50", {"v1": 503, "v2": 497}, {}, "met", id="even split"),
        pytest.param("v1=50,v2=50", {"v1": 456, "v2": 544}, {}, "met", id="just even"),
        pytest.param("v1=50,v2=50", {"v1": 455, "v2": 545}, {}, "not met", id="just uneven"),
        pytest.param(
            "v1=50,v2=50", {"v1": 500, "v2": 499}, {"HTTP 503": 1}, "not met", id="one failed"
        ),
        pytest.param(
            "v1=50,v2=50", {"v1": 500, "v2": 499, "v3": 1}, {}, "not met", id="a third one"
        ),
        pytest.param(
            "v1=50", {"v1": 500, "v2": 300, "v3": 200}, {}, "met", id="the rest is anyone's"
        ),
        pytest.param(
            "v1=50", {"v1": 500, "v2": 499}, {"HTTP 503": 1}, "not met", id="but no error's"
        ),
        pytest.param("v1=50,v2=0", {"v1": 500, "v2": 1, "v3": 499}, {}, "not met", id="nor v2's"),
        pytest.param("v1=90,v2=10", {"v1": 900, "v2": 100}, {}, "met", id="canary"),
        pytest.param("v1=90,v2=10", {"v1": 1000, "v2": 0}, {}, "not met", id="canary not reached"),
        pytest.param("v9=100", {"v1": 459}, {}, "not met", id="a version that is not there"),
    ],
)
def test_a_complete_measurement_is_met_or_not(
    text: str, versions: dict[str, int], others: dict[str, int], outcome: str
) -> None:
    assert judge(text, versions, others).outcome.value == outcome


@pytest.mark.parametrize(
    ("versions", "complete"),
    [
        pytest.param({"v1": 0, "v2": 100}, False, id="all well so far"),
        pytest.param({"v1": 100, "v2": 0}, False, id="all wrong so far"),
        pytest.param({"v1": 0, "v2": 0}, False, id="nothing"),
        pytest.param({"v1": 0, "v2": 0}, True, id="nothing wanted"),
    ],
)
def test_an_incomplete_measurement_is_inconclusive(
    versions: dict[str, int], *, complete: bool
) -> None:
    found = judge("v2=100", versions, complete=complete)
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.hidden_share is None


def test_a_mesh_that_answers_steadily_wrong_is_not_met() -> None:
    assert judge("v2=100", {"v1": 0, "v2": 0}, {"HTTP 503": 459}).outcome is Outcome.NOT_MET


def test_the_judgements_name_each_version_and_the_rest() -> None:
    found = judge("v1=50,v2=50", {"v1": 510, "v2": 489, "v3": 0}, {"HTTP 503": 1})
    assert [item.claim.name for item in found.judgements] == ["v1", "v2", "v3", ERROR]
    assert [item.ok for item in found.judgements] == [True, True, True, False]
    assert [item.claim.exact for item in found.judgements] == [False, False, True, True]
    assert (found.judgements[0].low, found.judgements[0].high) == (456, 544)
    assert found.judgements[0].share == 0.51
    assert (found.judgements[3].low, found.judgements[3].high) == (0, 0)


def test_error_rates_are_stated_where_there_are_any() -> None:
    exact = judge("v2=100", {"v2": 459})
    split = judge("v1=50,v2=50", {"v1": 500, "v2": 500})
    assert (exact.false_alarm, split.false_alarm) == (0, 0.01)
    assert exact.hidden_share == pytest.approx(0.00998, abs=1e-5)
    assert split.hidden_share is None


@pytest.mark.parametrize(
    ("found", "sentences"),
    [
        pytest.param(
            judge("v2=100", {"v1": 0, "v2": 459}),
            [
                "v2: 459 of 459 answers",
                "a hidden share of 1 % would have shown with 99 % confidence",
            ],
            id="exact, met",
        ),
        pytest.param(
            judge("v1=50,v2=50", {"v1": 503, "v2": 497}),
            ["v1: 503 of 1,000 answers, 50.3 %", "a real 45 to 55 % would fit"],
            id="split, met",
        ),
        pytest.param(
            judge("v1=50,v2=50", {"v1": 603, "v2": 397}),
            ["60.3 % where 50 % is expected", "a real 55 to 65 % would fit", "at most 1 %"],
            id="split, not met",
        ),
        pytest.param(
            judge("v2=100", {"v2": 99_999}, {"HTTP 503": 1}),
            ["v2: 99,999 of 100,000 answers, 99.999 %", "(1 HTTP 503)"],
            id="one of many is not rounded away",
        ),
        pytest.param(
            judge("v2=100", {"v2": 1}, {f"HTTP {500 + n}": n for n in range(1, 6)}),
            ["(5 HTTP 505, 4 HTTP 504, 3 HTTP 503, 2 more kinds)"],
            id="the most frequent errors",
        ),
        pytest.param(
            judge("error=100", {"v2": 40}),
            ["error: 0 of 40 answers, 0 % where 100 % is expected\n"],
            id="errors that did not come",
        ),
        pytest.param(
            judge("v2=100", {"v2": 120}, complete=False), ["120 answers came back"], id="broken off"
        ),
    ],
)
def test_the_evidence_says_what_was_counted_and_what_it_proves(
    found: Verdict, sentences: list[str]
) -> None:
    evidence = "\n".join(found.evidence)
    for sentence in sentences:
        assert sentence in evidence


@given(st.integers(1, 200_000), st.data())
def test_what_is_printed_as_fitting_is_no_less_than_what_fits(
    total: int, data: st.DataObject
) -> None:
    count = data.draw(st.integers(0, total))
    found = judge("v1=50", {"v1": count, "v2": total - count}).judgements[0]
    said = evidence.interval_text(found.interval)
    assert not said.startswith("-")
    low, high = (float(x) for x in said.removesuffix(" %").split(" to "))
    assert low <= 100 * found.interval[0] <= 100 * count / total <= 100 * found.interval[1] <= high


SHARES = ["50", "90", "80", "34", "33.3", "12.345", "1", "0.05", "99.9"]
LIKELY = st.integers(1, 5_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def printed(judgement: Judgement) -> tuple[float, float, float]:
    """Read the expected share and the ends of the interval from the sentence."""
    said = evidence.share_sentence(judgement)
    found = re.search(r"where (\S+) % is expected; a real (\S+) to (\S+) % would fit", said)
    assert found, said
    expected, low, high = map(float, found.groups())
    return low, expected, high


@given(st.sampled_from(SHARES), LIKELY, st.sampled_from([None, 1]))
@example("80", (1_000, 1_173), None)
def test_the_expected_share_is_printed_within_the_interval_just_if_it_is_not_refused(
    share: str, counts: tuple[int, int], requests: int | None
) -> None:
    count, total = counts
    rule = judging.rule_for(expectation.parse(f"v1={share}%"), requests=requests and total)
    judgement = rule.judgements(Tally({"v1": count, "v2": total - count}))[0]
    low, expected, high = printed(judgement)
    assert (low <= expected <= high) is judgement.ok


@pytest.mark.parametrize("requests", [None, 1])
def test_where_counting_stops_the_interval_shows_why(requests: int | None) -> None:
    """The counts just within the bounds and just beyond them, where rounding would hide it."""
    for share in map(Fraction, ("4/5", "1/2", "1/3", "2/3", "1/7", "1/3000", "99/100")):
        for total in (20, 160, 460, 2_000, 4_598):
            asked = expectation.Expectation.of({"v1": share, "v2": 1 - share})
            rule = judging.rule_for(asked, requests=requests and total)
            bounds = rule.judgements(Tally({"v1": 0, "v2": total}))[0]
            edges = {bounds.low - 1, bounds.low, bounds.high, bounds.high + 1}
            for count in sorted(edges & set(range(total + 1))):
                judgement = rule.judgements(Tally({"v1": count, "v2": total - count}))[0]
                low, expected, high = printed(judgement)
                assert (low <= expected <= high) is judgement.ok, judgement


@given(
    st.sampled_from(["v1=50,v2=50", "v1=34,v2=33,v3=33", "v2=100", "v1=90"]),
    st.tuples(st.integers(1, 500), st.integers(0, 500), st.integers(0, 5)),
)
def test_what_fits_meanwhile_is_what_a_verdict_says_fits(
    expected: str, counts: tuple[int, int, int]
) -> None:
    rule = judging.rule_for(expectation.parse(expected))
    tally = Tally({"v1": counts[0], "v2": counts[1]}, {"HTTP 503": counts[2]})
    judged = {each.claim.name: each.interval for each in rule.judgements(tally)}
    assert judging.fitting(rule, tally) == judged


@given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 5))
def test_the_outcome_is_that_of_the_judgements(v1: int, v2: int, errors: int) -> None:
    found = judge("v1=50,v2=50", {"v1": v1, "v2": v2}, {"HTTP 503": errors} if errors else {})
    if v1 + v2 + errors:
        assert (found.outcome is Outcome.NOT_MET) != all(item.ok for item in found.judgements)
        blind = any((item.low, item.high) == (0, item.claim.total) for item in found.judgements[:2])
        assert (found.outcome is Outcome.MET) <= (not blind)
    assert all((item.p_value >= 0.005) == item.ok for item in found.judgements)


@pytest.mark.parametrize(("total", "outcome"), [(8, Outcome.INCONCLUSIVE), (9, Outcome.MET)])
def test_what_no_count_could_refute_is_not_met_but_inconclusive(
    total: int, outcome: Outcome
) -> None:
    found = judge("v1=50,v2=50", {"v1": 4, "v2": total - 4})
    assert found.outcome is outcome
    assert ("send more with --requests" in found.evidence[-1]) is (outcome is Outcome.INCONCLUSIVE)
    wrong = judge("v1=50,v2=50", {"v1": 1}, {"HTTP 503": 1})
    assert wrong.outcome is Outcome.NOT_MET


@pytest.mark.parametrize("share", ["1/2", "9/10", "1/3", "1/100"])
@pytest.mark.parametrize("n", [1, 10, 100, 1000])
def test_a_mesh_that_keeps_a_split_of_two_is_refused_at_most_once_in_a_hundred_runs(
    n: int, share: str
) -> None:
    first = Fraction(share)
    asked = expectation.Expectation.of({"v1": first, "v2": 1 - first})
    passing = list(range(n + 1))
    rule = FixedSample(asked, DEFAULT_PRECISION, n)
    for item in rule.judgements(Tally({"v1": n, "v2": 0}))[:2]:
        accepted = range(item.low, item.high + 1)
        passing = [k for k in passing if (k if item.claim.name == "v1" else n - k) in accepted]
    kept = sum(comb(n, k) * first**k * (1 - first) ** (n - k) for k in passing)
    assert 1 - kept <= Fraction(1, 100)


def test_a_mesh_that_keeps_a_split_of_three_is_refused_at_most_once_in_a_hundred_runs() -> None:
    n, shares = 24, {"v1": Fraction(6, 10), "v2": Fraction(3, 10), "v3": Fraction(1, 10)}
    rule = FixedSample(expectation.Expectation.of(shares), DEFAULT_PRECISION, n)
    refused = Fraction(0)
    for a in range(n + 1):
        for b in range(n + 1 - a):
            counts = {"v1": a, "v2": b, "v3": n - a - b}
            if judging.judge(rule, Tally(counts)).outcome is Outcome.NOT_MET:
                ways = comb(n, a) * comb(n - a, b)
                chance = Fraction(ways)
                for version, count in counts.items():
                    chance *= shares[version] ** count
                refused += chance
    assert 0 < refused <= Fraction(1, 100)
