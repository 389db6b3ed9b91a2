"""Results of route tests as JUnit's XML: a suite a file, a case a request, with file and line."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from meshdemo.errors import EnvironmentFailed
from meshdemo.report.junit import clean
from meshdemo.verdict.judgement import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from meshdemo.suite.results import CaseResult, FileResult


def write(file: Path, results: Sequence[FileResult]) -> None:
    """Write all results into one file. Raises EnvironmentFailed."""
    suites = [_suite(result) for result in results]
    root = ET.Element("testsuites", {"name": "meshdemo test"})
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in suites)))
    root.extend(suites)
    try:
        ET.ElementTree(root).write(file, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise EnvironmentFailed(f"{file} cannot be written: {error.strerror}") from error


def _suite(result: FileResult) -> ET.Element:
    outcomes = [case.outcome for case in result.cases]
    suite = ET.Element(
        "testsuite",
        {
            "name": clean(result.file.name),
            "file": clean(result.file.path),
            "tests": str(len(outcomes)),
            "failures": str(outcomes.count(Outcome.NOT_MET)),
            "errors": str(outcomes.count(Outcome.INCONCLUSIVE)),
            "time": f"{result.seconds:.3f}",
        },
    )
    suite.extend(_case(result, case) for case in result.cases)
    return suite


def _case(result: FileResult, case: CaseResult) -> ET.Element:
    element = ET.Element(
        "testcase",
        {
            "classname": clean(result.file.name),
            "name": clean(case.name),
            "file": clean(result.file.path),
            "line": str(case.test.line),
            "time": f"{case.seconds:.3f}",
        },
    )
    if not case.ok:
        tag = "failure" if case.outcome is Outcome.NOT_MET else "error"
        message = clean(f"expected {case.expected}; got {case.got}")
        failure = ET.SubElement(element, tag, {"message": message})
        failure.text = clean("\n".join(_why(case)))
    return element


def _why(case: CaseResult) -> Iterator[str]:
    yield f"expected: {case.expected}"
    yield f"got: {case.got}"
    if case.cause:
        yield f"cause: {case.cause}"
    if case.fix:
        yield f"fix: {case.fix}"
    if case.place:
        yield f"rule: {case.place}"
