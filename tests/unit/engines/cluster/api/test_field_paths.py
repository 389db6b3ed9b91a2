"""Fields by the names that the server gives them."""

from __future__ import annotations

from typing import Any

import pytest

from meshdemo.engines.cluster.api import field_paths

DATA: dict[str, Any] = {
    "spec": {
        "colour": "blue",
        "containers": [{"name": "app", "size": 1, "image": "x"}],
        "ports": [{"port": 80, "protocol": "UDP"}, {"port": 80, "protocol": "TCP", "name": "http"}],
    }
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (".spec.colour", "blue"),
        ("spec.containers[0].image", "x"),
        ('.spec.containers[name="app"].size', 1),
        ('.spec.ports[port=80,protocol="TCP"].name', "http"),
        ("spec.containers[1].image", None),
        ("spec.colour.deeper", None),
    ],
)
def test_a_field_is_found_by_the_servers_name_of_it(text: str, value: object) -> None:
    assert field_paths.value(DATA, field_paths.read(text)) == value


def test_a_field_that_a_message_names_is_left_out_to_find_the_next() -> None:
    named = [
        field_paths.read(".spec.colour"),
        field_paths.read('.spec.containers[name="app"].size'),
    ]
    rest = field_paths.without(DATA, [*named, field_paths.read("spec.nowhere.at.all")])
    assert rest["spec"]["containers"] == [{"name": "app", "image": "x"}]
    assert "colour" not in rest["spec"]
    assert DATA["spec"]["colour"]


def test_a_value_is_replaced_in_a_copy() -> None:
    path = field_paths.read('spec.containers[name="app"].image')
    changed = field_paths.replaced(DATA, path, "y")
    assert field_paths.value(changed, path) == "y"
    assert field_paths.value(DATA, path) == "x"
