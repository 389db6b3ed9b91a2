"""What a stream shows: colour, width and bars."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdemo.report.bars import show_tally
from meshdemo.report.terminal import Terminal
from meshdemo.verdict.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Mapping


class Screen(io.StringIO):
    """A stream that may say it is a terminal."""

    encoding = "utf-8"

    def __init__(self, *, tty: bool) -> None:
        super().__init__()
        self.tty = tty

    def isatty(self) -> bool:
        return self.tty


@pytest.mark.parametrize(
    ("tty", "environment", "colour", "moves"),
    [
        (True, {}, True, True),
        (True, {"NO_COLOR": "1"}, False, False),
        (True, {"NO_COLOR": ""}, True, True),
        (True, {"TERM": "dumb"}, False, False),
        (False, {}, False, False),
        (False, {"FORCE_COLOR": "1"}, True, False),
        (False, {"FORCE_COLOR": ""}, False, False),
        (True, {"TERM": "dumb", "FORCE_COLOR": "1"}, True, False),
        (True, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, False),
    ],
)
def test_colour_is_where_it_is_wanted_and_nothing_moves_but_on_a_screen(
    tty: bool, environment: Mapping[str, str], colour: bool, moves: bool
) -> None:
    terminal = Terminal(Screen(tty=tty), environment)
    assert ("\x1b[" in terminal.paint("x", "green")) is colour
    spinner = terminal.spinner("it turns")
    if spinner:
        spinner.stop()
    assert bool(spinner) is moves


@pytest.mark.parametrize(
    ("tty", "columns", "width"),
    [(True, "80", 80), (True, "5", None), (True, "x", None), (False, "80", None)],
)
def test_only_a_terminal_has_a_width(tty: bool, columns: str, width: int | None) -> None:
    assert Terminal(Screen(tty=tty), {"COLUMNS": columns}).width == width


def bars(counts: dict[str, int], columns: str = "", **others: int) -> list[str]:
    screen = Screen(tty=bool(columns))
    show_tally(
        Terminal(screen, {"COLUMNS": columns, "NO_COLOR": "1"}), "all:", Tally(counts, others)
    )
    return screen.getvalue().splitlines()[1:]


@given(st.integers(0, 3000), st.integers(0, 3000), st.sampled_from(["", "60", "80"]))
def test_a_bar_tells_some_from_none_and_most_from_all(one: int, two: int, columns: str) -> None:
    for line, count in zip(bars({"v1": one, "v2": two}, columns), (one, two), strict=True):
        assert ("█" in line) is (count > 0)
        assert ("░" in line) is (count < one + two or count == 0)
        assert f" {count:,} " in line
        percent = line.split("  ")[-1].strip()
        assert (percent == "0.0 %") is (count == 0)
        assert (percent == "100.0 %") is (0 < count == one + two)


def test_a_bar_of_a_few_in_a_hundred_can_be_seen() -> None:
    v1, v2 = bars({"v1": 11, "v2": 989})
    assert v1.split()[1:] == ["█" + "░" * 39, "11", "1.1", "%"]
    assert v2.split()[1:] == ["█" * 39 + "░", "989", "98.9", "%"]


@pytest.mark.parametrize("columns", ["120", "80", "60"])
def test_bars_fit_beside_long_names(columns: str) -> None:
    name = "unknown answer '" + "x" * 25 + "'"
    lines = bars({"v1": 1_234}, columns, **{name: 5})
    assert all(len(line) <= int(columns) for line in lines)
    assert re.search(r"1,234\s+99\.6 %$", lines[0])
    assert ("█" in lines[0]) is (int(columns) > 60)


@pytest.mark.parametrize("begin", ["", "- "])
def test_the_lines_of_a_paragraph_begin_in_one_column(begin: str) -> None:
    screen = Screen(tty=True)
    Terminal(screen, {"COLUMNS": "40"}).paragraph(begin + " ".join(20 * ["requests"]))
    first, *others = screen.getvalue().splitlines()
    assert first.startswith(f"{begin}requests")
    assert others
    assert all(line.startswith(" " * len(begin) + "requests") for line in others)
