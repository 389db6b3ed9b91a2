"""Lessons of the tour that are measured: from the save of a file to the verdict on the screen."""

from __future__ import annotations

import os
import pty
import select
import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from meshdemo.tour import lessons

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MEASURED = tuple(lesson.name for lesson in lessons.every() if lesson.number > 1)
"""In the first one nothing is to be saved that is not right."""
LIMIT = 60


class Terminal:
    """A learner's terminal in which the tour stays."""

    def __init__(self, fd: int, folder: Path) -> None:
        self.fd, self.folder, self.seen = fd, folder, ""

    def until(self, text: str) -> None:
        """Read until a text has come. Raises TimeoutError."""
        deadline = time.monotonic() + LIMIT
        while text not in self.seen:
            if time.monotonic() > deadline:
                message = f"{text!r} did not come: {self.seen[-2000:]}"
                raise TimeoutError(message)
            if select.select([self.fd], [], [], 0.05)[0]:
                self.seen += os.read(self.fd, 65536).decode(errors="replace")
        self.seen = self.seen.partition(text)[2]

    def save(self, lesson: str, text: str, until: str) -> float:
        """Save the learner's file, and give the seconds until a text comes."""
        began = time.monotonic()
        (self.folder / "tour" / f"{lesson}.yaml").write_text(text)
        self.until(until)
        return time.monotonic() - began


@contextmanager
def touring(program: str, folder: Path) -> Iterator[Terminal]:
    """Have the tour in a terminal, in English, with its state in a folder."""
    child, fd = pty.fork()
    if child == 0:
        argv = [program, "tour", "--state-dir", str(folder), "--lang", "en"]
        os.execv(program, argv)  # noqa: S606 - the program that is measured
    try:
        terminal = Terminal(fd, folder)
        terminal.until("q: quit")
        yield terminal
    finally:
        os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)
        os.close(fd)


def seconds_of(terminal: Terminal, name: str, rounds: int) -> tuple[list[float], list[float]]:
    """Measure the lesson at hand: each round saves what it begins with, and then the solution."""
    lesson, wrong, right = lessons.find(name), list[float](), list[float]()
    for number in range(rounds):
        before = f"{lesson.rules.read_text()}\n# {number}\n"
        wrong.append(terminal.save(name, before, f"{lesson.number} is not passed yet"))
        terminal.until("q: quit")
        solved = f"{lesson.solution.read_text()}\n# {number}\n"
        right.append(terminal.save(name, solved, f"{lesson.number} is passed"))
        terminal.until("q: quit")
    return wrong, right
