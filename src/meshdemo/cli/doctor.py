"""``meshdemo doctor``: the prerequisites."""

from __future__ import annotations

import typer

from meshdemo.cli.invocation import chosen, engine_for
from meshdemo.cli.options import Istioctl
from meshdemo.report import Report


def doctor(ctx: typer.Context, istioctl: Istioctl = None) -> Report:
    """Check every prerequisite, and say what to do about it.

    Exit code 0: all is there; 3: not so.

    Examples:
        meshdemo doctor
        meshdemo doctor --engine cluster
    """
    from meshdemo.report import reports

    return reports.checked(
        tuple(engine_for(ctx, chosen(ctx, changes=False, istioctl=istioctl)).check())
    )
