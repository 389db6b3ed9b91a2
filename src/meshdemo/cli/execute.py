"""``meshdemo exec`` and ``meshdemo shell``: be the test client."""

from __future__ import annotations

from typing import Annotated

import typer

from meshdemo.cli.invocation import engine_for, read_settings
from meshdemo.errors import UsageError
from meshdemo.report import Report


def exec_(
    ctx: typer.Context,
    command: Annotated[
        list[str],
        typer.Argument(
            metavar="-- COMMAND [ARG...]",
            show_default=False,
            help="As in: meshdemo exec -- curl http://app/env/version",
        ),
    ],
) -> Report:
    """Run a command in the test client; its exit status is ours.

    With -o json its output stands in the document, the first 1 MiB of it.
    """
    from meshdemo.cli.capture import captured_stdout
    from meshdemo.report import reports

    engine = engine_for(ctx)
    if ctx.obj.settings.output != "json":
        return reports.only_code(engine.exec(command))
    with captured_stdout() as output:
        code = engine.exec(command)
    return reports.only_code(code, stdout=output.text, stdoutCut=output.is_cut)


def shell(ctx: typer.Context) -> Report:
    """Open a shell in the test client; its exit status is ours."""
    from meshdemo.report import reports

    if read_settings(ctx).output == "json":
        raise UsageError("a shell has no JSON", hint="Say meshdemo exec -o json -- COMMAND")
    return reports.only_code(engine_for(ctx).exec(()))
