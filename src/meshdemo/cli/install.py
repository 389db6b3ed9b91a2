"""``meshdemo install``: the mesh itself."""

from __future__ import annotations

from typing import Annotated

import typer

from meshdemo.cli.invocation import engine_for
from meshdemo.cli.options import Explain
from meshdemo.report import Report


def install(
    ctx: typer.Context,
    profile: Annotated[
        str,
        typer.Option(
            "--profile",
            "--istio-profile",
            metavar="NAME",
            help="For istioctl install: its profile.",
        ),
    ] = "",
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            "--istio-set",
            metavar="KEY=VALUE",
            help="For istioctl install: --set. May repeat.",
        ),
    ] = None,
    overlays: Annotated[
        list[str] | None,
        typer.Option(
            "--filename",
            "--istio-file",
            "-f",
            metavar="FILE",
            help="For istioctl install: -f. May repeat.",
        ),
    ] = None,
    explain: Explain = False,
) -> Report:
    """Install Istio, and verify it.

    On the local engine: find Envoy, check that it runs, and say its version.
    """
    from meshdemo.engines import MeshOptions
    from meshdemo.report import reports
    from meshdemo.walkthrough import steps
    from meshdemo.walkthrough.plan import Plan

    engine = engine_for(ctx)
    mesh = MeshOptions(profile, tuple(settings or ()), tuple(overlays or ()))
    progress = ctx.obj.progress
    if explain:
        progress.explain(steps.INSTALL.commands(Plan(settings=ctx.obj.settings, mesh=mesh)))
    return reports.checked(tuple(engine.install(mesh)))
