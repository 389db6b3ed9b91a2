"""Become the supervisord of a mesh. Run by path, and without importing meshdemo.

It is supervisord, but for two things. A log that cannot be written, as on a full disk, is no
reason to end. And what a pod's process starts belongs to the mesh wherever it goes: whoever loses
its parent gets this process for one, in a session and with an environment of its own too, and is
ended with the mesh.
"""

import ctypes
import os
import signal
import sys
import time
from contextlib import suppress
from typing import IO

PR_SET_CHILD_SUBREAPER = 36
"""From Linux's prctl.h; other systems have nothing like it."""
END_SECONDS = 5
"""How long what was killed may take to be gone; only a process that waits for a disk needs more."""
CHILD_PAUSE = 0.01


def main() -> None:
    """Run supervisord with the arguments of this program, and end what is left when it ends."""
    adopt_orphans()
    del sys.path[0]  # this folder, where a module of ours is called as the package
    # It is asked on a unix socket only. Without TLS, which http would import, it starts sooner and
    # takes 5 % less memory.
    sys.modules["ssl"] = None  # type: ignore[assignment]
    from supervisor import loggers, supervisord  # noqa: PLC0415 - found only now

    class Log(loggers.RotatingFileHandler):  # type: ignore[misc]  # it ships no types
        """A log that goes on when there is room again; until then its lines are lost."""

        stream: IO[bytes]

        def emit(self, record: object) -> None:
            with suppress(OSError):
                if self.stream.closed:  # the one after it could not be opened
                    self.stream = open(self.baseFilename, "ab")  # noqa: PTH123, SIM115 - as in supervisor
                super().emit(record)

        def handleError(self) -> None:  # noqa: N802 - supervisor's name for it
            pass  # it would print a traceback into the next log that cannot be written

    loggers.RotatingFileHandler = Log
    supervisord.main(sys.argv[1:])
    end_children()


def adopt_orphans() -> None:
    """Become the parent of every process below us whose own parent has ended."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_children() -> None:
    """Kill all that is below us, until there is nothing: a child's children come to us in turn."""
    deadline = time.monotonic() + END_SECONDS
    with suppress(ChildProcessError):  # there are no children any more
        while time.monotonic() < deadline:
            for pid in children():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(CHILD_PAUSE)


def children() -> list[int]:
    """List our children, as /proc knows them; none where there is no /proc."""
    found = []
    with suppress(FileNotFoundError):
        for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208 - pathlib costs more
            with suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123 - the same
                # After the program's name, which may hold anything: state, parent ...
                if int(file.read().rpartition(b")")[2].split()[1]) == os.getpid():
                    found.append(int(name))
    return found


if __name__ == "__main__":
    main()
