from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdemo.errors import InputError
from meshdemo.verdict import expectation
from meshdemo.verdict.expectation import Expectation, Split

VERSIONS = st.from_regex(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,8}[A-Za-z0-9])?", fullmatch=True)


def problems_of(error: pytest.ExceptionInfo[InputError]) -> str:
    return "\n".join(str(problem) for problem in error.value.problems)


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        pytest.param("v2=100%", {"v2": 100}, id="one version"),
        pytest.param("v2=100", {"v2": 100}, id="a bare number is per cent"),
        pytest.param("v1=50%,v2=50%", {"v1": 50, "v2": 50}, id="two versions"),
        pytest.param(["v1=50%", "v2=50%"], {"v1": 50, "v2": 50}, id="repeated option"),
        pytest.param(["v1=50%,v2=20", "v3=30%"], {"v1": 50, "v2": 20, "v3": 30}, id="both forms"),
        pytest.param(" v1 = 50 % , v2=50 ", {"v1": 50, "v2": 50}, id="blanks"),
        pytest.param("v1=.5,v2=99.", {"v1": "0.5", "v2": 99}, id="decimals without a digit"),
        pytest.param("a=33.3,b=33.3,c=33.4", {"a": "33.3", "b": "33.3", "c": "33.4"}, id="thirds"),
        pytest.param("v1=0", {"v1": 0}, id="nothing"),
        pytest.param("v1=30%", {"v1": 30}, id="under 100"),
        pytest.param("1.2.3_rc-1=100", {"1.2.3_rc-1": 100}, id="any label value"),
    ],
)
def test_shares_are_read_exactly(text: str | list[str], shares: dict[str, int | str]) -> None:
    wanted = {version: Fraction(share) / 100 for version, share in shares.items()}
    assert dict(expectation.parse(text).shares) == wanted


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", ["version"], id="empty"),
        pytest.param([], ["no version is named"], id="nothing at all"),
        pytest.param("v1=60%,v2=60%", ["sum to 120 %"], id="over 100 together"),
        pytest.param("a=33.4,b=33.4,c=33.4", ["sum to 100.2 %"], id="a little over 100"),
        pytest.param("v1=101%", ["'v1=101%'", "over 100 %"], id="over 100 alone"),
        pytest.param("v1=50%,v1=50%", ["v1 is a duplicate"], id="twice"),
        pytest.param(["v1=50%", "v1=50%"], ["v1 is a duplicate"], id="twice in two options"),
        pytest.param(
            "v1=x,v1=50%", ["'x' is not a percentage", "v1 is a duplicate"], id="twice and bad"
        ),
        pytest.param("v1=-5%", ["-5% is negative"], id="negative"),
        pytest.param("v1=half", ["'half' is not a percentage"], id="no number"),
        pytest.param("v1=nan", ["'nan' is not a percentage"], id="not a number"),
        pytest.param("v1=1e2", ["'1e2' is not a percentage"], id="exponent"),
        pytest.param("v1=1/3", ["'1/3' is not a percentage"], id="fraction"),
        pytest.param("v1=٣", ["'٣' is not a percentage"], id="digits of another script"),
        pytest.param("v1=50%%", ["'50%%' is not a percentage"], id="two signs"),
        pytest.param("v1=" + "9" * 5000, ["is not a percentage"], id="endless digits"),
        pytest.param("v1=", ["no number for v1"], id="no share"),
        pytest.param("v1", ["no number for v1"], id="no equals sign"),
        pytest.param("=50%", ["a version is"], id="no version"),
        pytest.param("v1=50%,", ["a version is"], id="a comma too many"),
        pytest.param("-v1=50%", ["a version is"], id="bad first character"),
        pytest.param("v 1=50%", ["a version is"], id="blank in the version"),
        pytest.param("v" * 64 + "=50%", ["a version is"], id="too long a version"),
        pytest.param("v1=x,v2=60,v3=60", ["'x' is no", "sum to 120 %"], id="all at once"),
    ],
)
def test_what_makes_no_sense_is_refused_with_an_example(
    text: str | list[str], words: list[str]
) -> None:
    with pytest.raises(InputError) as error:
        expectation.parse(text)
    for word in words:
        assert word in problems_of(error)
    assert expectation.EXAMPLE in error.value.hint


def test_a_version_has_at_most_63_characters() -> None:
    assert expectation.parse("v" * 63 + "=100").versions == ("v" * 63,)


@pytest.mark.parametrize(
    ("text", "rest", "exact"),
    [("v1=100", 0, True), ("v1=0", 1, True), ("v1=0,v2=100", 0, True), ("v1=50", "1/2", False)],
)
def test_an_expectation_knows_its_rest_and_whether_one_answer_decides(
    text: str, rest: int | str, *, exact: bool
) -> None:
    parsed = expectation.parse(text)
    assert (parsed.rest, parsed.is_exact) == (Fraction(rest), exact)


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (Fraction(1, 2), "50"),
        (Fraction(1), "100"),
        (Fraction(0), "0"),
        (Fraction(1, 1000), "0.1"),
        (Fraction(3, 8), "37.5"),
        (Fraction(1, 3), "33.33"),
        (Fraction(2, 3), "66.67"),
        (Fraction(1, 30_000), "0"),
    ],
)
def test_per_cent_are_exact_or_have_two_decimals(share: Fraction, text: str) -> None:
    assert expectation.percent(share) == text


@given(st.dictionaries(VERSIONS, st.decimals(0, 20, places=3), min_size=1, max_size=5))
def test_the_text_of_an_expectation_reads_back_as_the_same(shares: dict[str, object]) -> None:
    wanted = Expectation.of({v: Fraction(str(share)) / 100 for v, share in shares.items()})
    assert expectation.parse(str(wanted)) == wanted


@given(st.text(alphabet="v12=%,. -5\n", max_size=30))
def test_any_text_gives_an_expectation_or_an_input_error(text: str) -> None:
    try:
        parsed = expectation.parse(text)
    except InputError:
        return
    assert 0 <= parsed.rest <= 1


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        pytest.param(["v2"], {"v2": 100}, id="all to one"),
        pytest.param(["v1=90", "v2=10"], {"v1": 90, "v2": 10}, id="weights"),
        pytest.param(["v1=90%,v2=10%"], {"v1": 90, "v2": 10}, id="per cent"),
        pytest.param("v1=90%,v2=10%", {"v1": 90, "v2": 10}, id="one text"),
        pytest.param(["v1=1", "v2=3"], {"v1": 1, "v2": 3}, id="in proportion"),
        pytest.param(["v1=0", "v2=1"], {"v1": 0, "v2": 1}, id="nothing to one"),
        pytest.param(["v2=100%"], {"v2": 100}, id="one with all"),
    ],
)
def test_a_split_is_weights(text: str | list[str], weights: dict[str, int]) -> None:
    assert expectation.parse_split(text) == Split(tuple(weights.items()))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param([], "no version is named", id="nothing"),
        pytest.param(["v1", "v2"], "no number for v1", id="two without weights"),
        pytest.param(["v1=90%", "v2=20%"], "sum to 110 %", id="per cent over 100"),
        pytest.param(["v1=40%", "v2=20%"], "sum to 60 %", id="per cent under 100"),
        pytest.param(["v1=90%", "v2=10"], "some numbers have a %", id="mixed"),
        pytest.param(["v1=0", "v2=0"], "all weights are 0", id="no weight at all"),
        pytest.param(["v1=90"], "v1 alone", id="the others are missing"),
        pytest.param(["v1=33.3%", "v2=66.7%"], "not a whole number", id="decimals"),
        pytest.param(["v1=-1", "v2=2"], "-1 is negative", id="negative"),
        pytest.param(["v1=1", "v1=2"], "v1 is a duplicate", id="twice"),
        pytest.param(["v1=1000001", "v2=2"], "over 1,000,000", id="too heavy"),
    ],
)
def test_a_split_that_makes_no_sense_is_refused(text: list[str], words: str) -> None:
    with pytest.raises(InputError) as error:
        expectation.parse_split(text)
    assert words in problems_of(error)
    assert expectation.SPLIT_EXAMPLE in error.value.hint


def test_a_split_promises_its_proportions() -> None:
    split = expectation.parse_split("v1=1,v2=3,v3=0")
    assert str(split.expectation) == "v1=25%,v2=75%,v3=0%"
    assert split.expectation.rest == 0
    assert split.versions == ("v1", "v2", "v3")
    assert str(split) == "v1=1,v2=3,v3=0"
