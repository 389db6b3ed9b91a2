"""The reports that end in a verdict: ``verify`` and ``up``."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from meshdemo.errors import ExitCode
from meshdemo.language import said
from meshdemo.report import Report, speaking
from meshdemo.report.bars import show_tally
from meshdemo.report.documents import change_document, verdict_document
from meshdemo.verdict import evidence
from meshdemo.verdict.judgement import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshdemo.diagnosis.cause import Cause
    from meshdemo.report.github import Told
    from meshdemo.report.terminal import Terminal
    from meshdemo.walkthrough.up import Up
    from meshdemo.walkthrough.verify import Measured

EXIT_CODES = {
    Outcome.MET: ExitCode.OK,
    Outcome.NOT_MET: ExitCode.NOT_MET,
    Outcome.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
}
_STYLES = {Outcome.MET: "green", Outcome.NOT_MET: "red", Outcome.INCONCLUSIVE: "yellow"}
NEXT_STEPS = (
    ("meshdemo route v1=90 v2=10", "a canary: every tenth request goes to v2"),
    ("meshdemo verify", "prove what the rules promise"),
    ("meshdemo exec -- curl http://app/env/version", "be the test client yourself"),
)


def own_next_steps(url: str) -> tuple[tuple[str, str], ...]:
    """Say what to try next with an app of the user's."""
    return (
        ("meshdemo status", "the pods, the services, and the rules in words"),
        ("meshdemo verify", "prove again what the rules promise"),
        (f"meshdemo exec -- curl {shlex.quote(url)}", "be the test client yourself"),
    )


def verified(measured: Measured, **more: Any) -> Report:  # noqa: ANN401 - JSON is any data
    """Report a verdict."""

    def told() -> Told:
        from meshdemo.report import github_results  # noqa: PLC0415 - for GitHub alone

        return github_results.verified(measured)

    return Report(
        {**verdict_document(measured), **more},
        lambda terminal: _show_verdict(terminal, measured),
        EXIT_CODES[measured.verdict.outcome],
        told,
    )


def up_done(result: Up, watched: Mapping[str, Any]) -> Report:
    """Report the end of the walkthrough, and three commands to try next."""
    data = {**watched, "changes": [change_document(item) for item in result.changes]}
    measured = result.measured

    def show(terminal: Terminal) -> None:
        if measured is not None:
            _show_verdict(terminal, measured)
            terminal.line()
            terminal.line("Try next:")
            url = measured.sample.request.url
            terminal.commands_to_try(own_next_steps(url) if result.own else NEXT_STEPS)

    if measured is None:
        return Report(data, show)
    return Report(
        {**data, **verdict_document(measured)}, show, EXIT_CODES[measured.verdict.outcome]
    )


def _show_verdict(terminal: Terminal, measured: Measured) -> None:
    verdict, where = measured.verdict, measured.where
    sample = measured.sample
    title: str = sample.request.title
    if measured.sender:
        title = said("{request} from {pod}", request=title, pod=measured.sender)
    show_tally(
        terminal,
        said(
            "{request}, {answers} in {seconds:.2f} s:",
            request=title,
            answers=evidence.answers(measured.tally.total),
            seconds=sample.seconds,
        ),
        measured.tally,
    )
    word = terminal.paint(verdict.outcome.value, _STYLES[verdict.outcome])
    source = ", as the rules promise" if measured.promised else ""
    # The local engine's place is the state directory, which the first line of all has named.
    context = where.context if where.server else ""
    place = ", ".join(
        filter(None, (f"{where.engine} engine", context, f"namespace {where.namespace}"))
    )
    terminal.advise(
        f"{terminal.paint('expectation', 'bold')} {measured.expectation}{source}: {word} ({place})"
    )
    with terminal.indented("  "):
        for sentence in verdict.evidence:
            terminal.advise(sentence)
    for cause in measured.causes:
        _show_cause(terminal, cause)


def _show_cause(terminal: Terminal, cause: Cause) -> None:
    place = speaking.of_problem(cause.place)
    shown = said("cause: {place}", place=place)
    if not cause.verified:
        shown = said("cause: (a guess) {place}", place=place)
    terminal.advise(shown)
    with terminal.indented("  "):
        for sentence in cause.evidence:
            terminal.advise(sentence)
        terminal.advise(said("fix: {fix}", fix=cause.fix))
