"""The tour that stays in its terminal: it checks what is saved, and what changes in the mesh.

All that is to be remembered is in files after each step, so that whoever quits loses nothing; and
whatever is typed in another terminal meanwhile (``route v2``, ``tour goto``) counts here.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from meshdemo.tour import lessons, watching

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from meshdemo.report import Report
    from meshdemo.report.terminal import Terminal
    from meshdemo.tour.lessons import Lesson
    from meshdemo.tour.mesh_changes import Changes
    from meshdemo.tour.progress import Staged
    from meshdemo.tour.telling import Teller
    from meshdemo.tour.watching import Sign

HINT, QUIT = "h", "q"


class Session:
    """Stays with a learner until they quit."""

    def __init__(
        self,
        teller: Teller,
        terminal: Terminal,
        mesh: Changes,
        *,
        check: Callable[[Lesson], Report | None],
        hint: Callable[[Lesson], Report],
        go_on: Callable[[], tuple[Lesson, Report] | None],
    ) -> None:
        """Take what is done: ``check`` and ``go_on`` give None where they failed, and said why.

        So does ``go_on`` where no lesson is left, which the invitation says.
        """
        self.desk, self.teller, self.terminal, self.mesh = teller.desk, teller, terminal, mesh
        self._check, self._hint, self._go_on = check, hint, go_on
        self._laid_out = 0

    def stay(self, lesson: Lesson, keyboard: int) -> None:
        """Check what is saved or done, until the learner quits."""
        signs = watching.signs(self.desk.folder, keyboard, self.mesh)
        next(signs)
        self._invite(lesson)
        for sign in signs:
            if sign.ended or sign.typed == QUIT:
                return
            lesson = self._heed(lesson, sign)

    def _heed(self, lesson: Lesson, sign: Sign) -> Lesson:
        """Do what a sign asks for, and give the lesson at hand then."""
        was_passed = self.desk.progress.is_done(lesson)
        if sign == watching.Sign():
            return lesson
        self.desk.reload()
        at_hand = self.teller.at_hand(lesson)
        if at_hand.name != lesson.name:  # another terminal went there
            self._arrive(at_hand, self.teller.lesson(at_hand))
            return at_hand
        is_passed = self.desk.progress.is_done(lesson)
        if sign.typed == HINT:
            self._hint(lesson).show(self.terminal)
        elif sign.typed:  # a key without a meaning: say which have one
            self._invite(lesson)
        elif sign.typed == "" and is_passed:
            if found := self._go_on():
                lesson, report = found
                self._arrive(lesson, report)
            else:
                self._invite(lesson)
        elif sign.typed == "" or self._is_saved(lesson, sign):
            self._check_now(lesson)
        elif sign.changed and not is_passed and self._in_force(lesson):
            self.terminal.advise(self.teller.words("mesh changed"))
            self._check_now(lesson)
        elif is_passed and not was_passed:  # another terminal checked it
            self.terminal.advise(self.teller.words("passed", number=lesson.number))
            self._invite(lesson)
        return lesson

    def _is_saved(self, lesson: Lesson, sign: Sign) -> bool:
        """Tell whether the learner saved their file; the tour itself lays it out."""
        file = self.desk.file(lesson)
        return file.name in sign.saved and _modified(file) != self._laid_out

    def _arrive(self, lesson: Lesson, report: Report) -> None:
        """Show a lesson that was just set up."""
        self._laid_out = _modified(self.desk.file(lesson))
        self.mesh.accept()
        report.show(self.terminal)
        self._invite(lesson)

    def _check_now(self, lesson: Lesson) -> None:
        """Check; what that itself applies is no news. What others change meanwhile is."""
        before = self._in_force(lesson)
        if found := self._check(lesson):
            found.show(self.terminal)
        if self._in_force(lesson) != before:
            self.mesh.accept()
        self._invite(lesson)

    def _in_force(self, lesson: Lesson) -> Staged | None:
        """Give what was applied of a lesson; None while another one is in force."""
        staged = self.desk.progress.staged
        return staged if staged and staged.lesson == lesson.name else None

    def _invite(self, lesson: Lesson) -> None:
        """Say what may be done now."""
        is_done = self.desk.progress.is_done(lesson)
        said = "watching, passed" if is_done else "watching"
        if is_done and not lessons.left(self.desk.progress.passed):
            said = "watching, all passed"
        file = os.path.relpath(self.desk.file(lesson))
        file = str(self.desk.file(lesson)) if file.startswith("..") else file
        self.terminal.line("")
        self.terminal.advise(self.teller.words(said, file=file))


def _modified(file: Path) -> int:
    """Say when a file was modified, in nanoseconds of the system's clock; 0 if it is not there."""
    with suppress(OSError):
        return file.stat().st_mtime_ns
    return 0
