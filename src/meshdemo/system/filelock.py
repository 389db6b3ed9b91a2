"""Locks that the kernel lets go of when their holder ends, however it ends.

Each wait has a deadline: a holder may be stopped, by Ctrl-Z for instance, and never go on.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from meshdemo.errors import EnvironmentFailed, TimedOut, advice
from meshdemo.system import files, waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PAUSE, LONGEST_PAUSE = 0.002, 0.1
BUSY_HINT = "Try again when it is done. If it was stopped, go on with it (fg) or end it."


@contextmanager
def hold(
    file: Path, *, doing: str, timeout: float, prepare: Callable[[], object] = lambda: None
) -> Iterator[None]:
    """Hold a lock file, waiting at most ``timeout`` seconds for whoever holds it.

    ``prepare`` makes the folder; it is called before each try, because whoever has the lock may
    remove the file, and the folder with it. Raises TimedOut, which names the holder.
    """
    with _locked(file, os.O_RDWR | os.O_CREAT, timeout, prepare) as handle:
        with suppress(OSError):  # on a full disk the lock holds all the same
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"process {os.getpid()} ({doing})".encode(), 0)
        yield


@contextmanager
def hold_folder(folder: Path, *, timeout: float, prepare: Callable[[], object]) -> Iterator[None]:
    """Hold a folder itself in the same way: nothing has to be in it."""
    with _locked(folder, os.O_RDONLY | os.O_DIRECTORY, timeout, prepare):
        yield


@contextmanager
def _locked(path: Path, flags: int, timeout: float, prepare: Callable[[], object]) -> Iterator[int]:
    def attempt() -> tuple[int] | None:
        prepare()
        return _try(path, flags)

    try:
        (handle,) = waiting.until(
            attempt, "the lock", timeout=timeout, pause=PAUSE, longest_pause=LONGEST_PAUSE
        )
    except TimedOut as error:
        folder = path if path.is_dir() else path.parent
        holder = files.text(path) or "another command"
        message = f"{holder} is changing {folder}; waited {timeout:g} s for it"
        raise TimedOut(message, hint=BUSY_HINT) from error
    except OSError as error:
        message = f"{path} cannot be locked: {error.strerror}"
        raise EnvironmentFailed(message, hint=advice(error) or f"Remove {path}.") from error
    try:
        yield handle
    finally:
        os.close(handle)


def _try(path: Path, flags: int) -> tuple[int] | None:
    """Give the locked file, or None if somebody else has it or just removed it."""
    try:
        handle = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(handle), path.stat()):
            return (handle,)
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(handle)
        raise
    os.close(handle)
    return None
