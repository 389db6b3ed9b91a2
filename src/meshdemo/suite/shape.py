"""The shape of a RouteTest file, by the JSON Schema that editors use: so both refuse the same.

Read is what ``route-test.schema.json`` needs of JSON Schema 2020-12 and no more; a keyword that
is not known here is a mistake in that file, and raises KeyError.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from meshdemo.objects.shapes import mismatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from meshdemo.errors import Problem
    from meshdemo.objects.place import Place

FILE = Path(__file__).with_name("route-test.schema.json")
WORDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "a boolean",
    "null": "null",
}
LEAVES_OUT = frozenset({"$schema", "$id", "$defs", "title", "description"})


@cache
def schema() -> dict[str, Any]:
    """Give the schema as data."""
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def problems(place: Place, rule: dict[str, Any] | None = None) -> Iterator[Problem]:
    """Say where a value has another shape than the schema, or the part of it that is given."""
    rule = _resolved(schema() if rule is None else rule)
    if alternatives := rule.get("anyOf"):
        yield from _of_any(place, [_resolved(each) for each in alternatives], rule["title"])
        return
    kind = rule.get("type")
    if kind and not _is(place.value, kind):
        message, hint = mismatch(WORDS[kind], place.value)
        yield place.problem(message, hint)
        return
    for keyword, wanted in rule.items():
        if keyword not in LEAVES_OUT and keyword != "type":
            yield from _KEYWORDS[keyword](place, wanted, rule)


def _resolved(rule: dict[str, Any]) -> dict[str, Any]:
    """Follow a ``$ref`` within the schema; what stands beside it is said of this place alone."""
    while "$ref" in rule:
        rule = schema()["$defs"][rule["$ref"].removeprefix("#/$defs/")]
    return rule


def _of_any(place: Place, alternatives: list[dict[str, Any]], title: str) -> Iterator[Problem]:
    """Judge by the alternative that is meant: the only one of the value's own type."""
    if any(not list(problems(place, each)) for each in alternatives):
        return
    meant = [each for each in _flat(alternatives) if _is(place.value, each["type"])]
    if len(meant) == 1:
        yield from problems(place, meant[0])
        return
    message, _ = mismatch(title, place.value)
    takes_text = any(each["type"] == "string" for each in _flat(alternatives))
    hint = mismatch(WORDS["string"], place.value)[1] if takes_text else ""
    yield place.problem(message, hint)


def _flat(alternatives: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give the alternatives with those within them."""
    found = []
    for each in alternatives:
        inner = _resolved(each)
        found += _flat(inner["anyOf"]) if "anyOf" in inner else [inner]
    return found


def _is(value: Any, kind: str) -> bool:  # noqa: ANN401 - YAML is any data
    if isinstance(value, bool) or value is None:
        return kind == ("null" if value is None else "boolean")
    kinds: dict[str, Any] = {
        "object": dict,
        "array": list,
        "string": str,
        "integer": int,
        "number": (int, float),
    }
    return kind in kinds and isinstance(value, kinds[kind])


Json = dict[str, Any]


def _properties(place: Place, wanted: Json, rule: Json) -> Iterator[Problem]:
    for name, below in wanted.items():
        if name in place.value:
            yield from problems(place[name], below)
    if rule.get("additionalProperties") is False:
        for name in place.value:
            if name not in wanted:
                known = ", ".join(wanted)
                yield place[name].problem("there is no such field", f"there are {known}")


def _additional(place: Place, wanted: Any, rule: Json) -> Iterator[Problem]:  # noqa: ANN401 - a schema or False
    known = rule.get("properties", {})
    for name in place.value if wanted else ():
        if name not in known:
            yield from problems(place[name], wanted)


def _required(place: Place, wanted: list[str], _rule: Json) -> Iterator[Problem]:
    for name in wanted:
        if name not in place.value:
            yield place.problem(f"the field {name} is missing")


def _items(place: Place, wanted: Json, _rule: Json) -> Iterator[Problem]:
    for row in place.rows:
        yield from problems(row, wanted)


def _const(place: Place, wanted: str, _rule: Json) -> Iterator[Problem]:
    if place.value != wanted:
        yield place.problem(f'"{wanted}" is wanted, not "{place.value}"')


def _pattern(place: Place, wanted: str, _rule: Json) -> Iterator[Problem]:
    if not re.search(wanted, place.value):
        yield place.problem(f'"{place.value}" is not of the form {wanted}')


def _least(place: Place, wanted: float, _rule: Json) -> Iterator[Problem]:
    if place.value < wanted:
        yield place.problem(f"{place.value} is less than {wanted}")


def _most(place: Place, wanted: float, _rule: Json) -> Iterator[Problem]:
    if place.value > wanted:
        yield place.problem(f"{place.value} is more than {wanted}")


def _not_empty(place: Place, wanted: int, _rule: Json) -> Iterator[Problem]:
    if len(place.value) < wanted:
        yield place.problem("it is empty" if not place.value else f"{wanted} are wanted")


def _not_longer(place: Place, wanted: int, _rule: Json) -> Iterator[Problem]:
    if len(place.value) > wanted:
        yield place.problem(f"no more than {wanted} is wanted")


_KEYWORDS: dict[str, Callable[[Place, Any, Json], Iterator[Problem]]] = {
    "properties": _properties,
    "additionalProperties": _additional,
    "required": _required,
    "items": _items,
    "const": _const,
    "pattern": _pattern,
    "minimum": _least,
    "maximum": _most,
    "minItems": _not_empty,
    "minLength": _not_empty,
    "minProperties": _not_empty,
    "maxItems": _not_longer,
    "maxProperties": _not_longer,
}
