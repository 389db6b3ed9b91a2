"""Names in requests, and selectors."""

from __future__ import annotations

import pytest

from meshdemo.rules import hosts


@pytest.mark.parametrize(
    "name",
    ["app", "App", "app.shop", "app.shop.svc", "app.shop.svc.cluster.local",
     "app.shop.svc.cluster.local."],
)  # fmt: skip
def test_a_request_may_shorten_a_name_where_a_rule_may_not(name: str) -> None:
    assert hosts.dialled(name, "shop") == "app.shop.svc.cluster.local"


def test_a_request_may_name_another_namespace() -> None:
    assert hosts.dialled("app.shop", "default") == "app.shop.svc.cluster.local"


@pytest.mark.parametrize(
    ("selector", "labels", "expected"),
    [
        ({"a": "1"}, {"a": "1", "b": "2"}, True),
        ({"a": "1", "b": "2"}, {"a": "1"}, False),
        ({"a": "1"}, {"a": "2"}, False),
        ({}, {"a": "1"}, False),
        (None, {"a": "1"}, False),
    ],
)
def test_a_selector_takes_pods_with_all_of_its_labels_and_none_takes_nothing(
    selector: dict[str, str] | None, labels: dict[str, str], *, expected: bool
) -> None:
    assert hosts.selects(selector, labels) is expected
