"""``testCases`` of getyourguide/istio-config-validator: what they say of rules, said of answers.

Source: its docs/test-cases.md, internal/pkg/parser/testcase.go and internal/pkg/unit. ``wantMatch``
holds for each expectation that is given: it must be what the rule says (true), or anything else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshdemo.objects.shapes import mismatch
from meshdemo.suite.others.converted import Converted
from meshdemo.suite.others.testcase import EXPECTED, TestCase

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from meshdemo.errors import Problem
    from meshdemo.objects.place import Place
    from meshdemo.suite.others.taking import KnownRules

KNOWN = ("description", "wantMatch", "request", *EXPECTED)
LISTS = ("authority", "method", "uri")


def is_mine(data: Mapping[str, Any]) -> bool:
    """Tell whether a document is one of its files."""
    return "testCases" in data


def convert(document: Place, known: KnownRules, problems: list[Problem]) -> Converted:
    """Write all test cases of a document; what is wrong with them goes to ``problems``."""
    found = Converted(known)
    cases = document["testCases"]
    if not isinstance(cases.value, list):
        problems.append(cases.problem(*mismatch("a list", cases.value)))
    for row in cases.rows:
        before = len(problems)
        problems += _shape_problems(row)
        if len(problems) == before:
            TestCase(row, found).convert()
    return found


def _shape_problems(case: Place) -> Iterator[Problem]:
    if not isinstance(case.value, dict):
        yield case.problem(*mismatch("a mapping", case.value))
        return
    for name, place in case.entries.items():
        if name not in KNOWN:
            yield place.problem("there is no such field", f"there are {', '.join(KNOWN)}")
        elif name in EXPECTED:
            kind, wanted = (list, "a list") if name == "route" else (dict, "a mapping")
            if not isinstance(place.value, kind):
                yield place.problem(*mismatch(wanted, place.value))
    if case["wantMatch"].there and not isinstance(case["wantMatch"].value, bool):
        yield case["wantMatch"].problem(*mismatch("a boolean", case["wantMatch"].value))
    yield from _request_problems(case["request"])


def _request_problems(request: Place) -> Iterator[Problem]:
    for name in LISTS:
        rows = request[name].rows
        if not rows or not all(row.is_text and row.text for row in rows):
            yield request[name].problem("a list with at least one text is wanted")
    for place in request["headers"].entries.values():
        if not place.is_text:
            yield place.problem(*mismatch("text", place.value))
