"""The report of ``test``: a line a test, and of those that failed all that helps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshdemo.errors import ExitCode
from meshdemo.report import Report, explanation
from meshdemo.report.documents import problem_document
from meshdemo.suite.coverage import Coverage
from meshdemo.suite.others import converting
from meshdemo.system.files import write
from meshdemo.system.plural import counted
from meshdemo.verdict.judgement import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from meshdemo.report.github import Told
    from meshdemo.report.terminal import Terminal
    from meshdemo.suite.coverage import Part
    from meshdemo.suite.model import TestFile
    from meshdemo.suite.results import CaseResult, FileResult
    from meshdemo.walkthrough.explain import Explained

EXIT_CODES = {
    Outcome.MET: ExitCode.OK,
    Outcome.NOT_MET: ExitCode.NOT_MET,
    Outcome.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
}
MARKS = {Outcome.MET: ("✔", "green"), Outcome.NOT_MET: ("✘", "red")}
UNDECIDED = ("?", "yellow")
MOST_UNTOUCHED = 20
"""How many untouched parts of a file are listed for a person; JSON has all."""


def tested(results: Sequence[FileResult], fail_under: float | None = None) -> Report:
    """Report what came of route tests; ``fail_under`` is the least coverage of them together."""
    found = code(results, fail_under)

    def show(terminal: Terminal) -> None:
        _show(terminal, results)
        whole = Coverage.union(result.coverage for result in results)
        if fail_under is not None and whole.percent < fail_under:
            said = f"coverage {whole.percent:.0f} % in all, and {fail_under:g} % is wanted"
            terminal.advise(terminal.paint(said, "red"))

    def told() -> Told:
        from meshdemo.report import github_results  # noqa: PLC0415 - for GitHub alone

        return github_results.tested(results, fail_under)

    return Report(_document(results, found), show, found, told)


def converted(files: Sequence[TestFile], path: Path) -> Report:
    """Write files of others as route tests, and report what these do not say any more."""
    write(path, converting.text(files, path.parent), mode=0o644)
    remarks = [remark for file in files for remark in file.remarks]

    def show(terminal: Terminal) -> None:
        for remark in remarks:
            terminal.advise(str(remark))
        terminal.line(f"{path} created")

    data = {
        "files": [{"path": str(path), "action": "created"}],
        "remarks": [problem_document(remark) for remark in remarks],
    }
    return Report(data, show)


def code(results: Sequence[FileResult], fail_under: float | None = None) -> ExitCode:
    """Say what the whole comes to: not met as soon as one test is contradicted."""
    outcomes = {result.outcome for result in results}
    whole = Coverage.union(result.coverage for result in results)
    if fail_under is not None and whole.percent < fail_under:
        outcomes.add(Outcome.NOT_MET)
    order = (Outcome.NOT_MET, Outcome.INCONCLUSIVE)
    return EXIT_CODES[next((each for each in order if each in outcomes), Outcome.MET)]


# --- for programs --------------------------------------------------------------------------------


def _document(results: Sequence[FileResult], found: ExitCode) -> dict[str, Any]:
    whole = Coverage.union(result.coverage for result in results)
    outcomes = [case.outcome for result in results for case in result.cases]
    return {
        "ok": found == ExitCode.OK,
        "tests": [_case_document(result, case) for result in results for case in result.cases],
        "counts": {
            "tests": len(outcomes),
            "ok": outcomes.count(Outcome.MET),
            "failed": outcomes.count(Outcome.NOT_MET),
            "inconclusive": outcomes.count(Outcome.INCONCLUSIVE),
        },
        "coverage": {
            "percent": round(whole.percent, 2),
            "total": len(whole.parts),
            "touched": whole.count,
            "untouched": [_part_document(part) for part in whole.untouched],
        },
        "suites": [_file_document(result) for result in results],
    }


def _case_document(result: FileResult, case: CaseResult) -> dict[str, Any]:
    place = case.place
    return {
        "name": case.name,
        "ok": case.ok,
        "outcome": case.outcome.value,
        "expected": case.expected,
        "got": case.got,
        "cause": case.cause or None,
        "fix": case.fix or None,
        "place": {
            "file": place.file or None,
            "line": place.line or None,
            "object": place.subject or None,
            "field": place.field or None,
        }
        if place
        else None,
        "suite": result.file.name,
        "file": result.file.path,
        "line": case.test.line,
        "request": {
            "url": case.sent.request.url,
            "method": case.sent.request.method,
            "headers": [{"name": n, "value": v} for n, v in case.sent.request.headers],
            "from": str(case.sent.source or "") or None,
        },
        "requests": case.requests,
        "seconds": round(case.seconds, 6),
        "explain": _explained(case.explained) if case.explained else None,
    }


def _explained(found: Explained) -> dict[str, Any]:
    """Give what ``explain -o json`` has of its own."""
    return explanation.explained(found).data


def _part_document(part: Part) -> dict[str, Any]:
    return {
        "kind": part.kind,
        "object": part.item.title,
        "field": part.field,
        "file": part.file or None,
        "line": part.line or None,
    }


def _file_document(result: FileResult) -> dict[str, Any]:
    return {
        "file": result.file.path,
        "name": result.file.name,
        "outcome": result.outcome.value,
        "coverage": round(result.coverage.percent, 2),
        "failUnder": result.file.fail_under,
        "madeUp": list(result.made_up),
        "leftOut": list(result.left_out),
        "notes": list(result.notes),
        "remarks": [problem_document(each) for each in result.file.remarks],
        "seconds": round(result.seconds, 6),
    }


# --- for people ----------------------------------------------------------------------------------


def _show(terminal: Terminal, results: Sequence[FileResult]) -> None:
    for result in results:
        terminal.advise(terminal.paint(f"{result.file.path} ({result.file.name})", "bold"))
        if result.made_up:
            terminal.advise(f"  made up, as the files have none: {', '.join(result.made_up)}")
        for note in _notes(result):
            terminal.advise(f"  {note}")
        for case in result.cases:
            show_case(terminal, case)
        _show_coverage(terminal, result)
    cases = [case for result in results for case in result.cases]
    failed = sum(case.outcome is Outcome.NOT_MET for case in cases)
    undecided = sum(case.outcome is Outcome.INCONCLUSIVE for case in cases)
    seconds = sum(result.seconds for result in results)
    said = [f"{len(cases) - failed - undecided:,} ok"]
    said += [terminal.paint(f"{failed:,} failed", "red")] if failed else []
    said += [terminal.paint(f"{undecided:,} inconclusive", "yellow")] if undecided else []
    terminal.line(f"{counted(len(cases), 'test')}: {', '.join(said)} in {seconds:.2f} s")


def _notes(result: FileResult) -> Iterator[str]:
    if result.left_out:
        yield f"not tested, left out: {', '.join(result.left_out)}"
    yield from result.notes
    yield from map(str, result.file.remarks)


def show_case(terminal: Terminal, case: CaseResult) -> None:
    """Show a test; of one that failed all that helps."""
    mark, style = MARKS.get(case.outcome, UNDECIDED)
    many = f" ({case.requests:,} requests)" if case.requests > 1 else ""
    terminal.advise(f"  {terminal.paint(mark, style)} {case.name}{many}")
    if case.ok:
        return
    terminal.advise(f"      expected: {case.expected}")
    terminal.advise(f"      got:      {case.got}")
    if case.cause:
        terminal.advise(f"      cause:    {case.cause}")
    if case.fix:
        terminal.advise(f"      fix:      {case.fix}")
    if case.place and case.place.file:
        field = f" ({case.place.subject} {case.place.field})"
        terminal.advise(f"      rule:     {case.place.file}:{case.place.line}{field}")
    if case.explained:
        with terminal.indented("      "):
            explanation.explained(case.explained).show(terminal)


def _show_coverage(terminal: Terminal, result: FileResult) -> None:
    coverage = result.coverage
    if not coverage.parts:
        return
    text = (
        f"  coverage {coverage.percent:.0f} %: {coverage.count} of "
        f"{len(coverage.parts)} rules, matches and destinations"
    )
    under = result.file.fail_under
    if not result.is_covered:
        text = terminal.paint(f"{text}, and {under:g} % is wanted", "red")
    terminal.advise(text)
    untouched = coverage.untouched
    for part in untouched[:MOST_UNTOUCHED]:
        place = f"{part.file}:{part.line}" if part.file else part.item.title
        terminal.advise(f"    not touched: {place}: {part.kind} {part.item.name} {part.field}")
    if len(untouched) > MOST_UNTOUCHED:
        terminal.advise(f"    and {len(untouched) - MOST_UNTOUCHED} more")
