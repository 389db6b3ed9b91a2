"""The reports of the tour: a lesson, the list of them, what a check found."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from meshdemo.language import spoken
from meshdemo.report import Report
from meshdemo.report.documents import problem_document
from meshdemo.report.suite_report import EXIT_CODES, MARKS, UNDECIDED
from meshdemo.tour import lessons
from meshdemo.verdict.judgement import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from meshdemo.report.terminal import Terminal
    from meshdemo.suite.results import CaseResult
    from meshdemo.tour.checking import Checked
    from meshdemo.tour.lessons import Lesson
    from meshdemo.tour.progress import Desk
    from meshdemo.tour.words import Words

_BLOCK = re.compile(r"^```\w*\n(.*?)^```\n?", re.MULTILINE | re.DOTALL)
_STRONG, _CODE = re.compile(r"\*\*(.+?)\*\*"), re.compile(r"`([^`]+)`")
_PROMPT = "$ "


class Teller:
    """Makes the reports in one language."""

    def __init__(self, desk: Desk, words: Words) -> None:
        self.desk, self.words, self.language = desk, words, words.language

    def at_hand(self, lesson: Lesson) -> Lesson:
        """Give the lesson at hand as the progress says it; else this one."""
        names = {each.name: each for each in lessons.every()}
        return names.get(self.desk.progress.lesson, lesson)

    def listed(self) -> Report:
        """Report which lessons there are, and which are passed."""
        every = lessons.every()

        def show(terminal: Terminal) -> None:
            for track in lessons.TRACKS:
                there = [lesson for lesson in every if lesson.track == track]
                if there:
                    terminal.line(terminal.paint(self.words(track), "bold"))
                for lesson in there:
                    terminal.line(self._row(lesson, terminal))

        return Report({"lessons": [self._document(lesson) for lesson in every]}, show)

    def _row(self, lesson: Lesson, terminal: Terminal) -> str:
        done = lesson.name in self.desk.progress.passed
        mark = terminal.mark(ok=True) if done else " "
        here = " <" if lesson.name == self.desk.progress.lesson else ""
        return f"{mark} {lesson.number:>2}  {lesson.title(self.language)}{here}"

    def lesson(self, lesson: Lesson, kept: Path | None = None, *, is_reset: bool = False) -> Report:
        """Report what is to be done in a lesson; ``kept`` is a copy of a file that was edited."""
        words, file = self.words, self.desk.file(lesson)

        def show(terminal: Terminal) -> None:
            if is_reset:
                terminal.advise(words("reset", number=lesson.number))
            if kept:
                terminal.advise(words("kept", file=kept))
            title = words("lesson", number=lesson.number, title=lesson.title(self.language))
            terminal.line(terminal.paint(title, "bold"))
            terminal.line("")
            self._show(terminal, lesson.text(self.language), file)
            terminal.line("")
            terminal.line(words("your file", file=file))
            terminal.advise(words("when done"))
            terminal.advise(words("stuck"))

        data = {
            "lesson": self._document(lesson),
            "file": str(file),
            "kept": str(kept) if kept else None,
            "text": lesson.text(self.language).replace(lessons.FILE, str(file)),
        }
        return Report(data, show)

    def hint(self, lesson: Lesson, shown: int) -> Report:
        """Report the hint of a number, from 1."""
        hints = lesson.hints(self.language)
        hint = hints[shown - 1].replace(lessons.FILE, str(self.desk.file(lesson)))

        def show(terminal: Terminal) -> None:
            terminal.advise(self.words("hint", shown=shown, count=len(hints), hint=hint))

        data = {"lesson": self._document(lesson), "hint": hint, "hints": len(hints)}
        return Report(data, show)

    def solution(self, lesson: Lesson, *, is_applied: bool) -> Report:
        """Report the solution of a lesson, or that it was put into force."""
        text = lesson.solution.read_text(encoding="utf-8")

        def show(terminal: Terminal) -> None:
            if is_applied:
                terminal.advise(self.words("solved", number=lesson.number))
            else:
                terminal.line(text.rstrip("\n"))

        data = {"lesson": self._document(lesson), "solution": text, "applied": is_applied}
        return Report(data, show)

    def checked(self, lesson: Lesson, found: Checked) -> Report:
        """Report what a check found: 0 passed, 1 not passed, 4 where the answers do not decide."""
        tests = lesson.tests(self.language)

        def show(terminal: Terminal) -> None:
            for case in found.cases:
                self._show_case(terminal, case, tests.get(case.test.name, case.test.name))
            for name in found.unasked:
                terminal.advise(terminal.paint(f"  {tests.get(name, name)}", "dim"))
            if found.passed:
                self._show_passed(terminal, lesson)
                return
            if found.following:
                following = tests.get(found.following, found.following)
                terminal.advise(_held(found, following, self.words))
                return
            undecided = found.outcome is Outcome.INCONCLUSIVE
            said = "undecided" if undecided else "not passed"
            terminal.advise(self.words(said, number=lesson.number))
            if found.reason:
                cause = self.words(found.reason, number=lesson.number)
                terminal.advise(f"  {self.words('cause')}: {cause}")
            for problem in found.problems:
                terminal.advise(f"    {spoken(problem.message, self.language)}")
            if self.at_hand(lesson).name == lesson.name:
                terminal.advise(self.words("stuck"))
            else:
                terminal.advise(self.words("stuck there", number=lesson.number))

        data = {
            "lesson": self._document(lesson),
            "passed": found.passed,
            "cause": "; ".join(dict.fromkeys(self._causes(lesson, found))) or None,
            "tests": [_case_document(case) for case in found.cases],
            "problems": [problem_document(each) for each in found.problems],
        }
        return Report(data, show, EXIT_CODES[found.outcome])

    def _causes(self, lesson: Lesson, found: Checked) -> Iterator[str]:
        from meshdemo.tour.words import Words  # noqa: PLC0415 - JSON is in English

        if found.reason:
            yield Words("en")(found.reason, number=lesson.number)
        if found.following:
            yield _held(found, found.following, Words("en"))
        for case in found.cases:
            if not case.ok:
                yield case.cause or f"expected was {case.expected}; what came: {case.got}"

    def _show_case(self, terminal: Terminal, case: CaseResult, name: str) -> None:
        mark, style = MARKS.get(case.outcome, UNDECIDED)
        label = f" ({spoken(case.sent.label, self.language)})" if case.sent.label else ""
        terminal.advise(f"{terminal.paint(mark, style)} {name}{label}")
        if case.ok:
            return
        told = {"expected": case.expected, "got": case.got, "cause": case.cause}
        for word, text in told.items():  # what to do about it is what hints are for
            if text:
                terminal.advise(f"    {self.words(word)}: {spoken(text, self.language)}")
        if case.place and case.place.file:
            terminal.line(f"    {case.place.file}:{case.place.line}")

    def _show_passed(self, terminal: Terminal, lesson: Lesson) -> None:
        terminal.advise(terminal.paint(self.words("passed", number=lesson.number), "green"))
        terminal.line("")
        terminal.line(terminal.paint(self.words("why"), "bold"))
        self._show(terminal, lesson.why(self.language), self.desk.file(lesson))
        terminal.line("")
        terminal.advise(self.words("see solution", number=lesson.number))
        left = lessons.left(self.desk.progress.passed)
        terminal.advise(self.words("next" if left else "all passed"))

    def _show(self, terminal: Terminal, text: str, file: Path) -> None:
        """Write a text in Markdown: paragraphs are broken into lines, blocks stay as they are."""
        for number, part in enumerate(_BLOCK.split(text.replace(lessons.FILE, str(file)))):
            is_block = number % 2 == 1
            if number and part.strip():
                terminal.line("")
            for line in part.strip("\n").split("\n") if part.strip() else ():
                if is_block and line.startswith(_PROMPT):
                    terminal.command(terminal.commands.spell(line.removeprefix(_PROMPT)))
                elif is_block:
                    terminal.line(f"    {line}".rstrip())
                else:
                    terminal.paragraph(_marked(line, terminal))

    def _document(self, lesson: Lesson) -> dict[str, Any]:
        return {
            "number": lesson.number,
            "name": lesson.name,
            "track": lesson.track,
            "title": lesson.title(self.language),
            "passed": lesson.name in self.desk.progress.passed,
        }


def _marked(line: str, terminal: Terminal) -> str:
    """Show what Markdown marks as strong or as code; without colours a backtick says it as well."""
    line = _STRONG.sub(lambda found: terminal.paint(found[1], "bold"), line)
    if not terminal.colour:
        return line
    return _CODE.sub(lambda found: terminal.paint(found[1], "cyan"), line)


def _held(found: Checked, following: str, words: Words) -> str:
    """Say that a step holds, and what is next."""
    return words("step holds", step=found.step, steps=found.steps, following=following)


def _case_document(case: CaseResult) -> dict[str, Any]:
    return {
        "name": case.name,
        "ok": case.ok,
        "expected": case.expected,
        "got": case.got,
        "cause": case.cause or None,
        "fix": case.fix or None,
    }
