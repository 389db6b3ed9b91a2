"""``meshdemo delete``: one object of ours, in kubectl's words."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from meshdemo.cli.invocation import engine_for, read_settings
from meshdemo.cli.options import Selector
from meshdemo.report import Report

if TYPE_CHECKING:
    from meshdemo.engines.protocol import Engine
    from meshdemo.objects.kinds import Kind


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
    engine = engine_for(ctx)
    more = partial(_custom_kinds, engine)
    wanted = resources.Wanted.read(words, selector=selector, more=more)
    deleting.refuse_unnamed(wanted, selector)
    result = ctx.obj.progress.follow(deleting.delete(engine, wanted, settings.timeout))
    return reports.deleted(result)


def _custom_kinds(engine: Engine) -> tuple[Kind, ...]:
    """Give the kinds of what is applied that nobody but its author knows."""
    from meshdemo.objects import kinds

    return kinds.custom(engine.objects())
