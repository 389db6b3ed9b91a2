"""What ``-f`` means: files, folders and standard input, as with kubectl."""

from __future__ import annotations

import errno
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from meshdemo.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SUFFIXES = (".yaml", ".yml", ".json")
STDIN = "standard input"


def texts(sources: Sequence[str], problems: list[Problem]) -> Iterator[tuple[str, str]]:
    """Read what ``-f`` means, each text with the name of its file; for ``files`` see there."""
    for file in files(sources, problems):
        try:
            text = _standard_input() if file is None else file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            problems.append(_unreadable(str(file or STDIN), error))
        else:
            yield str(file or STDIN), text


def files(sources: Sequence[str], problems: list[Problem]) -> Iterator[Path | None]:
    """Give the files that ``-f`` means, folders taken apart; None stands for standard input.

    What is not there, or cannot be listed, goes to ``problems``.
    """
    for source in sources:
        yield from _files(source, problems)


def _standard_input() -> str:
    if sys.stdin is None:
        raise OSError(errno.EBADF, "it is closed")
    return sys.stdin.read()


def _files(source: str, problems: list[Problem]) -> list[Path] | list[None]:
    if source == "-":
        return [None]
    path = Path(source)
    try:
        if not path.is_dir():
            path.stat()
            return [path]
        inside = sorted(p for p in path.iterdir() if p.suffix in SUFFIXES and not p.is_dir())
    except OSError as error:
        problems.append(_unreadable(source, error))
        return []
    if not inside:
        problems.append(Problem(f"no {', '.join(SUFFIXES)} file in this folder", file=source))
    return inside


def _unreadable(file: str, error: OSError | UnicodeDecodeError) -> Problem:
    reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
    return Problem(f"cannot be read: {reason}", file=file)
