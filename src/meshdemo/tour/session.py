"""The tour that stays in its terminal: each save is checked, and a pass leads to the next lesson.

All that is to be remembered is in files after each step, so that whoever quits loses nothing; and
whatever is typed in another terminal meanwhile (``tour goto``, ``tour check``) counts here.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from meshdemo.tour import watching

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshdemo.report import Report
    from meshdemo.report.terminal import Terminal
    from meshdemo.tour.lessons import Lesson
    from meshdemo.tour.progress import Desk
    from meshdemo.tour.telling import Teller
    from meshdemo.tour.watching import Sign

HINT, QUIT = "h", "q"


class Session:
    """Stays with a learner until they quit."""

    def __init__(
        self,
        desk: Desk,
        teller: Teller,
        terminal: Terminal,
        *,
        check: Callable[[Lesson], Report | None],
        hint: Callable[[Lesson], Report],
        go_on: Callable[[], tuple[Lesson, Report]],
    ) -> None:
        """Take what is done: ``check`` gives None where it was refused, and has said why."""
        self.desk, self.teller, self.terminal = desk, teller, terminal
        self._check, self._hint, self._go_on = check, hint, go_on

    def stay(self, lesson: Lesson, keyboard: int) -> None:
        """Check what is saved or done, until the learner quits."""
        signs = watching.signs(self.desk.folder, keyboard)
        next(signs)
        self._invite(lesson)
        for sign in signs:
            if sign.ended or sign.typed == QUIT:
                return
            lesson = self._heed(lesson, sign)

    def _heed(self, lesson: Lesson, sign: Sign) -> Lesson:
        """Do what a sign asks for, and give the lesson at hand then."""
        was_passed = lesson.name in self.desk.progress.passed
        if sign == watching.Sign():
            return lesson
        self.desk.reload()
        at_hand = self.teller.at_hand(lesson)
        if at_hand.name != lesson.name:  # another terminal went there
            self.teller.lesson(at_hand).show(self.terminal)
            self._invite(at_hand)
            return at_hand
        is_passed = lesson.name in self.desk.progress.passed
        if sign.typed == HINT:
            self._hint(lesson).show(self.terminal)
        elif sign.typed == "" and is_passed:
            lesson, report = self._go_on()
            report.show(self.terminal)
            self._invite(lesson)
        elif sign.typed == "" or self.desk.file(lesson).name in sign.saved:
            if found := self._check(lesson):
                found.show(self.terminal)
            self._invite(lesson)
        elif is_passed and not was_passed:  # another terminal checked it
            self.terminal.advise(self.teller.words("passed", number=lesson.number))
            self._invite(lesson)
        return lesson

    def _invite(self, lesson: Lesson) -> None:
        """Say what may be done now."""
        passed = lesson.name in self.desk.progress.passed
        said = "watching, passed" if passed else "watching"
        file = os.path.relpath(self.desk.file(lesson))
        file = str(self.desk.file(lesson)) if file.startswith("..") else file
        self.terminal.line("")
        self.terminal.advise(self.teller.words(said, file=file))
