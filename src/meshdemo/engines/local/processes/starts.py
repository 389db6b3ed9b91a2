"""How often each process was started, as supervisord's log tells it."""

from __future__ import annotations

import os
import re
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LINE = re.compile(rb" (?:spawned: '(?P<started>.+)' with pid|stopped: (?P<stopped>\S+) )")
BEGIN = b"supervisord started with pid"


class Starts:
    """Counts the starts. Asked again, it reads only what was written since: it is asked often."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self._file: os.stat_result | None = None
        """The file that was read, up to ``_end``: the log is another one after a rotation."""
        self._end = 0
        self._starts: Counter[str] = Counter()

    def count(self) -> Counter[str]:
        """Count for each process since it was added, or since supervisord was started."""
        try:
            with self.log.open("rb") as file:
                found = os.fstat(file.fileno())
                if not self._goes_on(found):
                    self._begin()
                file.seek(self._end)
                self._read(file.read())
                self._file = found
        except FileNotFoundError:
            return Counter()
        return self._starts

    def _goes_on(self, found: os.stat_result) -> bool:
        return (
            self._file is not None
            and os.path.samestat(self._file, found)
            and found.st_size >= self._end
        )

    def _begin(self) -> None:
        self._starts.clear()
        with suppress(FileNotFoundError):  # there was no rotation yet
            self._read(self.log.with_name(f"{self.log.name}.1").read_bytes())
        self._end = 0

    def _read(self, text: bytes) -> None:
        """Read whole lines; what follows the last of them is read the next time."""
        whole = text.rfind(b"\n") + 1
        self._end += whole
        for line in text[:whole].splitlines():
            if BEGIN in line:
                self._starts.clear()
            elif (found := LINE.search(line)) and found["stopped"]:
                self._starts[found["stopped"].decode(errors="replace")] = 0
            elif found:
                self._starts[found["started"].decode(errors="replace")] += 1
