"""Files that are replaced whole: whoever reads one sees the old or the new one, never a part."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from meshdemo.errors import EnvironmentFailed

if TYPE_CHECKING:
    from pathlib import Path


def write(file: Path, text: str, *, durable: bool = False) -> None:
    """Replace a file by an atomic rename; only we may read it. Its folder is made if need be.

    ``durable``: it is the old or the new one after a power cut too. Raises EnvironmentFailed.
    """
    try:
        try:
            _replace(file, text, durable=durable)
        except FileNotFoundError:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _replace(file, text, durable=durable)
    except OSError as error:
        message = f"{file} cannot be written: {error.strerror}"
        raise EnvironmentFailed(
            message, hint="Make room, or choose another --state-dir."
        ) from error


def write_if_changed(file: Path, text: str, *, durable: bool = False) -> bool:
    """Write a file unless it holds that text already; tell whether it did not."""
    try:
        if file.read_text(encoding="utf-8") == text:
            return False
    except (OSError, UnicodeDecodeError):
        pass  # none, or a broken one
    write(file, text, durable=durable)
    return True


def temporary(file: Path) -> Path:
    """Give the name under which a file is written before it takes its place."""
    return file.with_name(f".{file.name}.new")


def _replace(file: Path, text: str, *, durable: bool) -> None:
    new = temporary(file)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8") as output:  # noqa: PTH123 - from a descriptor
            output.write(text)
            if durable:
                output.flush()
                os.fsync(descriptor)
        new.replace(file)
    except OSError:
        with suppress(OSError):
            new.unlink()
        raise
