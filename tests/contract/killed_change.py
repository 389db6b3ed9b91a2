"""A command that changes a mesh, and is killed when it comes to a phase.

It imports only what it needs: many processes are forked from one that has loaded it.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshdemo.engines.local.engine import LocalEngine
from meshdemo.objects import reading
from meshdemo.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 30


@dataclass
class Change:
    """What to do with the objects of a file, and when to be killed."""

    do: str
    """A method of the engine: apply or delete."""
    state: Path
    source: Path
    phase: str
    """The end of a file's name, just before that takes its place; or an audit event."""
    left: int
    """Which time."""

    def make(self) -> None:
        sys.addaudithook(self.die_at_phase)
        engine = LocalEngine(Settings(state_dir=self.state))
        objects = engine.inject(reading.read([str(self.source)]))
        getattr(engine, self.do)(objects)
        engine.wait_ready(objects, SECONDS)

    def die_at_phase(self, event: str, arguments: tuple[object, ...]) -> None:
        moved = event == "os.rename" and str(arguments[1]).endswith(self.phase)
        if moved or event == self.phase:
            self.left -= 1
            if not self.left:
                os.kill(os.getpid(), signal.SIGKILL)
