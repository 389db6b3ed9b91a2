"""``meshdemo manifests``: the walkthrough's YAML as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meshdemo.cli.invocation import read_settings
from meshdemo.report import Report


def manifests(
    ctx: typer.Context,
    folder: Annotated[
        str, typer.Argument(metavar="[DIR]", help="Where to write them.", show_default=True)
    ] = ".",
) -> Report:
    """Write the walkthrough's manifests into a folder, and the roles for a class into DIR/rbac.

    Never over a file that is there and differs: then nothing is written.

    Examples:
        meshdemo manifests demo
    """
    from meshdemo.report import reports
    from meshdemo.walkthrough import bundled

    read_settings(ctx)
    target = Path(folder)
    return reports.files_written({str(target / n): did for n, did in bundled.write(target).items()})
