"""A verdict as JUnit's XML, which every CI system can show."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from meshdemo.errors import EnvironmentFailed, UsageError
from meshdemo.verdict.judgement import Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from meshdemo.engines.results import Where
    from meshdemo.walkthrough.verify import Measured

_NO_NAME = re.compile(r"[^A-Za-z0-9_-]+")
_NO_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def require_writable(file: Path) -> None:
    """Refuse a file that cannot be written, before anything is measured. Raises UsageError."""
    if file.is_dir():
        raise UsageError(f"--junit: {file} is a folder", hint=f"As in {file / 'verdict.xml'}")
    if not file.parent.is_dir():
        hint = f"Make it: mkdir -p {shlex.quote(str(file.parent))}"
        raise UsageError(f"--junit: there is no folder {file.parent}", hint=hint)
    if not os.access(file if file.exists() else file.parent, os.W_OK):
        raise UsageError(f"--junit: you may not write {file}", hint="Name another file.")


def write_junit(file: Path, measured: Measured) -> None:
    """Write the verdict as a suite with one test case."""
    outcome = measured.verdict.outcome
    counts = {"failures": outcome is Outcome.NOT_MET, "errors": outcome is Outcome.INCONCLUSIVE}
    seconds = f"{measured.sample.seconds:.3f}"
    suite = ET.Element(
        "testsuite",
        {"name": "meshdemo verify", "tests": "1", "skipped": "0", "time": seconds}
        | {name: str(int(value)) for name, value in counts.items()},
    )
    properties = ET.SubElement(suite, "properties")
    where = measured.where
    for name, value in (
        ("engine", where.engine),
        ("context", where.context),
        ("namespace", where.namespace),
        ("requests", str(len(measured.sample.replies))),
    ):
        ET.SubElement(properties, "property", {"name": name, "value": _clean(value)})
    title = f"{measured.sample.request.url} {measured.expectation}"
    case = ET.SubElement(
        suite, "testcase", {"classname": _classname(where), "name": _clean(title), "time": seconds}
    )
    evidence = _clean("\n".join(measured.verdict.evidence))
    tag = {Outcome.NOT_MET: "failure", Outcome.INCONCLUSIVE: "error"}.get(outcome)
    if tag:
        ET.SubElement(case, tag, {"message": outcome.value}).text = evidence
    else:
        ET.SubElement(case, "system-out").text = evidence
    try:
        ET.ElementTree(suite).write(file, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise EnvironmentFailed(f"{file} cannot be written: {error.strerror}") from error


def _classname(where: Where) -> str:
    """Name the mesh as a class, for CI systems that group by the dots of it.

    A local mesh is not named by its folder, which is another one on each machine.
    """
    context = _NO_NAME.sub("_", where.context) if where.server else ""
    return ".".join(filter(None, ("meshdemo", where.engine, context, where.namespace)))


def _clean(text: str) -> str:
    """Leave out what XML cannot say; an app may answer anything."""
    return _NO_XML.sub("?", text)
