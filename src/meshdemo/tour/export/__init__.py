"""The lessons for other places, each with a script that says whether it is passed.

    markdown.files(...)      pages for a site or a repository, with each lesson's files
    killercoda.files(...)    two scenarios that killercoda runs

Both are pure: they give texts by path, and ``write`` writes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.errors import EnvironmentFailed, UsageError, advice

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMS = ("markdown", "killercoda")
SCRIPT = ".sh"


def require_empty(folder: Path) -> None:
    """Refuse a folder that holds anything, or is none. Raises UsageError."""
    if folder.is_dir() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty", hint="Name a folder that is not there yet.")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is no folder", hint="Name a folder that is not there yet.")


def write(folder: Path, texts: Mapping[str, str]) -> None:
    """Write files below a folder; scripts can be run. Raises EnvironmentFailed."""
    try:
        for name, text in texts.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            if name.endswith(SCRIPT):
                file.chmod(0o755)
    except OSError as error:
        message = f"{error.filename or folder} cannot be written: {error.strerror}"
        raise EnvironmentFailed(message, hint=advice(error)) from error
