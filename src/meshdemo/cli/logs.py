"""``meshdemo logs``: what a container wrote."""

from __future__ import annotations

from typing import Annotated

import typer

from meshdemo.cli.invocation import engine_for, read_settings
from meshdemo.errors import UsageError
from meshdemo.report import Report


def logs(
    ctx: typer.Context,
    pod: Annotated[
        str,
        typer.Argument(
            metavar="[POD]",
            show_default=False,
            help="A pod, pod/NAME, a Deployment or deploy/NAME. Without it: every pod.",
        ),
    ] = "",
    container: Annotated[
        str, typer.Option("--container", "-c", metavar="NAME", help="app or istio-proxy.")
    ] = "app",
    access: Annotated[
        bool,
        typer.Option(
            "--access", help="The requests that the sidecar took, one a line, as Istio writes them."
        ),
    ] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more.")] = False,
    tail: Annotated[
        int, typer.Option("--tail", metavar="N", help="Only the last N lines; -1 for all.")
    ] = -1,
) -> Report:
    """Print what the app (or with -c istio-proxy its sidecar) wrote.

    Examples:
        meshdemo logs app-v1 -f  # one pod, as it goes on
        meshdemo logs testclient -c istio-proxy --tail 20
        meshdemo logs app-v1 --access  # which requests came, and what became of them
    """
    from meshdemo.report import reports
    from meshdemo.walkthrough.logs import read_logs

    if access and container not in ("app", "istio-proxy"):
        raise UsageError(f"--access is of the sidecar, and -c names {container}")
    if tail < -1:
        raise UsageError(f"--tail: {tail} is not a number of lines")
    as_json = read_settings(ctx).output == "json"
    if as_json and follow:
        raise UsageError("-f never ends, and a JSON document must", hint="Leave out one of them.")
    engine = engine_for(ctx, changes=False)
    lines = read_logs(engine, pod, container, follow=follow, tail=tail, access=access)
    return reports.streamed(lines, "lines", collect=as_json)
