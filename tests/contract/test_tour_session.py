"""The tour that stays in a terminal: it checks what is saved and typed, and loses nothing."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from tests.paths import PROGRAM

from meshdemo.errors import ExitCode
from meshdemo.tour import lessons

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIMIT = 60
"""Seconds after which nothing comes any more."""


class Terminal:
    """A terminal with the tour in it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.seen = folder, ""
        self.child, self.fd = pty.fork()
        if self.child == 0:
            os.execv(PROGRAM, [str(PROGRAM), *self._words("tour")])  # noqa: S606 - it is ours

    def _words(self, *words: str) -> list[str]:
        return [*words, "--state-dir", str(self.folder)]

    def elsewhere(self, *words: str) -> None:
        """Type a command in another terminal."""
        subprocess.run([PROGRAM, *self._words(*words)], check=True, capture_output=True)

    def types(self, line: str) -> None:
        os.write(self.fd, f"{line}\n".encode())

    def shows(self, text: str) -> None:
        deadline = time.monotonic() + LIMIT
        while text not in self.seen:
            assert time.monotonic() < deadline, self.seen
            if select.select([self.fd], [], [], 0.05)[0]:
                self.seen += os.read(self.fd, 65536).decode(errors="replace")
        self.seen = self.seen.partition(text)[2]

    def does_not_show(self, text: str, seconds: float = 2.0) -> None:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self.fd], [], [], left)[0]:
                self.seen += os.read(self.fd, 65536).decode(errors="replace")
        assert text not in self.seen, self.seen

    def ends(self, stop: int) -> int:
        os.kill(self.child, stop)
        code = os.waitstatus_to_exitcode(os.waitpid(self.child, 0)[1])
        self.child = 0
        return code


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    monkeypatch.setenv("MESHDEMO_LANG", "en")
    made = Terminal(tmp_path / "state")
    yield made
    if made.child:
        made.ends(signal.SIGKILL)
    os.close(made.fd)
    made.elsewhere("down")


def test_saves_and_other_terminals_are_heeded_and_a_pass_leads_on(terminal: Terminal) -> None:
    lesson = lessons.find("header")
    file = terminal.folder / "tour" / "header.yaml"
    terminal.shows("q: quit")
    terminal.elsewhere("up")
    terminal.shows("The mesh has changed")
    terminal.shows("Lesson 1 is passed")
    terminal.shows("q: quit")
    terminal.elsewhere("tour", "goto", "3")
    terminal.shows("Lesson 3")
    terminal.shows("q: quit")
    solution = lesson.solution.read_text()
    file.write_text(solution.replace("subset: v2", "subsett: v2"))
    terminal.shows("did you mean")
    terminal.shows("q: quit")
    file.write_text(solution.replace("anna", "bob"))
    terminal.shows("not passed yet")
    terminal.shows("q: quit")
    terminal.types("help")
    terminal.shows("h: a hint; q: quit")
    terminal.types("h")
    terminal.shows("Hint 1")
    terminal.elsewhere("delete", "vs", "app")
    terminal.shows("The mesh has changed")
    terminal.shows("not passed yet")
    file.write_text(solution)
    terminal.shows("Lesson 3 is passed")
    terminal.shows("q: quit")
    terminal.types("")
    terminal.shows("Lesson 4")
    terminal.shows("q: quit")
    terminal.does_not_show("not passed yet")  # what the tour lays out is no save
    assert terminal.ends(signal.SIGINT) == ExitCode.INTERRUPTED
    progress = json.loads((file.parent / "progress.json").read_text())
    assert (progress["lesson"], progress["passed"]) == ("path", ["walkthrough", "header"])
    assert progress["hints"] == {"header": 1}
    assert file.read_text() == solution


def test_after_the_last_lesson_there_is_no_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESHDEMO_LANG", "en")
    folder = tmp_path / "state"
    names = [lesson.name for lesson in lessons.every()]
    (folder / "tour").mkdir(parents=True)
    progress = {"lesson": names[-1], "passed": names}
    (folder / "tour" / "progress.json").write_text(json.dumps(progress))
    made = Terminal(folder)
    try:
        made.shows("All lessons are passed")
        made.types("")
        made.shows("All lessons are passed")
        assert "Lesson" not in made.seen
    finally:
        made.ends(signal.SIGINT)
        made.elsewhere("down")
        os.close(made.fd)
