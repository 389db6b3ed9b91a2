"""One command at a time changes a state directory; the lock says which one."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from meshdemo import waiting
from meshdemo.errors import EnvironmentFailed, TimedOut

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def hold(file: Path, *, doing: str, timeout: float) -> Iterator[None]:
    """Hold the lock file, waiting at most ``timeout`` seconds for whoever holds it.

    The kernel lets go of it when we end, however we end. Whoever removes the folder while
    holding the lock removes the file too.
    """
    try:
        (handle,) = waiting.until(lambda: _try(file), "the lock", timeout=timeout)
    except TimedOut as error:
        holder = file.read_text(errors="replace") or "another command"
        message = f"{holder} is changing {file.parent}; waited {timeout:g} s for it"
        raise EnvironmentFailed(message, hint="Try again when it is done.") from error
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"process {os.getpid()} ({doing})".encode(), 0)
        yield
    finally:
        os.close(handle)


def _try(file: Path) -> tuple[int] | None:
    """Give the locked file, or None if somebody else has it."""
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(handle), file.stat()):
            return (handle,)
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(handle)
        raise
    os.close(handle)
    return None
