"""``meshdemo version``."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

import typer
from msgspec.structs import asdict

from meshdemo.cli.invocation import read_settings
from meshdemo.errors import EnvironmentFailed
from meshdemo.report import Report

if TYPE_CHECKING:
    from meshdemo.engines.local.envoy.binary import Envoy


def version(ctx: typer.Context) -> Report:
    """Print the versions of meshdemo, of the Envoy it would run, and of Python.

    Examples:
        meshdemo version -o json
    """
    from meshdemo import __version__
    from meshdemo.report import reports

    read_settings(ctx)
    found = _envoy()
    binary = f"Envoy {found.version} ({found.path}, {found.source})" if found else "Envoy not found"
    return reports.plain(
        f"meshdemo {__version__}\n{binary}\nPython {platform.python_version()}",
        version=__version__,
        envoy=asdict(found) if found else None,
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
    )


def _envoy() -> Envoy | None:
    """Find Envoy; on a machine without one there is still a version to tell."""
    from meshdemo.engines.local.envoy import binary

    try:
        return binary.find()
    except EnvironmentFailed:
        return None
