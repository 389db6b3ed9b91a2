"""``meshdemo down``: remove what meshdemo made, and prove that it is gone."""

from __future__ import annotations

from typing import Annotated

import typer

from meshdemo.cli.invocation import engine_for
from meshdemo.report import Report


def down(
    ctx: typer.Context,
    everything: Annotated[
        bool, typer.Option("--all", help="Also the Istio that meshdemo installed.")
    ] = False,
) -> Report:
    """Remove what meshdemo made, and prove that nothing is left.

    Only what meshdemo made. Safe to repeat, and after a crash of anything.
    """
    from meshdemo.report import reports

    return reports.checked(tuple(engine_for(ctx).down(everything=everything)), "nothing is left")
