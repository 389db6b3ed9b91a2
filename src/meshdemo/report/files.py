"""Files that a user names for results: whether they can be written is seen before anything runs."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from meshdemo.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def require_new(option: str, file: Path, example: str) -> None:
    """Refuse a file that cannot be written, or that is there already. Raises UsageError."""
    require_writable(option, file, example)
    if file.exists():
        raise UsageError(f"{option}: {file} is there already", hint="Name another file.")


def require_writable(option: str, file: Path, example: str) -> None:
    """Refuse a file that cannot be written, by the option that names it. Raises UsageError."""
    if str(file) == "-":
        message = f"{option}: it is written to a file, and - is none"
        raise UsageError(message, hint=f"As in {example}")
    if file.is_dir():
        raise UsageError(f"{option}: {file} is a folder", hint=f"As in {file / example}")
    if not file.parent.is_dir():
        hint = f"Make it: mkdir -p {shlex.quote(str(file.parent))}"
        raise UsageError(f"{option}: there is no folder {file.parent}", hint=hint)
    if not os.access(file if file.exists() else file.parent, os.W_OK):
        raise UsageError(f"{option}: you may not write {file}", hint="Name another file.")
