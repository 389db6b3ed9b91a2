"""``meshdemo version``."""

from __future__ import annotations

import platform

import typer

from meshdemo.cli.invocation import read_settings
from meshdemo.report import Report


def version(ctx: typer.Context) -> Report:
    """Print the version."""
    from meshdemo import __version__
    from meshdemo.report import reports

    read_settings(ctx)
    return reports.plain(
        f"meshdemo {__version__}",
        version=__version__,
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
    )
