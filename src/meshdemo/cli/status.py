"""``meshdemo status``: the mesh as it is now."""

from __future__ import annotations

import typer

from meshdemo.cli.invocation import engine_for
from meshdemo.report import Report


def status(ctx: typer.Context) -> Report:
    """Show the pods, what is wrong with them, and the rules.

    Exit code 0: all is ready; 3: not so. -o wide adds init containers, containers and images.
    """
    from meshdemo import manifests
    from meshdemo.report.status import status as report
    from meshdemo.walkthrough import pods as who

    engine = engine_for(ctx, changes=False)
    return report(
        engine.pods(),
        manifests.rules(engine.objects()),
        who.BEGIN,
        wide=ctx.obj.settings.output == "wide",
    )
