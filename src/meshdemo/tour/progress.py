"""How far a learner is: a file in the state directory, and the files that are edited beside it.

tour/progress.json    the lesson at hand, the lessons passed, what is in force and where
tour/NAME.yaml        the learner's file of the lesson NAME
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta, Struct, field

from meshdemo.errors import EnvironmentFailed, InputError, Problem, advice
from meshdemo.system import filelock, files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from meshdemo.engines.results import Where
    from meshdemo.tour.lessons import Lesson

FOLDER, FILE = "tour", "progress.json"
WAIT_SECONDS = 60.0
"""How long a command waits for another one that is putting a lesson in force."""


class Staged(Struct):
    """Which lesson is in force, and where."""

    lesson: str
    """Empty while one is put there; where that broke off, parts of two lessons may be there."""
    mesh: list[str]
    """Engine, context and namespace."""
    applied: str
    """What was applied last: the learner's file, or the solution."""
    begun: list[str] = field(default_factory=list)
    """The file as it was when applying it began and failed: some of it may be there."""
    between: list[str] = field(default_factory=list)
    """The lessons of which parts may be there."""
    unasked: str | None = None
    """The learner's file as it was when the solution was applied in its place."""
    renewed: int = 0
    """How often checks have put rules in anew, so that sidecars forget what they counted."""

    def has_seen(self, text: str) -> bool:
        """Tell whether the learner's file is as it was when anything was applied last."""
        return not self.begun and text == (self.applied if self.unasked is None else self.unasked)


class LastCheck(Struct):
    """The last time that a lesson was checked."""

    lesson: str
    passed: bool
    at: datetime


class Progress(Struct):
    """What is remembered from one command to the next."""

    lesson: str = ""
    """The lesson at hand; empty before the first."""
    passed: list[str] = field(default_factory=list)
    again: bool = False
    """Whether the lesson at hand was passed before the learner chose it."""
    hints: dict[str, Annotated[int, Meta(ge=0)]] = field(default_factory=dict)
    """How many hints of a lesson were shown."""
    steps: dict[str, Annotated[int, Meta(ge=0)]] = field(default_factory=dict)
    """How many steps of a lesson's check held, one after the other."""
    staged: Staged | None = None
    last: LastCheck | None = None

    def is_staged(self, lesson: Lesson, where: Where) -> bool:
        """Tell whether a lesson was begun in this mesh, and no other one since."""
        found = self.staged
        return found is not None and (found.lesson, found.mesh) == (lesson.name, mesh(where))

    def was_begun(self, lesson: Lesson, where: Where) -> bool:
        """Tell whether a lesson was set up in this mesh, be it in force now or not any more."""
        staged = self.staged
        is_here = staged is None or staged.mesh == mesh(where)
        return is_here and lesson.name in (self.lesson, staged and staged.lesson)

    def is_done(self, lesson: Lesson) -> bool:
        """Tell whether a lesson was passed, and not chosen again since."""
        return lesson.name in self.passed and not (self.again and lesson.name == self.lesson)

    def applied(self, where: Where) -> list[str]:
        """Give the learner's file as it was applied in this mesh last, and what failed since."""
        staged = self.staged
        return [staged.applied, *staged.begun] if staged and staged.mesh == mesh(where) else []


def mesh(where: Where) -> list[str]:
    """Name a mesh, to be recognised."""
    return [where.engine, where.context, where.namespace]


class Desk:
    """The folder in which the learner's files and the progress are."""

    def __init__(self, state_dir: Path) -> None:
        self.folder = state_dir / FOLDER
        self.progress = self._read()

    @contextmanager
    def changing(self, timeout: float = WAIT_SECONDS) -> Iterator[Progress]:
        """Change the progress as it is now, and write it down: other commands do so, too.

        Raises TimedOut if one of them goes on for longer.
        """
        prepare = partial(files.make_folder, self.folder)
        with filelock.hold_folder(self.folder, timeout=timeout, prepare=prepare):
            self.progress = self._read()
            yield self.progress
            self.save()

    def forget_mesh(self, where: Where) -> None:
        """Know that nothing of the tour is in this mesh any more; what was learned stays."""
        if (staged := self.progress.staged) and staged.mesh == mesh(where):
            with self.changing() as progress:
                progress.staged = None

    def note(self, lesson: Lesson, where: Where, *, passed: bool, steps: int = 0) -> bool:
        """Remember what came of a check; tell whether the lesson is passed.

        It is not where another command has put another one in its place meanwhile. Of a check in
        ``steps``, so many of them hold now; 0 if it is no news.
        """
        with self.changing() as progress:
            if progress.is_staged(lesson, where) and steps:
                progress.steps[lesson.name] = steps
            passed = passed and progress.is_staged(lesson, where)
            if passed and lesson.name not in progress.passed:
                progress.passed.append(lesson.name)
            if passed:
                progress.steps.pop(lesson.name, None)
                progress.again = progress.again and lesson.name != progress.lesson
            if progress.was_begun(lesson, where):
                moment = datetime.now(timezone.utc).replace(microsecond=0)
                progress.last = LastCheck(lesson.name, passed, moment)
        return passed

    def reload(self) -> None:
        """Read the progress again, which another command may have written."""
        self.progress = self._read()

    def _read(self) -> Progress:
        """Read the progress; there is none yet where there is no file."""
        file = self.folder / FILE
        try:
            return msgspec.json.decode(files.read(file), type=Progress)
        except (FileNotFoundError, NotADirectoryError):
            return Progress()
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self.damaged(str(error)) from error

    def damaged(self, why: str) -> EnvironmentFailed:
        """Make the error for a progress that cannot be used."""
        message = f"{self.folder / FILE} cannot be used: {why}"
        hint = "Remove it to begin the tour anew. The files that you edited stay."
        return EnvironmentFailed(message, hint=hint)

    def save(self) -> None:
        """Write the progress down while it is being changed: whoever quits now loses nothing."""
        said: Any = msgspec.to_builtins(self.progress)
        text = json.dumps(said, indent=2, ensure_ascii=False)
        files.write(self.folder / FILE, text + "\n", durable=True)

    def file(self, lesson: Lesson) -> Path:
        """Say where the learner's file of a lesson is."""
        return self.folder / f"{lesson.name}.yaml"

    def text(self, lesson: Lesson) -> str:
        """Give what the learner's file says; as it begins where there is none."""
        file = self.file(lesson)
        try:
            return files.read(file).decode()
        except (FileNotFoundError, NotADirectoryError):
            return lesson.rules.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            wrong = Problem("it is not UTF-8", file=str(file))
            raise InputError("the manifests cannot be used", [wrong]) from error
        except OSError as error:
            message = f"{file} cannot be read: {error.strerror}"
            raise EnvironmentFailed(message, hint=advice(error)) from error

    def lay_out(self, lesson: Lesson) -> Path:
        """Put the learner's file there, unless it is there already."""
        file = self.file(lesson)
        if not file.exists():
            files.write(file, lesson.rules.read_bytes())
        return file

    def renew(self, lesson: Lesson) -> Path | None:
        """Put the learner's file back to how it begins; give the copy of one that was edited."""
        file, kept = self.file(lesson), None
        if file.exists() and (old := files.read(file)) != lesson.rules.read_bytes():
            kept = next(path for n in range(1, 10_000) if not (path := _copy(file, n)).exists())
            files.write(kept, old)
        files.write(file, lesson.rules.read_bytes())
        return kept


def _copy(file: Path, number: int) -> Path:
    return file.with_name(f"{file.stem}.{number}.yaml")
