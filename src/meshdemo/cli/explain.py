"""``meshdemo explain``: one request, told from end to end."""

from __future__ import annotations

from typing import Annotated

import typer

from meshdemo.cli import values
from meshdemo.cli.invocation import chosen, engine_for, read_settings
from meshdemo.cli.options import Files, From
from meshdemo.errors import UsageError
from meshdemo.report import Report


def explain(
    ctx: typer.Context,
    url: Annotated[
        str, typer.Argument(metavar="URL", help="What to ask for, as http://app/env/version.")
    ],
    header: Annotated[
        list[str] | None,
        typer.Option("--header", "-H", metavar="NAME:VALUE", help="A request header. May repeat."),
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            "--method", "-X", metavar="METHOD", help="The HTTP method.", show_default=True
        ),
    ] = "GET",
    sender: From = None,
    files: Files = None,
) -> Report:
    """Send one request, and tell what the rules say of it and what became of it.

    Which VirtualService decides, and why not another one; which of its http rules takes the
    request, and why none before it; where it goes, what is changed, delayed or aborted. Then what
    happened: the answer, the pod, response flags in words, attempts, times, what the app saw.
    Where the two differ it says so.

    Objects that were applied from files are named with file and line; -f names files that were
    applied otherwise, as on a cluster.

    Examples:
        meshdemo explain http://app/env/version
        meshdemo explain http://shop/cart -X POST -H "x-user: anna"
        meshdemo explain http://cart/ --from app=shop  # as a pod of the shop sees it
        meshdemo explain http://app/ -f rules.yaml -o json  # with the lines of this file
    """
    from meshdemo.report import explanation
    from meshdemo.walkthrough.explain import explain as follow

    request = values.sent(url, method, header or ())
    if request.is_tcp:
        hint = f"To count connections: meshdemo verify --url {url}"
        raise UsageError("explain is about an HTTP request, and tcp:// is none", hint=hint)
    timeout = read_settings(ctx).timeout
    engine = engine_for(ctx, chosen(ctx, changes=False, sender=sender))
    found = ctx.obj.progress.follow(follow(engine, request, files or (), timeout))
    return explanation.explained(found)
