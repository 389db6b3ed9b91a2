"""A supervisord for a run that is about to begin: it takes its time while the mesh is planned."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from meshdemo.engines.local import programs, runs
from meshdemo.engines.local.processes import configuration, daemon
from meshdemo.system.started_ahead import StartedAhead

if TYPE_CHECKING:
    from pathlib import Path


def argv(folder: Path) -> list[str]:
    """Say how the supervisord of a state directory is started."""
    return [sys.executable, str(daemon.__file__), "-c", str(folder / configuration.CONFIG)]


def environment(run: str) -> dict[str, str]:
    """Say what is in its environment, by which it and its children are known."""
    return {**programs.base_environment(), programs.RUN_VARIABLE: run}


class Spare:
    """One that waits; nothing of it is in the state directory before it is taken."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.run = folder, runs.new_name()
        output = str(folder / configuration.OUTPUT)
        self._waiting = StartedAhead([*argv(folder), daemon.WAIT, output], environment(self.run))

    def take(self, run: str) -> int | None:
        """Have it run by its configuration; None where it cannot, or is another run's."""
        return self._waiting.go() if run == self.run else None
