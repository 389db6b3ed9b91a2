"""``meshdemo route``: traffic rules."""

from __future__ import annotations

from typing import Annotated

import typer

from meshdemo.cli.invocation import chosen, engine_for
from meshdemo.cli.options import Explain, Files, ForceConflicts, Skip, Strict
from meshdemo.errors import UsageError
from meshdemo.report import Report


def route(
    ctx: typer.Context,
    split: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[VERSION | VERSION=WEIGHT...]",
            show_default=False,
            help="v2, or v1=90 v2=10 (weights, relative to their sum), or v1=90%,v2=10%.",
        ),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(
            "--host", metavar="NAME", help="The Service whose traffic is split. [default: app]"
        ),
    ] = None,
    files: Files = None,
    clear: Annotated[
        bool, typer.Option("--clear", help="Remove the rules that meshdemo made.")
    ] = False,
    skip: Skip = None,
    strict: Strict = False,
    force_conflicts: ForceConflicts = False,
    explain: Explain = False,
) -> Report:
    """Send traffic to versions of the app, or of another Service.

    It returns when the data plane has the change, and says after how long. A split is always
    written into one object: the VirtualService app-default-v2, of another Service NAME-split, or
    the one there is if it is nothing but a split. With -f your own DestinationRules and
    VirtualServices are applied.

    Examples:
        meshdemo route v2  # all of it to v2
        meshdemo route v1=90 v2=10  # a canary
        meshdemo route --host shop v2  # that of another Service
        meshdemo route -f rules.yaml  # your own rules
        meshdemo route --clear  # without rules again
    """
    from meshdemo.report import reports
    from meshdemo.walkthrough import route

    if bool(split) + bool(files) + clear != 1:
        hint = "As in meshdemo route v1=90 v2=10"
        raise UsageError("say one of: a split, -f FILE, --clear", hint=hint)
    if skip and not files:
        raise UsageError("--skip is about your files", hint="As in route -f FILE --skip Gateway")
    if host and not split:
        raise UsageError("--host is about a split", hint="As in meshdemo route --host app v2")
    asked = route.Asked.read(split or (), files or (), host, skip or ())
    engine = engine_for(ctx, chosen(ctx, force_conflicts=force_conflicts))
    progress = ctx.obj.progress
    progress.explains = explain
    story = route.route(engine, asked, ctx.obj.settings, strict=strict)
    return reports.routed(progress.follow(story), progress.remarks)
