"""What a person sees while a command runs: steps on standard error, counted answers as results."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from meshdemo.language import ENGLISH, joined
from meshdemo.report.bars import live_bars, show_tally
from meshdemo.report.documents import applied_document, tally_document
from meshdemo.report.heartbeat import FIRST_WORD_SECONDS, Heartbeat
from meshdemo.report.terminal import Terminal
from meshdemo.system.plural import counted
from meshdemo.walkthrough.events import (
    Accepted,
    Checked,
    Counted,
    Finished,
    Measuring,
    Note,
    Started,
    Waiting,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from meshdemo.errors import Problem
    from meshdemo.report.commands import Commands
    from meshdemo.report.spinner import Spinner
    from meshdemo.walkthrough.events import Event, Story

T = TypeVar("T")
STEP_WIDTH = 8
ALIKE = 5
"""How many warnings with one code are shown."""


class Progress:
    """Watches a story. Without a terminal each sentence comes once and nothing moves."""

    def __init__(self, out: Terminal, err: Terminal) -> None:
        self.out, self.err = out, err
        self.quiet = self.verbose = self.json = self.explains = False
        self.json_lines = False
        """Whether each document is one line, because there are several."""
        self.data: dict[str, Any] = {"steps": [], "splits": [], "warnings": [], "notes": []}
        """What a program wants to know of it, for the JSON document."""
        self.patience = FIRST_WORD_SECONDS
        """Seconds until a measurement says how far it is, where nothing turns."""
        self._said: set[str] = set()
        self.measuring: Measuring | None = None
        """The measurement that is under way, or was when the story broke off."""
        self._warnings: set[str] = set()
        self._spinner: Spinner | None = None
        self._heartbeat: Heartbeat | None = None

    @property
    def remarks(self) -> dict[str, Any]:
        """What is worth a word, where the steps themselves are not the result."""
        return {name: self.data[name] for name in ("warnings", "notes")}

    @classmethod
    def on(cls, out: TextIO, err: TextIO) -> Progress:
        """Make one for two streams."""
        return cls(Terminal(out), Terminal(err))

    def configure(self, *, quiet: bool, verbose: bool, json: bool) -> None:
        """Heed the options about output."""
        self.quiet, self.verbose, self.json = quiet, verbose, json

    def speak(self, language: str) -> None:
        """Write sentences in this language, as far as they are translated and can be shown."""
        for terminal in (self.out, self.err):
            terminal.language = language if terminal.unicode else ENGLISH

    def spell(self, commands: Commands) -> None:
        """Spell the commands that are advised as they work here."""
        self.out.commands = self.err.commands = commands

    def follow(self, story: Story[T]) -> T:
        """Run a story to its end, show what happens, and give its result."""
        try:
            while True:
                self._show(next(story))
        except StopIteration as end:
            self.measuring = None
            result: T = end.value
            return result
        finally:
            self._stop_spinner()

    def notify(self, text: str, *, lasting: bool = False, always: bool = False) -> None:
        """Tell how a step goes; what is ``lasting`` stays, ``always`` also when it is quiet."""
        if lasting or always:
            with self._spinner.aside() if self._spinner else nullcontext():
                self._line(f"  {text}", always=always)
        elif self._spinner:
            self._spinner.say(text)
        else:
            self._line(f"  {text}")

    def say(self, text: str) -> None:
        """Write a sentence that belongs to no step."""
        self._line(text)

    def _show(self, event: Event) -> None:
        self._stop_spinner()
        self.measuring = None
        shown: dict[type[Event], Callable[[Any], None]] = {
            Started: self._start,
            Finished: self._finish,
            Waiting: self._wait,
            Measuring: self._measure,
            Counted: self._count,
            Accepted: self._accept,
            Checked: self._check,
            Note: self._note,
        }
        shown[type(event)](event)

    def _note(self, event: Note) -> None:
        self.data["warnings" if event.warning else "notes"].append({"message": event.text})
        self.warn(event.text) if event.warning else self._line(f"note: {event.text}")

    def warn(self, text: str) -> None:
        """Say what will surprise, once; also when quiet was asked for."""
        self._line(joined(" ", [self.err.paint("warning:", "yellow"), text]), always=True)

    def explain(self, commands: Iterable[str]) -> None:
        """Show what a person would type for a step."""
        for command in commands:
            if command not in self._said:
                self._said.add(command)
                self.err.command(command)

    def _start(self, event: Started) -> None:
        if self.explains:
            self.explain(event.commands)
        if not self.quiet:
            self._spinner = self.err.spinner(f"{event.name}: {event.does}")

    def _wait(self, event: Waiting) -> None:
        if not self.quiet:
            self._spinner = self.err.spinner(f"waiting {event.what}")

    def _measure(self, event: Measuring) -> None:
        """Show answers as they come; where nothing turns how many, if they take their time."""
        self.measuring = event
        if self.quiet:
            return
        self._spinner = self.err.spinner(lambda: live_bars(self.err, event))
        if self._spinner is None:
            self._heartbeat = Heartbeat(
                lambda seconds: self._line(f"  {event.so_far} after {seconds:.0f} s"), self.patience
            )

    def _finish(self, event: Finished) -> None:
        self.data["steps"].append(
            {"name": event.name, "result": event.result, "seconds": round(event.seconds, 6)}
        )
        name = event.name.ljust(STEP_WIDTH)
        took = self.err.paint(f"({event.seconds:.2f} s)", "dim")
        self._line(f"{self.err.mark(event.ok)} {name} {event.result} {took}")

    def _count(self, event: Counted) -> None:
        self.data["splits"].append(
            {"name": event.title, "seconds": round(event.seconds, 6), **tally_document(event.tally)}
        )
        if not (self.json or self.quiet):
            self.out.line()
            show_tally(
                self.out, f"{event.title}, {counted(event.tally.total, 'answer')}:", event.tally
            )

    def _accept(self, event: Accepted) -> None:
        applied = event.applied
        for name, found in applied_document(applied).items():
            self.data[name] += [item for item in found if item not in self.data[name]]
        self._warn_of(applied.warnings)
        for note in applied.notes:
            self._line(f"note: {note}")

    def _warn_of(self, found: Sequence[Problem]) -> None:
        """Say each warning, but of those with one code only the first ones."""
        fresh = [warning for warning in found if str(warning) not in self._warnings]
        self._warnings.update(map(str, fresh))
        left_out: Counter[str] = Counter()
        alike: Counter[str] = Counter()
        for warning in fresh:
            alike[warning.code] += 1
            if warning.code and alike[warning.code] > ALIKE and not self.verbose:
                left_out[warning.code] += 1
            else:
                self.warn(str(warning))
        for code, count in left_out.items():
            self.warn(f"{count:,} more of {code}: -v shows them")

    def _check(self, event: Checked) -> None:
        check = event.check
        if self.verbose or not check.ok:
            said = f": {check.detail}" if check.detail else ""
            self._line(f"  {self.err.mark(check.ok)} {check.name}{said}")

    def _line(self, text: str, *, always: bool = False) -> None:
        if (self.quiet and not always) or text in self._said:
            return
        self._said.add(text)
        self.err.advise(text)

    def _stop_spinner(self) -> None:
        if self._spinner:
            self._spinner.stop()
            self._spinner = None
        if self._heartbeat:
            self._heartbeat.stop()
            self._heartbeat = None
