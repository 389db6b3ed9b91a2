"""Keeping what another program writes to our standard output, for the JSON document."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

STDOUT = 1
LIMIT = 1024 * 1024
"""How many bytes are kept: a program may write without an end."""
_BLOCK = 64 * 1024
_LAST_SECONDS = 1.0
"""How long to read on when the program has ended: what it left running may never do so."""


class Captured:
    """The beginning of what was written, and whether there was more."""

    def __init__(self) -> None:
        self.kept, self.is_cut = bytearray(), False

    @property
    def text(self) -> str:
        """What was kept, as text; not every byte has to make sense."""
        return self.kept.decode("utf-8", "replace")

    def read(self, pipe: int) -> None:
        """Read to the end: nobody who writes is ever stopped."""
        with open(pipe, "rb", buffering=0) as stream:
            while block := stream.read(_BLOCK):
                room = LIMIT - len(self.kept)
                self.kept += block[:room]
                self.is_cut = self.is_cut or len(block) > room


@contextmanager
def captured_stdout() -> Iterator[Captured]:
    """Send file descriptor 1 into a pipe, so that children's output is caught as well."""
    captured = Captured()
    sys.stdout.flush()
    ours, (reading, writing) = os.dup(STDOUT), os.pipe()
    reader = Thread(target=captured.read, args=(reading,), daemon=True)
    try:
        reader.start()
        os.dup2(writing, STDOUT)
    finally:
        os.close(writing)
    try:
        yield captured
    finally:
        sys.stdout.flush()
        os.dup2(ours, STDOUT)
        os.close(ours)
        reader.join(_LAST_SECONDS)
