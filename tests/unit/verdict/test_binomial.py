from __future__ import annotations

import time
from fractions import Fraction
from itertools import accumulate
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdemo.verdict.binomial import Binomial

SHARES = st.fractions(Fraction(1, 1000), Fraction(999, 1000), max_denominator=1000)


def exact_p_values(n: int, share: Fraction) -> list[float]:
    """Add up the definition for each count in whole numbers: nothing is rounded before the end."""
    yes, no = share.numerator, share.denominator - share.numerator
    ways = [comb(n, k) * yes**k * no ** (n - k) for k in range(n + 1)]
    # A probability that is higher by one in ten million still counts as equal.
    sums = [sum(w for w in ways if 10**7 * w <= (10**7 + 1) * limit) for limit in ways]
    return [each / share.denominator**n for each in sums]


@given(st.integers(1, 60), SHARES, st.data())
def test_the_p_value_is_the_exact_sum_over_all_counts_no_likelier(
    n: int, share: Fraction, data: st.DataObject
) -> None:
    count = data.draw(st.integers(0, n))
    wanted = exact_p_values(n, share)[count]
    assert Binomial(n, share).p_value(count) == pytest.approx(wanted, rel=1e-9)


@given(st.integers(1, 60), SHARES, st.sampled_from([0.01, 0.005, 0.01 / 3, 0.5]))
def test_accepted_are_exactly_the_counts_whose_p_value_reaches_the_level(
    n: int, share: Fraction, level: float
) -> None:
    low, high = Binomial(n, share).accepted(level)
    passing = [k for k, p_value in enumerate(exact_p_values(n, share)) if p_value >= level]
    assert passing == list(range(low, high + 1))


@pytest.mark.parametrize(
    ("count", "n", "share", "p_value"),
    [
        # The example of R's own manual page of binom.test (Mendel's peas): 0.3825.
        pytest.param(682, 925, "3/4", 0.3824915595748517, id="manual page"),
        # The others were computed with scipy.stats.binomtest, which uses the same definition.
        pytest.param(7, 20, "3/10", 0.6294979666766769, id="few"),
        pytest.param(3, 1000, "1/100", 0.023905236502022795, id="rare"),
        pytest.param(930, 1000, "9/10", 0.0010686941498739087, id="frequent"),
        pytest.param(455, 1000, "1/2", 0.00486173639187413, id="half"),
        pytest.param(32_916, 100_000, "1/3", 0.005099445097765746, id="a third of 100,000"),
        pytest.param(99_159, 1_000_000, "1/10", 0.005031602897145115, id="a tenth of a million"),
        pytest.param(498_595, 1_000_000, "1/2", 0.004969539760885002, id="half of a million"),
    ],
)
def test_p_values_are_those_of_other_programs(
    count: int, n: int, share: str, p_value: float
) -> None:
    assert Binomial(n, Fraction(share)).p_value(count) == pytest.approx(p_value, rel=1e-7)


@given(st.integers(1, 10**6), SHARES, st.data())
def test_any_size_gives_a_probability_and_a_region_around_the_likeliest_count(
    n: int, share: Fraction, data: st.DataObject
) -> None:
    binomial = Binomial(n, share)
    count = data.draw(st.integers(0, n))
    low, high = binomial.accepted(0.005)
    assert 0 <= low <= binomial.mode <= high <= n
    assert 0 <= binomial.p_value(count) <= 1
    assert (binomial.p_value(count) >= 0.005) == (low <= count <= high)


@given(st.integers(1, 10_000), SHARES, st.data())
def test_both_sides_of_a_question_have_the_same_answer(
    n: int, share: Fraction, data: st.DataObject
) -> None:
    count = data.draw(st.integers(0, n))
    mirrored = Binomial(n, 1 - share).p_value(n - count)
    assert Binomial(n, share).p_value(count) == pytest.approx(mirrored, rel=1e-6, abs=1e-300)


@pytest.mark.parametrize("n", [101, 1000])
def test_equally_likely_counts_on_both_sides_count_as_such_in_spite_of_rounding(n: int) -> None:
    binomial = Binomial(n, Fraction(1, 2))
    one_side = accumulate(comb(n, k) for k in range(n // 2))
    for count, ways in enumerate(one_side):
        assert binomial.p_value(count) == pytest.approx(2 * (ways / 2**n), rel=1e-9)


def test_a_hundred_thousand_requests_are_judged_in_no_time() -> None:
    began = time.process_time()
    assert Binomial(100_000, Fraction(1, 2)).accepted(0.005) == (49_556, 50_444)
    assert time.process_time() - began < 0.05
