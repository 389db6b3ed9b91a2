"""Traffic policies: what a port or a subset changes, and what it replaces."""

from __future__ import annotations

from typing import Any

import pytest

from meshdemo.rules import traffic_policies
from meshdemo.rules.destination_rules import DestinationRule

POOL = {"tcp": {"maxConnections": 1}}
ROUND_ROBIN = {"simple": "ROUND_ROBIN"}
RANDOM = {"simple": "RANDOM"}
PASSTHROUGH = {"simple": "PASSTHROUGH"}


def _rule(policy: dict[str, Any] | None) -> DestinationRule:
    return DestinationRule("app", "default", "app", (), policy, None, frozenset())


def _on_port_80(**settings: object) -> dict[str, Any]:
    return {"portLevelSettings": [{"port": {"number": 80}, **settings}]}


@pytest.mark.parametrize(
    ("policy", "subset", "expected"),
    [
        (None, None, {}),
        ({"loadBalancer": RANDOM}, None, {"loadBalancer": RANDOM}),
        ({"loadBalancer": RANDOM}, {}, {"loadBalancer": RANDOM}),
        (
            {"loadBalancer": RANDOM, "connectionPool": POOL},
            {"trafficPolicy": {"loadBalancer": ROUND_ROBIN}},
            {"loadBalancer": ROUND_ROBIN, "connectionPool": POOL},
        ),
        (
            {"connectionPool": POOL, **_on_port_80(loadBalancer=RANDOM)},
            None,
            {"loadBalancer": RANDOM},
        ),
        (
            {"connectionPool": POOL},
            {"trafficPolicy": _on_port_80(loadBalancer=RANDOM)},
            {"loadBalancer": RANDOM},
        ),
    ],
    ids=[
        "none",
        "of the rule",
        "a subset without one inherits",
        "a subset overrides field by field",
        "a port's settings replace all",
        "a port's settings in a subset replace all",
    ],
)
def test_the_effective_policy(
    policy: dict[str, Any] | None, subset: dict[str, Any] | None, expected: dict[str, Any]
) -> None:
    found = traffic_policies.effective(_rule(policy), 80, subset)
    found.pop("portLevelSettings", None)
    assert found == expected


@pytest.mark.parametrize(
    ("policy", "subset", "expected"),
    [
        (None, None, False),
        ({"loadBalancer": PASSTHROUGH}, None, True),
        ({"loadBalancer": PASSTHROUGH}, {"trafficPolicy": {"loadBalancer": RANDOM}}, True),
        ({"loadBalancer": RANDOM}, {"trafficPolicy": {"loadBalancer": PASSTHROUGH}}, True),
        (_on_port_80(loadBalancer=PASSTHROUGH), None, True),
        ({"loadBalancer": PASSTHROUGH, **_on_port_80(loadBalancer=RANDOM)}, None, False),
    ],
)
def test_a_subset_cannot_undo_passthrough(
    policy: dict[str, Any] | None,
    subset: dict[str, Any] | None,
    expected: bool,
) -> None:
    assert traffic_policies.passes_through(_rule(policy), 80, subset) is expected
