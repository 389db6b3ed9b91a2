"""``meshdemo verify``: prove what the traffic does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meshdemo.cli import values
from meshdemo.cli.invocation import engine_for, read_settings
from meshdemo.cli.options import Explain, Requests, Wait
from meshdemo.report import Report


def verify(
    ctx: typer.Context,
    expect: Annotated[
        list[str] | None,
        typer.Option(
            "--expect",
            metavar="SHARES",
            show_default=False,
            help="v2=100% or v1=50%,v2=50%. Without it: what the applied rules promise.",
        ),
    ] = None,
    requests: Requests = None,
    wait: Wait = "10s",
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            metavar="URL",
            help="What to ask for. [default: http://app/env/version, or the only Service of your "
            "own]",
        ),
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option("--header", "-H", metavar="NAME:VALUE", help="A request header. May repeat."),
    ] = None,
    method: Annotated[
        str, typer.Option("--method", metavar="METHOD", help="The HTTP method.", show_default=True)
    ] = "GET",
    junit: Annotated[
        str | None,
        typer.Option("--junit", metavar="FILE", help="Also write the verdict as JUnit's XML."),
    ] = None,
    explain: Explain = False,
) -> Report:
    """Count answers, and judge them.

    Exit code 0: met; 1: not met; 4: inconclusive.

    100 % and 0 % are exact: one wrong answer is not met. Other shares are decided by an exact
    binomial test. It starts nothing and changes nothing.

    Examples:
        meshdemo verify  # what the rules promise
        meshdemo verify --expect v1=90%,v2=10% --requests 5000
        meshdemo verify --url http://shop/ -H "x-user: anna" --expect v2=100%
        meshdemo verify --expect v2=100% --junit verdict.xml -o json  # for CI
    """
    from meshdemo.report import junit as xml
    from meshdemo.report import verdict_report
    from meshdemo.verdict import expectation
    from meshdemo.walkthrough import steps, verify
    from meshdemo.walkthrough.plan import Plan

    question = verify.Question(
        expectation=expectation.parse(expect) if expect else None,
        request=values.request(url, method, header or ()),
        requests=values.positive(requests, "--requests"),
        wait=values.seconds(wait, "--wait"),
        timeout=read_settings(ctx).timeout,
    )
    if junit:
        xml.require_writable(Path(junit))
    engine = engine_for(ctx, changes=False)
    progress = ctx.obj.progress
    if explain:
        question = verify.addressed(engine, question)
        plan = steps.proving(
            Plan(ctx.obj.settings, request=question.request, requests=question.requests),
            verify.expected(engine, question),
        )
        progress.explain(steps.verify_commands(plan))
    measured = progress.follow(verify.measure(engine, question))
    if junit:
        xml.write_junit(Path(junit), measured)
    return verdict_report.verified(measured, **progress.remarks)
