"""How often each process was started and how it ended, as supervisord's log tells it."""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from meshdemo.system import files

LINE = re.compile(
    r" (?:spawned: '(?P<started>.+)' with pid (?P<pid>\d+)"
    r"|stopped: (?P<stopped>\S+) "
    r"|exited: (?P<ended>\S+) \((?P<how>.+); (?:not )?expected\))"
)
PF_EXITING = 0x4
"""From Linux's sched.h: a process has begun to end. It lets go of its sockets after that."""
FLAGS = 6
"""Which of the fields behind a process's name in /proc/PID/stat, counted from 0 (proc(5))."""
SUPERVISOR_STARTED = "supervisord started with pid"


class End(Struct, frozen=True):
    """How a process ended the last time."""

    pid: int
    how: str
    """In supervisord's words, as in ``exit status 3`` or ``terminated by SIGABRT``."""


class Starts:
    """Counts the starts. Asked again, it reads only what was written since: it is asked often."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self._file: os.stat_result | None = None
        """The file that was read, up to ``_end``: the log is another one after a rotation."""
        self._end = 0
        self._starts: Counter[str] = Counter()
        self._pids: dict[str, int] = {}
        self.ends: dict[str, End] = {}
        """How each process that ended by itself did so, as of the last ``count``."""

    def count(self) -> Counter[str]:
        """Count for each process since it was added, or since supervisord was started."""
        try:
            with files.open_to_read(self.log) as file:
                found = os.fstat(file.fileno())
                if not self._goes_on(found):
                    self._begin()
                file.seek(self._end)
                self._read(file.read())
                self._file = found
        except OSError:  # there is none, or what is there is no log: nobody can tell
            return Counter()
        return self._starts

    def is_ending(self, name: str) -> bool:
        """Tell whether the process that was started last has begun to end, or is gone.

        Supervisord tells of it later. Only Linux says so; elsewhere it is never known.
        """
        if sys.platform != "linux" or not self.count()[name]:
            return False
        try:
            line = Path(f"/proc/{self._pids[name]}/stat").read_text(encoding="utf-8")
        except OSError:
            return True
        return bool(int(line.rpartition(")")[2].split()[FLAGS]) & PF_EXITING)

    def _goes_on(self, found: os.stat_result) -> bool:
        return (
            self._file is not None
            and os.path.samestat(self._file, found)
            and found.st_size >= self._end
        )

    def _begin(self) -> None:
        self._starts.clear()
        self.ends.clear()
        with suppress(OSError):  # there was no rotation yet
            self._read(files.read(self.log.with_name(f"{self.log.name}.1")))
        self._end = 0

    def _read(self, text: bytes) -> None:
        """Read whole lines; what follows the last of them is read the next time."""
        whole = text.rfind(b"\n") + 1
        self._end += whole
        for line in text[:whole].decode(errors="replace").split("\n"):
            if SUPERVISOR_STARTED in line:
                self._starts.clear()
                self.ends.clear()
            elif found := LINE.search(line):
                self._note(found)

    def _note(self, found: re.Match[str]) -> None:
        if name := found["started"]:
            self._starts[name] += 1
            self._pids[name] = int(found["pid"])
        elif name := found["ended"]:
            self.ends[name] = End(self._pids.get(name, 0), found["how"])
        else:
            self._starts[found["stopped"]] = 0
