"""Label selectors, as kubectl reads them."""

from __future__ import annotations

import pytest

from meshdemo.errors import UsageError
from meshdemo.objects import selectors

LABELS = {"app": "shop", "version": "v1", "example.com/tier": ""}


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("", True), ("app=shop", True), ("app==shop", True), (" app = shop ", True),
        ("app=cart", False), ("app!=cart", True), ("app!=shop", False), ("other!=x", True),
        ("app=shop,version=v1", True), ("app=shop,version=v2", False), ("version", True),
        ("canary", False), ("!canary", True), ("!app", False), ("example.com/tier", True),
        ("example.com/tier=", True), ("version in (v1, v2)", True), ("version in (v2)", False),
        ("version notin (v2,v3)", True), ("version notin (v1),app", False),
        ("other notin (x)", True), ("in in (x)", False), ("app=", False),
    ],
)  # fmt: skip
def test_what_a_selector_selects(text: str, *, selected: bool) -> None:
    assert selectors.read(text).selects(LABELS) is selected


@pytest.mark.parametrize(
    "text", ["=", ",", "app=shop,", "app shop", "a=b=c", "app in v1", "app>1", "-a", "ä=b"]
)
def test_what_is_not_a_selector_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="not a valid label selector"):
        selectors.read(text)
