"""The report of ``meshdemo lint``: a line for each finding, as compilers write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from meshdemo.errors import ExitCode
from meshdemo.report import Report
from meshdemo.report.documents import problem_document
from meshdemo.system.plural import counted
from meshdemo.walkthrough.lint import ERROR

if TYPE_CHECKING:
    from meshdemo.report.github import Told
    from meshdemo.report.terminal import Terminal
    from meshdemo.walkthrough.lint import Finding, Linted


def linted(result: Linted, *, strict: bool) -> Report:
    """Report what was found; an error is exit code 2, and with ``strict`` a warning as well."""

    def show(terminal: Terminal) -> None:
        for finding in result.findings:
            _show(terminal, finding)
        for note in result.notes:
            terminal.advise(f"note: {note}")
        terminal.line(_summary(result))

    def told() -> Told:
        from meshdemo.report import github_results  # noqa: PLC0415 - for GitHub alone

        return github_results.linted(result, strict=strict)

    wrong = result.errors or (strict and result.warnings)
    return Report(
        _document(result),
        show,
        ExitCode.BAD_INPUT if wrong else ExitCode.OK,
        told,
    )


def _show(terminal: Terminal, finding: Finding) -> None:
    problem = finding.problem
    said = str(replace(problem, file="", line=0))
    severity = terminal.paint(finding.severity, "red" if finding.severity == ERROR else "yellow")
    terminal.advise(": ".join(part for part in (problem.place, severity, said) if part))


def _summary(result: Linted) -> str:
    found = f"{counted(result.errors, 'error')}, {counted(result.warnings, 'warning')}"
    where = f"{counted(result.objects, 'object')} of {counted(result.files, 'file')}"
    asked = f"; Envoy {result.envoy} was asked" if result.envoy else ""
    return f"{found} in {where}{asked}"


def _document(result: Linted) -> dict[str, Any]:
    return {
        "findings": [
            {"severity": each.severity, "by": each.by, **problem_document(each.problem)}
            for each in result.findings
        ],
        "errors": result.errors,
        "warnings": result.warnings,
        "objects": result.objects,
        "files": result.files,
        "envoy": result.envoy or None,
        "notes": [{"message": note} for note in result.notes],
    }
