"""Files of others, read as they are and written as RouteTests.

    istio_config_validator.py   ``testCases`` of getyourguide/istio-config-validator ...
    testcase.py                 ... and one of them
    router_check.py             ``tests`` of Envoy's router_check_tool
    taking.py                   which rule takes a request, and who answers for its destinations
    mock.py                     which rule istio-config-validator takes in its place

What they check is what a rule says; what a RouteTest checks is what comes back. Where the one does
not follow from the other, a remark says so.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from meshdemo.objects import repository
from meshdemo.objects.model import Object
from meshdemo.objects.place import top
from meshdemo.suite.model import API_VERSION, DEFAULT_NAMESPACE, KIND
from meshdemo.suite.others import istio_config_validator, router_check
from meshdemo.suite.others.taking import KnownRules

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meshdemo.errors import Problem
    from meshdemo.objects.documents import Document, FieldPath
    from meshdemo.objects.repository import Repository
    from meshdemo.suite.others.converted import Converted

FORMATS = (istio_config_validator, router_check)
NEEDS_RULES = "name the rules: --rules PATH"


class Written(Struct, frozen=True):
    """A document of others as a RouteTest."""

    item: Object
    """The RouteTest; a line of it is that of what it was made from."""
    rules: Repository
    """What it is about."""
    remarks: tuple[Problem, ...] = ()
    """Where it says less, or something else, than the document of others."""


def is_other(data: Any) -> bool:  # noqa: ANN401 - YAML is any data
    """Tell whether a document is one of others' tests."""
    return _format(data) is not None


class Rules:
    """The rules that tests of others are about, read once: standard input has no second time."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = tuple(paths)

    @cached_property
    def read(self) -> Repository:
        return repository.read(self.paths, DEFAULT_NAMESPACE)


def write(document: Document, file: str, rules: Rules, problems: list[Problem]) -> Written | None:
    """Write a document of others as a RouteTest; what is wrong with it goes to ``problems``."""
    kind = _format(document.data)
    assert kind is not None  # noqa: S101 - for the type checker: the caller has asked
    own = Object(document.data, file, document.lines)
    if not rules.paths:
        problems.append(own.problem("it names no rules", hint=NEEDS_RULES))
        return None
    problems += rules.read.problems
    known = KnownRules(rules.read.objects, DEFAULT_NAMESPACE)
    before = len(problems)
    found = kind.convert(top(own), known, problems)
    if len(problems) > before:
        return None
    data, lines = _route_test(file, found)
    return Written(Object(data, file, lines), rules.read, found.remarks)


def _format(data: Any) -> Any:  # noqa: ANN401 - YAML is any data, and a module has no better type
    if not isinstance(data, dict) or "kind" in data:
        return None
    return next((each for each in FORMATS if each.is_mine(data)), None)


def _route_test(file: str, found: Converted) -> tuple[dict[str, Any], Mapping[FieldPath, int]]:
    lines: dict[FieldPath, int] = {(): 1}
    for number, (_, line) in enumerate(found.tests):
        lines["tests", number] = line
    data: dict[str, Any] = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": _name(file)},
    }
    if found.stand_ins:
        data["standIns"] = {
            host: [{"version": version} for version in versions]
            for host, versions in sorted(found.stand_ins.items())
        }
    data["tests"] = [test for test, _ in found.tests]
    return data, lines


def _name(file: str) -> str:
    return file.rpartition("/")[2].partition(".")[0] or "tests"
