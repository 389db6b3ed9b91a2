"""Keeping what another program writes to our standard output, for the JSON document."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

STDOUT = 1


@dataclass
class Captured:
    """What was written; known when it is over."""

    text: str = ""


@contextmanager
def captured_stdout() -> Iterator[Captured]:
    """Send file descriptor 1 into a file, so that children's output is caught as well."""
    captured = Captured()
    sys.stdout.flush()
    ours = os.dup(STDOUT)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), STDOUT)
        try:
            yield captured
        finally:
            sys.stdout.flush()
            os.dup2(ours, STDOUT)
            os.close(ours)
            file.seek(0)
            captured.text = file.read().decode("utf-8", "replace")
