"""How a person calls this program again, about the same mesh."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from meshdemo.cli.usage import PROGRAM
from meshdemo.report.commands import Commands
from meshdemo.settings import state_folder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshdemo.settings import Settings


def commands(names: Iterable[str], given: Settings) -> Commands:
    """Say how the commands are to be typed, by what was typed now."""
    return Commands(tuple(names), program(sys.argv[0]), flags(given))


def program(called: str) -> str:
    """Give the shortest name that finds this program, and not another installation of it."""
    path = Path(called)
    if path.name == "__main__.py":
        return shlex.join([sys.executable, "-m", PROGRAM])
    if path.name != PROGRAM or not path.exists():
        return PROGRAM
    found = shutil.which(PROGRAM)
    return PROGRAM if found and path.samefile(found) else shlex.quote(called)


def flags(given: Settings) -> str:
    """Give the shared options that say which mesh it is."""
    state_dir = given.state_dir
    implied = given.context or given.kubeconfig
    options = {
        "--engine": None if implied else given.engine,
        "--context": given.context,
        "--kubeconfig": given.kubeconfig,
        "-n": given.namespace,
        "--state-dir": str(state_dir) if state_dir != state_folder() else None,
    }
    return " ".join(f"{name} {shlex.quote(value)}" for name, value in options.items() if value)
