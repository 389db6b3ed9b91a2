"""What GitHub is told of each kind of result: what failed first, the most specific place first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from meshdemo.errors import InputError, Problem
from meshdemo.report.github import ERROR, NOTICE, WARNING, Annotation, Table, Told
from meshdemo.suite.coverage import Coverage
from meshdemo.system.plural import counted
from meshdemo.verdict.evidence import share_sentence
from meshdemo.verdict.expectation import outcome_text, percent
from meshdemo.verdict.judgement import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from meshdemo.errors import MeshdemoError
    from meshdemo.suite.coverage import Part
    from meshdemo.suite.results import CaseResult, FileResult
    from meshdemo.walkthrough.lint import Finding, Linted
    from meshdemo.walkthrough.verify import Measured

SIGNS = {Outcome.MET: "✔", Outcome.NOT_MET: "✘"}
LEVELS = {Outcome.NOT_MET: ERROR, Outcome.INCONCLUSIVE: WARNING}
UNDECIDED = "?"


# --- route tests ---------------------------------------------------------------------------------


def tested(results: Sequence[FileResult], fail_under: float | None) -> Told:
    """Tell what came of route tests."""
    cases = [(result, case) for result in results for case in result.cases]
    failed = [each for each in cases if each[1].outcome is Outcome.NOT_MET]
    open_ = [each for each in cases if each[1].outcome is Outcome.INCONCLUSIVE]
    right = [each for each in cases if each[1].ok]
    said = [f"{len(right):,} ok"]
    said += [f"{len(failed):,} failed"] if failed else []
    said += [f"{len(open_):,} inconclusive"] if open_ else []
    whole = Coverage.union(result.coverage for result in results)
    short = [result for result in results if not result.is_covered]
    too_little = bool(short) or (fail_under is not None and whole.percent < fail_under)
    sign = "✘" if failed or too_little else UNDECIDED if open_ else "✔"
    annotations = [_of_case(case) for _, case in [*failed, *open_]]
    annotations += [_uncovered(result) for result in short]
    untouched = whole.untouched
    if too_little:
        annotations += [_untouched(part) for part in untouched]
    return Told(
        f"{sign} meshdemo test: {', '.join(said)} of {counted(len(cases), 'test')}",
        annotations,
        (
            Table(
                ("", "test", "expected", "got", "cause", "rule"),
                [_row(result, case) for result, case in [*failed, *open_]],
            ),
            Table(
                ("rule, match or destination", "field", "place"),
                [
                    (f"{part.kind} of {part.item.title}", part.field, _place(part))
                    for part in untouched
                ],
                f"{len(untouched):,} not touched by any test",
                folded=not too_little,
            ),
            Table(
                ("", "test", "requests", "seconds"),
                [
                    ("✔", _name(result, case), f"{case.requests:,}", f"{case.seconds:.2f}")
                    for result, case in right
                ],
                f"{len(right):,} ok",
                folded=True,
            ),
        ),
        _coverage(whole, results, fail_under),
    )


def _coverage(
    whole: Coverage, results: Sequence[FileResult], fail_under: float | None
) -> tuple[str, ...]:
    if not whole.parts:
        return ()
    wanted = [f"{fail_under:g} % is wanted"] if fail_under is not None else []
    wanted += [
        f"{result.file.path} wants {result.file.fail_under:g} % and has "
        f"{result.coverage.percent:.0f} %"
        for result in results
        if not result.is_covered and result.file.fail_under is not None
    ]
    parts = f"{whole.count:,} of {len(whole.parts):,} rules, matches and destinations"
    return ("; ".join([f"Coverage {whole.percent:.0f} %: {parts}", *wanted]),)


def _of_case(case: CaseResult) -> Annotation:
    """Remark on the rule that decided, which is where it is mended; else on the test."""
    said = [f"expected: {case.expected}", f"got: {case.got}"]
    said += [f"cause: {case.cause}"] if case.cause else []
    said += [f"fix: {case.fix}"] if case.fix else []
    place = case.place if case.place and case.place.file else None
    return Annotation(
        LEVELS[case.outcome],
        f"route test: {case.name}",
        "\n".join(said),
        place.file if place else "",
        place.line if place else 0,
    )


def _uncovered(result: FileResult) -> Annotation:
    item = result.file.item
    line = item.line("coverage", "failUnder") if item else 0
    said = (
        f"{result.coverage.percent:.0f} % is touched, {result.file.fail_under or 0:g} % is wanted"
    )
    return Annotation(ERROR, "coverage", said, result.file.path, line)


def _untouched(part: Part) -> Annotation:
    said = f"no test touches this {part.kind}: {part.item.title} {part.field}"
    return Annotation(NOTICE, "coverage", said, part.file, part.line)


def _row(result: FileResult, case: CaseResult) -> tuple[str | Problem, ...]:
    rule: str | Problem = case.place if case.place and case.place.file else ""
    why = "\n".join(filter(None, (case.cause, f"fix: {case.fix}" if case.fix else "")))
    sign = SIGNS.get(case.outcome, UNDECIDED)
    return sign, _name(result, case), case.expected, case.got, why, rule


def _name(result: FileResult, case: CaseResult) -> str:
    return f"{case.name}\n{result.file.path}:{case.test.line}"


def _place(part: Part) -> Problem:
    return Problem("", part.file, part.line)


# --- rules in files ------------------------------------------------------------------------------


def linted(result: Linted, *, strict: bool) -> Told:
    """Tell what lint found; a warning is an error where it counts as one."""
    findings = sorted(result.findings, key=lambda each: each.severity != ERROR)
    is_wrong = result.errors or (strict and result.warnings)
    found = f"{counted(result.errors, 'error')}, {counted(result.warnings, 'warning')}"
    where = f"{counted(result.objects, 'object')} of {counted(result.files, 'file')}"
    return Told(
        f"{'✘' if is_wrong else '✔'} meshdemo lint: {found} in {where}",
        [_of_finding(each, strict=strict) for each in findings],
        (
            Table(
                ("", "what", "about", "place"),
                [
                    (each.severity, _bare(each.problem), _about(each.problem), each.problem)
                    for each in findings
                ],
            ),
        ),
        tuple(f"Note: {note}" for note in result.notes),
    )


def _of_finding(finding: Finding, *, strict: bool) -> Annotation:
    problem = finding.problem
    title = " ".join(filter(None, (f"meshdemo lint ({finding.by})", problem.code)))
    level = ERROR if strict or finding.severity == ERROR else WARNING
    return _of_problem(problem, level, title)


def _of_problem(problem: Problem, level: str, title: str) -> Annotation:
    about = _about(problem)
    message = f"{about}: {_bare(problem)}" if about else _bare(problem)
    return Annotation(level, title, message, problem.file, problem.line)


def _bare(problem: Problem) -> str:
    """Say what is wrong, without where."""
    return str(replace(problem, file="", line=0, subject="", field=""))


def _about(problem: Problem) -> str:
    return " ".join(filter(None, (problem.subject, problem.field)))


# --- a verdict -----------------------------------------------------------------------------------


def verified(measured: Measured) -> Told:
    """Tell a verdict: each share, and the causes if it is not met."""
    verdict = measured.verdict
    outcome = verdict.outcome
    judgements = sorted(verdict.judgements, key=lambda each: each.outcome is Outcome.MET)
    return Told(
        f"{SIGNS.get(outcome, UNDECIDED)} meshdemo verify: {measured.expectation}: {outcome.value}",
        list(_of_verdict(measured)),
        (
            Table(
                ("cause", "evidence", "fix", "place"),
                [
                    (
                        f"{'' if cause.verified else '(a guess) '}{cause.message}",
                        "\n".join(cause.evidence),
                        cause.fix,
                        cause.place if cause.place.file else _about(cause.place),
                    )
                    for cause in measured.causes
                ],
            ),
            Table(
                ("", "expected", "counted"),
                [
                    (
                        SIGNS.get(each.outcome, UNDECIDED),
                        f"{outcome_text(each.claim.name)}={percent(each.claim.share)}%",
                        share_sentence(each),
                    )
                    for each in judgements
                ],
            ),
        ),
        (f"{measured.sample.request.title}, {counted(measured.tally.total, 'answer')}",),
    )


def _of_verdict(measured: Measured) -> Iterator[Annotation]:
    outcome = measured.verdict.outcome
    if outcome is Outcome.MET:
        return
    title = f"meshdemo verify: {measured.expectation}: {outcome.value}"
    for cause in measured.causes:
        said = [f"cause: {'' if cause.verified else '(a guess) '}{cause.message}", *cause.evidence]
        said.append(f"fix: {cause.fix}")
        place = cause.place
        yield Annotation(LEVELS[outcome], title, "\n".join(said), place.file, place.line)
    if not measured.causes:
        yield Annotation(LEVELS[outcome], title, "\n".join(measured.verdict.evidence))


# --- an error ------------------------------------------------------------------------------------


def failed(command: str, error: MeshdemoError) -> Told:
    """Tell why there is no result: each problem at its place."""
    problems: Iterable[Problem] = error.problems if isinstance(error, InputError) else ()
    title = f"meshdemo {command}: {error.message}"
    found = [_of_problem(each, ERROR, title) for each in problems]
    said = tuple(filter(None, (error.hint,)))
    if not found:
        found = [Annotation(ERROR, f"meshdemo {command}", "\n".join((error.message, *said)))]
    rows = [(_bare(each), _about(each), each) for each in problems]
    return Told(f"✘ {title}", found, (Table(("what", "about", "place"), rows),), said)
