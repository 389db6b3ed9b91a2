"""What ``-f`` means: files, folders, pipes, standard input and https, as with kubectl.

Each is bounded in size, and what others have to deliver in time too.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
import time
from pathlib import Path
from select import select
from typing import TYPE_CHECKING

from meshdemo.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SUFFIXES = (".yaml", ".yml", ".json")
STDIN, STDIN_NAME = "-", "standard input"
URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
LARGEST_SOURCE = 10 * 2**20
"""Bytes of one source: far above what is meant, and below what takes minutes to read."""
CHUNK = 2**16
TO_BEGIN = 10.0
"""Seconds within which somebody must have opened a named pipe to write into it."""
TO_END = 300.0
"""Seconds that a pipe may take in all: who writes into it may have much to do before."""
PIPE_PAUSE = 0.02


class TooMuchTime(OSError):
    """What others were to deliver did not come in time."""

    def __init__(self, why: str) -> None:
        super().__init__(errno.ETIMEDOUT, why)


def texts(sources: Sequence[str], problems: list[Problem]) -> Iterator[tuple[str, str]]:
    """Read what ``-f`` means, each text with the name of its source; for ``each`` see there."""
    for source in each(sources, problems):
        name = name_of(source)
        try:
            content = _content(source)
            if len(content) > LARGEST_SOURCE:
                message = f"cannot be read: it is longer than {LARGEST_SOURCE // 2**20} MiB"
                problems.append(Problem(message, file=name))
            else:
                yield name, content.decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            problems.append(_unreadable(name, error))


def name_of(source: str) -> str:
    """Name a source for people."""
    return STDIN_NAME if source == STDIN else source


def each(sources: Sequence[str], problems: list[Problem]) -> Iterator[str]:
    """Give the sources with folders taken apart: paths, URLs, ``-`` for standard input.

    What is not there, or cannot be listed, goes to ``problems``.
    """
    for source in sources:
        if source == STDIN or URL.match(source):
            yield source
        else:
            yield from _files(source, problems)


def _files(source: str, problems: list[Problem]) -> list[str]:
    if not source:  # to Path it would be the current folder
        problems.append(Problem("the name of the file is empty"))
        return []
    path = Path(source)
    try:
        if not path.is_dir():
            path.stat()
            return [str(path)]
        inside = sorted(p for p in path.iterdir() if p.suffix in SUFFIXES and not p.is_dir())
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        problems.append(_unreadable(source, error))
        return []
    if not inside:
        problems.append(Problem(f"no {', '.join(SUFFIXES)} file in this folder", file=source))
    return [str(file) for file in inside]


def _content(source: str) -> bytes:
    """Read a source, but little more than is allowed of it."""
    if source == STDIN:
        if sys.stdin is None:
            raise OSError(errno.EBADF, "it is closed")
        return sys.stdin.buffer.read(LARGEST_SOURCE + 1)
    if URL.match(source):
        from meshdemo.system import fetching  # noqa: PLC0415 - few need it, and it takes time

        return fetching.fetch(source, LARGEST_SOURCE + 1)
    # Without O_NONBLOCK to open a named pipe may take for ever.
    descriptor = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - it is open already
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            return _piped(descriptor)
        os.set_blocking(descriptor, True)
        return file.read(LARGEST_SOURCE + 1)


def _piped(descriptor: int, to_begin: float = TO_BEGIN, to_end: float = TO_END) -> bytes:
    """Read a pipe that does not block: as long as nobody has opened it to write it looks ended."""
    began = time.monotonic()
    content = b""
    is_written = False
    while len(content) <= LARGEST_SOURCE:
        seconds = time.monotonic() - began
        try:
            chunk = os.read(descriptor, CHUNK)
        except BlockingIOError:
            is_written = True
            if seconds > to_end:
                raise TooMuchTime(f"it did not end within {to_end:g} s") from None
            select([descriptor], [], [], PIPE_PAUSE)
            continue
        content += chunk
        if not chunk and (content or is_written):
            break
        if not chunk:
            if seconds > to_begin:
                raise TooMuchTime(f"nobody wrote to this pipe within {to_begin:g} s")
            time.sleep(PIPE_PAUSE)
    return content


def _unreadable(file: str, error: OSError | ValueError) -> Problem:
    reason = error.strerror if isinstance(error, OSError) else str(error)
    if isinstance(error, UnicodeDecodeError):
        reason = "not UTF-8 text"
    return Problem(f"cannot be read: {reason}", file=file)
