"""Sidecars beside one another: of two for the same pods one is followed, and that is said."""

from __future__ import annotations

from typing import Any

import pytest
from tests.objects import deployment, made

from meshdemo.rules.analysis import analyzer
from meshdemo.rules.analysis.inventory import Inventory

EGRESS = {"egress": [{"hosts": ["./*"]}]}


def selecting(**labels: str) -> dict[str, Any]:
    return {**EGRESS, "workloadSelector": {"labels": labels}}


@pytest.mark.parametrize(
    ("one", "other", "namespace", "code"),
    [
        (EGRESS, EGRESS, "shop", "IST0111"),
        (EGRESS, EGRESS, "elsewhere", ""),
        (EGRESS, selecting(app="app"), "shop", ""),
        (selecting(app="app"), selecting(app="app"), "shop", "IST0110"),
        (selecting(app="app"), selecting(version="v1"), "shop", "IST0110"),
        (selecting(app="app"), selecting(app="other"), "shop", ""),
        (selecting(app="none"), selecting(version="v1"), "shop", ""),
    ],
    ids=["for all", "elsewhere", "one selects", "same", "overlap", "apart", "no such pod"],
)
def test_what_holds_for_the_same_pods_is_warned_of(
    one: dict[str, Any], other: dict[str, Any], namespace: str, code: str
) -> None:
    given = made("Sidecar", "b", **one)
    there = [made("Sidecar", "a", namespace, **other), deployment(labels={"version": "v1"})]
    found = analyzer.warnings([given], Inventory.after([given], there, "now"))
    assert [problem.code for problem in found] == ([code] if code else [])
    assert all("Sidecar shop/a is followed" in problem.hint for problem in found)
