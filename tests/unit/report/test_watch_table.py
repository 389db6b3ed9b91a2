"""The table of what is counted, as watch shows it."""

from __future__ import annotations

import pytest

from meshdemo.report import watch_table


@pytest.mark.parametrize(
    ("lane", "said"),
    [
        ({"promised": 0.8, "low": 0.7512, "high": 0.91}, "of 80 %, 75.1 to 91.0 fit"),
        ({"promised": 0.8, "low": 0.8004, "high": 0.91}, "of 80 %, 80.04 to 91.00 fit"),
        ({"promised": 0.2, "low": 0.05, "high": 0.19996}, "of 20 %, 5.000 to 19.996 fit"),
        ({}, ""),
    ],
)
def test_a_promised_share_is_not_shown_within_an_interval_that_it_is_not_in(
    lane: dict[str, float], said: str
) -> None:
    assert watch_table._fit(lane) == said
