"""Become the supervisord of a mesh. Run by path, and without importing meshdemo.

It is supervisord, but for two things. A log that cannot be written, as on a full disk, is no
reason to end. And what a pod's process starts belongs to the mesh wherever it goes: whoever loses
its parent gets this process for one, in a session and with an environment of its own too, and is
ended with the mesh.
"""

import ctypes
import importlib
import os
import signal
import sys
import time
import types
from contextlib import suppress
from typing import IO, Any

WAIT = "--wait"
"""The last argument but one of a supervisord that is started ahead. It waits for a line on its
standard input, and then writes what it says into the file that the last argument names."""
PR_SET_CHILD_SUBREAPER = 36
"""From Linux's prctl.h; other systems have nothing like it."""
END_SECONDS = 5
"""How long what was killed may take to be gone; only a process that waits for a disk needs more."""
CHILD_PAUSE = 0.01


def main() -> None:
    """Run supervisord with the arguments of this program, and end what is left when it ends."""
    adopt_orphans()
    del sys.path[0]  # this folder, where a module of ours is called as the package
    loggers, supervisord = imported()

    class Log(loggers.RotatingFileHandler):  # type: ignore[misc, name-defined]  # it ships no types
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
    arguments = sys.argv[1:]
    if WAIT in arguments:
        *arguments, _, output = arguments
        wait(output)
    supervisord.main(arguments)
    end_children()


def imported() -> tuple[Any, Any]:
    """Import supervisord, and give the modules of its logs and of it itself."""
    try:
        leave_out()
        from supervisor import loggers, supervisord  # noqa: PLC0415 - found only now
    except (ImportError, AttributeError):  # another version of it needs more
        bring_back()
        from supervisor import loggers, supervisord  # noqa: PLC0415 - found only now
    return loggers, supervisord


def leave_out() -> None:
    """Have supervisord do without what it imports and has no use for here.

    It is asked on a unix socket only, so it needs no TLS and no HTTP client; of its plugins it
    loads its own alone, and it shows no web pages. So it starts sooner, and takes a fifth less
    memory.
    """
    sys.modules["ssl"] = None  # type: ignore[assignment]
    for name, has in LEFT_OUT.items():
        module = types.ModuleType(name)
        module.__dict__.update(has)
        sys.modules[name] = module


def bring_back() -> None:
    """Undo it, with all that was imported on top of it."""
    for name in [*sys.modules]:
        if name in ("ssl", *LEFT_OUT) or name.partition(".")[0] in ("supervisor", "xmlrpc"):
            del sys.modules[name]


class EntryPoint:
    """A plugin, as importlib.metadata has it: a name in a module."""

    def __init__(self, name: object, value: str, group: object) -> None:
        del name, group
        self._module, _, self._name = value.partition(":")

    def load(self) -> object:
        """Import it."""
        return getattr(importlib.import_module(self._module), self._name)


LEFT_OUT: dict[str, dict[str, object]] = {
    "http.client": {"HTTPConnection": object, "HTTPSConnection": object},
    "importlib.metadata": {"EntryPoint": EntryPoint},
    "importlib.resources": {"files": None},
}
"""The modules, and what is read of them."""


def wait(output: str) -> None:
    """Return when there is something to do; who ends without a word has nothing."""
    if not sys.stdin.readline():
        sys.exit()
    # Not to wait for a reader, if a pipe has taken the place of the file.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOFOLLOW
    nothing, written = os.open(os.devnull, os.O_RDONLY), os.open(output, flags, 0o600)
    for taken, place in ((nothing, 0), (written, 1), (written, 2)):
        os.dup2(taken, place)
        os.set_inheritable(place, True)  # noqa: FBT003 - as in os
    os.close(nothing)
    os.close(written)


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
