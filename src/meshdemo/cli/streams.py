"""Standard streams that are closed, or that nothing can be written to."""

from __future__ import annotations

import errno
import os
import select
import sys

from meshdemo.errors import EnvironmentFailed

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def open_closed() -> None:
    """Open the null device where a standard stream is closed.

    Else the next file that is opened gets its number, and what we start writes into that file.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, and all below are open
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - stays open
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - stays open
    # Whoever reads sys.stdin finds None, and can say that it is closed.


def refuse_folder() -> None:
    """Raise EnvironmentFailed where standard input is a folder, as ``scripts/meshdemo`` found."""
    if os.environ.pop("MESHDEMO_STDIN", "") == "folder":
        hint = "Give it a file or a pipe, or nothing: </dev/null"
        raise EnvironmentFailed("standard input is a folder", hint=hint)


def output_error(error: OSError) -> OSError | None:
    """Say what is wrong with standard output, if it does not take what was written to it.

    ``error`` is what went wrong; what is about a file of its own names it.
    """
    if error.errno in DISK_FULL and error.filename is None:
        return error
    try:
        sys.stdout.flush()
    except OSError as broken:
        return broken
    # What a write has failed to write may be gone from the buffer, and only the pipe tells.
    pipe = select.poll()
    pipe.register(1, 0)  # nothing is asked for but the errors, which always come
    if any(event & select.POLLERR for _, event in pipe.poll(0)):
        return BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
    return None
