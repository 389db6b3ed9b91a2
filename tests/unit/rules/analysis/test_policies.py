"""What a traffic policy says in vain is named, with its place."""

from __future__ import annotations

from typing import Any

import pytest
from tests.objects import made

from meshdemo.objects.place import top
from meshdemo.rules.analysis.policies import policy_warnings

PRIORITY = {"loadBalancer": {"localityLbSetting": {"failoverPriority": ["version"]}}}


def said(policy: dict[str, Any]) -> list[str]:
    rule = made("DestinationRule", host="app", trafficPolicy=policy)
    return [warning.field for warning in policy_warnings(top(rule))]


@pytest.mark.parametrize(
    ("policy", "named"),
    [
        ({"outlierDetection": {"consecutiveErrors": 5}}, "consecutiveErrors"),
        ({"outlierDetection": {"consecutiveErrors": 0}}, ""),
        ({"outlierDetection": {"outlierDetectionHttpErrorCodes": [404]}}, "HttpErrorCodes"),
        (PRIORITY, "failoverPriority"),
        ({**PRIORITY, "outlierDetection": {}}, ""),
        ({"portLevelSettings": [{"port": {"number": 80}, **PRIORITY}]}, "failoverPriority"),
    ],
)
def test_what_has_no_effect_is_named(policy: dict[str, Any], named: str) -> None:
    found = said(policy)
    assert len(found) == bool(named)
    assert all(path.endswith(named) for path in found)


def test_a_subset_inherits_outlier_detection() -> None:
    policy: dict[str, Any] = {"outlierDetection": {}}
    subset = {"name": "v1", "trafficPolicy": PRIORITY}
    rule = made("DestinationRule", host="app", trafficPolicy=policy, subsets=[subset])
    assert not list(policy_warnings(top(rule)))
