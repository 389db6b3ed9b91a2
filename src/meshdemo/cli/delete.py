"""``meshdemo delete``: one object of ours, in kubectl's words."""

from __future__ import annotations

from typing import Annotated

import typer

from meshdemo.cli.invocation import engine_for, read_settings
from meshdemo.cli.options import Selector
from meshdemo.report import Report


def delete(
    ctx: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="KIND NAME",
            show_default=False,
            help="As with kubectl: vs NAME  vs/NAME dr/NAME.",
        ),
    ],
    selector: Selector = None,
) -> Report:
    """Delete objects that meshdemo made; it returns when they are gone from the data plane, too.

    Only what is ours. All rules go with meshdemo route --clear, everything with meshdemo down.

    Examples:
        meshdemo delete vs app-default-v2
        meshdemo delete deploy/app-v1 svc/app
    """
    from meshdemo.report import reports
    from meshdemo.walkthrough import deleting, resources

    settings = read_settings(ctx)
    wanted = resources.Wanted.read(words, selector=selector)
    deleting.refuse_unnamed(wanted, selector)
    engine = engine_for(ctx)
    result = ctx.obj.progress.follow(deleting.delete(engine, wanted, settings.timeout))
    return reports.deleted(result)
