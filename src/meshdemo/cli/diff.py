"""``meshdemo diff``: what a change of rules changes for requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from meshdemo.cli.invocation import chosen, engine_for, read_settings
from meshdemo.report import Report

if TYPE_CHECKING:
    from meshdemo.objects.model import Object

STATE = "files or a folder, a git revision of them as HEAD~1:rules/, or live"


def diff(
    ctx: typer.Context,
    old: Annotated[str, typer.Argument(metavar="OLD", help=f"The rules before: {STATE}.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The rules after: the same.")],
    exit_code: Annotated[
        bool,
        typer.Option("--exit-code", help="Exit with 1 if something changes or may, as git diff."),
    ] = False,
) -> Report:
    """Say what changes for requests between two states of the rules.

    Requests are derived from the matches of both, and sent to both: each gets a private mesh of
    real Envoys for the moment, with stand-ins for all pods. What changes is told with file and line
    of the rules. Timeouts, retries, faults and copies are told by what the rules say. Where rules
    differ and no request shows what that does, that is said, too.

    live is what is applied now, on either engine; files are then taken as if they were applied on
    top. Nothing is changed anywhere.

    Exit code 0, whatever changes; with --exit-code 1 if something does, or may.

    Examples:
        meshdemo diff HEAD~1:rules/ rules/
        meshdemo diff main:rules/ rules/ --exit-code
        meshdemo diff live rules/  # what would become of it
    """
    from meshdemo.report import diff_report
    from meshdemo.suite.changes import comparing, states

    settings = read_settings(ctx)
    live: tuple[Object, ...] = ()
    namespace = settings.namespace or "default"
    if states.LIVE in (old, new):
        engine = engine_for(ctx, chosen(ctx, changes=False))
        namespace, live = engine.where.namespace, engine.objects()
    before, after = states.read(old, new, namespace, lambda: live)
    found = comparing.compare(before, after, namespace, settings.timeout)
    return diff_report.compared(found, exit_code=exit_code)
