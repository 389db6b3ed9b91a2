"""What a learner does while the tour stays: saves a file, types a line, changes the mesh."""

from __future__ import annotations

import os
import select
from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.suite.watching import changes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from meshdemo.tour.mesh_changes import Changes

LONGEST_LINE = 4096


class Sign(Struct, frozen=True):
    """What happened in a moment; it may be nothing."""

    saved: frozenset[str] = frozenset()
    """Files of the folder, by their names."""
    typed: str | None = None
    """A line without its end; None where none was typed."""
    changed: bool = False
    """Whether the mesh has changed; it is told of when there is nothing else."""
    ended: bool = False
    """Whether nothing can be typed any more."""


def signs(folder: Path, keyboard: int, mesh: Changes) -> Iterator[Sign]:
    """Tell of files that are saved in a folder, of lines of a terminal in their order, of changes.

    There is no end to it. From the first sign on none is missed. Raises KeyboardInterrupt.
    """
    waiting: list[str] = []
    for changed in changes([str(folder)], (".yaml", ".json")):
        names = frozenset(map(os.path.basename, changed))
        ended = False
        if select.select([keyboard], [], [], 0)[0]:
            text = os.read(keyboard, LONGEST_LINE).decode(errors="replace")
            ended = not text
            waiting += text.splitlines()
        typed = waiting.pop(0) if waiting else None
        is_quiet = typed is None and not names
        yield Sign(names, typed, changed=is_quiet and mesh.happened(), ended=ended)
