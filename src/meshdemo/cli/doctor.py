"""``meshdemo doctor``: the prerequisites."""

from __future__ import annotations

import typer

from meshdemo.cli.invocation import engine_for
from meshdemo.report import Report


def doctor(ctx: typer.Context) -> Report:
    """Check every prerequisite, and say what to do about it.

    Exit code 0: all is there; 3: not so.
    """
    from meshdemo.report import reports

    return reports.checked(tuple(engine_for(ctx, changes=False).check()))
