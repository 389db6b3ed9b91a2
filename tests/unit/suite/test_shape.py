"""The reader and the JSON Schema that editors use refuse the same files."""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdemo.objects.model import Object
from meshdemo.objects.place import top
from meshdemo.suite import shape

RIGHT: dict[str, Any] = {
    "apiVersion": "meshdemo.dev/v1",
    "kind": "RouteTest",
    "metadata": {"name": "shop", "namespace": "web", "labels": {"a": "b"}},
    "rules": ["rules/", "base/shop.yaml"],
    "live": False,
    "standIns": {
        "shop": [{"version": "v1", "replicas": 2, "delay": "1.5s", "labels": {"a": "b"}}],
        "cart": [{"status": 503, "failing": True}],
    },
    "tests": [
        {
            "name": "one",
            "request": {
                "url": "http://shop/",
                "method": "POST",
                "body": "x",
                "headers": {"x-user": "anna"},
                "from": {"app": "front", "namespace": "web", "labels": {"version": "v1"}},
            },
            "expect": {
                "version": "v2",
                "service": ["shop", "cart"],
                "status": [200, 201],
                "path": {"prefix": "/x"},
                "requestHeaders": {"x-env": ["a", {"regex": "b+"}], "x-debug": None},
                "responseHeaders": {"x-out": {"exact": "1"}},
                "seconds": [[0.5, 1], [2, 3]],
                "mirroredTo": "shadow",
                "body": ["a", "b"],
                "not": {"status": 503, "version": ["v1"], "seconds": [1, 2]},
            },
        },
        {
            "name": "two",
            "request": {
                "urls": ["http://shop/a"],
                "methods": ["GET"],
                "headers": [{}, {"a": "b"}],
                "from": {"gateway": "istio-system/gw"},
            },
            "expect": {"shares": {"v1": "90%", "503": 10}, "margin": 2.5},
        },
        {"name": "three", "expect": {"status": 301, "location": "/new"}},
    ],
    "coverage": {"failUnder": "85.5%"},
}
VALUES = st.sampled_from(
    [None, True, 0, 1, -1, 2.5, 700, "", "x", "v 1", "90%", "http://a/", [], ["x"], {}, {"x": "y"},
     [[1, 2]], [1, 2, 3], {"prefix": "a", "exact": "b"}, {"regex": ""}, [None]]
).map(copy.deepcopy)  # fmt: skip
# Each is a copy, for what was put into a document may be changed there.


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """List the ways to all values within one."""
    found = [path] if path else []
    inner = dict(enumerate(value)) if isinstance(value, list) else value
    for key, item in inner.items() if isinstance(inner, dict) else ():
        found += paths(item, (*path, key))
    return found


def both(data: Any) -> tuple[bool, bool]:
    """Tell whether the schema, and whether the reader refuses a document."""
    validator = jsonschema.Draft202012Validator(shape.schema())
    item = Object(data, "f", {})
    return not validator.is_valid(data), any(shape.problems(top(item)))


def test_the_schema_is_one_and_takes_what_is_right() -> None:
    jsonschema.Draft202012Validator.check_schema(shape.schema())
    assert both(RIGHT) == (False, False)


@given(st.data())
def test_both_refuse_the_same(data: st.DataObject) -> None:
    document = copy.deepcopy(RIGHT)
    for _ in range(data.draw(st.integers(1, 3))):
        *way, last = data.draw(st.sampled_from(paths(document)))
        place: Any = document
        for key in way:
            place = place[key]
        how = data.draw(st.sampled_from(["change", "remove", "add"]))
        if how == "change":
            place[last] = data.draw(VALUES)
        elif how == "remove":
            del place[last]
        elif isinstance(place, dict):
            place["unknown"] = data.draw(VALUES)
        if not paths(document):
            break
    by_schema, by_reader = both(document)
    assert by_schema == by_reader, json.dumps(document)


@pytest.mark.parametrize("keyword", ["oneOf", "maxLength"])
def test_a_keyword_that_is_not_read_is_seen(keyword: str) -> None:
    with pytest.raises(KeyError):
        list(shape.problems(top(Object({}, "f", {})), {"type": "object", keyword: []}))
