"""A verdict as JUnit's XML, which every CI system can show."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from meshdemo.errors import EnvironmentFailed
from meshdemo.verdict.evidence import share_sentence
from meshdemo.verdict.expectation import outcome_text, percent
from meshdemo.verdict.judgement import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from meshdemo.engines.results import Where
    from meshdemo.verdict.judgement import Judgement
    from meshdemo.walkthrough.verify import Measured

_NO_NAME = re.compile(r"[^A-Za-z0-9_-]+")
_NO_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_junit(file: Path, measured: Measured) -> None:
    """Write the verdict as a suite with a test case for each share, and one for errors."""
    seconds = f"{measured.sample.seconds:.3f}"
    cases = [_case(item, measured) for item in measured.verdict.judgements]
    tags = [child.tag for case in cases for child in case]
    counts = {
        "tests": len(cases),
        "failures": tags.count("failure"),
        "errors": tags.count("error"),
        "skipped": tags.count("skipped"),
    }
    suite = ET.Element(
        "testsuite",
        {"name": "meshdemo verify", "time": seconds}
        | {name: str(value) for name, value in counts.items()},
    )
    properties = ET.SubElement(suite, "properties")
    where = measured.where
    for name, value in (
        ("engine", where.engine),
        ("context", where.context),
        ("namespace", where.namespace),
        ("requests", str(len(measured.sample.replies))),
    ):
        ET.SubElement(properties, "property", {"name": name, "value": clean(value)})
    suite.extend(cases)
    try:
        ET.ElementTree(suite).write(file, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise EnvironmentFailed(f"{file} cannot be written: {error.strerror}") from error


def _case(item: Judgement, measured: Measured) -> ET.Element:
    """Write what is judged of one outcome; what failed says why, and in which file and line."""
    verdict, sample = measured.verdict, measured.sample
    decides = sample.complete and not sample.disturbed and verdict.total
    outcome = item.outcome if decides else Outcome.INCONCLUSIVE
    share = f"{outcome_text(item.claim.name)}={percent(item.claim.share)}%"
    case = ET.Element(
        "testcase",
        {
            "classname": _classname(measured.where),
            "name": clean(f"{sample.request.url} {share}"),
            "time": f"{sample.seconds:.3f}",
        },
    )
    if outcome is Outcome.MET:
        ET.SubElement(case, "system-out").text = clean(share_sentence(item))
    elif outcome is Outcome.INCONCLUSIVE and verdict.outcome is Outcome.NOT_MET:
        # Another share has decided, so no more requests were sent for this one.
        message = "not decided: another share is not met"
        ET.SubElement(case, "skipped", {"message": message}).text = clean(share_sentence(item))
    else:
        tag = "failure" if outcome is Outcome.NOT_MET else "error"
        text = clean("\n".join(_why(measured)))
        ET.SubElement(case, tag, {"message": outcome.value}).text = text
        _place(case, measured)
    return case


def _why(measured: Measured) -> Iterator[str]:
    yield from measured.verdict.evidence
    for cause in measured.causes:
        yield f"cause: {'' if cause.verified else '(a guess) '}{cause.place}"
        yield from cause.evidence
        yield f"fix: {cause.fix}"


def _place(case: ET.Element, measured: Measured) -> None:
    """Name the file and line of the first cause that has them, as CI systems read them."""
    place = next((cause.place for cause in measured.causes if cause.place.file), None)
    if place:
        case.set("file", clean(place.file))
        if place.line:
            case.set("line", str(place.line))


def _classname(where: Where) -> str:
    """Name the mesh as a class, for CI systems that group by the dots of it.

    A local mesh is not named by its folder, which is another one on each machine.
    """
    context = _NO_NAME.sub("_", where.context) if where.server else ""
    return ".".join(filter(None, ("meshdemo", where.engine, context, where.namespace)))


def clean(text: str) -> str:
    """Leave out what XML cannot say; an app may answer anything."""
    return _NO_XML.sub("?", text)
