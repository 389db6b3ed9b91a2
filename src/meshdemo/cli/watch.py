"""``meshdemo watch``: the live page's figures as a table in the terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from meshdemo.cli import values
from meshdemo.cli.invocation import chosen, engine_for, read_settings
from meshdemo.cli.options import From
from meshdemo.cli.verify import Headers, Method, Url
from meshdemo.errors import UsageError
from meshdemo.report import Report

USUAL_RATE, HIGHEST_RATE = 20, 200


def watch(
    ctx: typer.Context,
    rate: Annotated[
        int,
        typer.Option(
            "--rate",
            metavar="N",
            help=f"Requests a second, 1 to {HIGHEST_RATE}.",
            show_default=True,
        ),
    ] = USUAL_RATE,
    url: Url = None,
    header: Headers = None,
    method: Method = "GET",
    sender: From = None,
) -> Report:
    """Send requests, and show who answers, until Ctrl-C. It changes nothing.

    For each version the share that was counted, the share that the rules promise with the interval
    of the real shares that fit, and the verdict; and what changed, with the time until it was live.
    A change of the rules, by whomever, starts the count anew. The same on a page: meshdemo ui.

    Without a terminal it is a line a second. With -o json each line is a document: counts, rules,
    changed, problem; at its end the counts.

    Examples:
        meshdemo watch
        meshdemo watch --rate 100 -H "x-user: anna"
        meshdemo watch -o json | grep changed  # a line of JSON each
    """
    if not 1 <= rate <= HIGHEST_RATE:
        raise UsageError(f"--rate: {rate} is not 1 to {HIGHEST_RATE}")
    request = values.request(url, method, header or (), None)
    if request.is_tcp:
        raise UsageError("--url: watch is about HTTP requests, and tcp:// is none")
    progress, as_json = ctx.obj.progress, read_settings(ctx).output == "json"
    progress.json_lines = True
    engine = engine_for(ctx, chosen(ctx, changes=False, sender=sender))
    from meshdemo.report.watch_table import watch_table
    from meshdemo.ui.watching import watching

    with watch_table(progress.out, as_json=as_json) as table:
        watching(engine, request, rate, table, progress)
    return Report()
