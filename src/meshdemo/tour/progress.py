"""How far a learner is: a file in the state directory, and the files that are edited beside it.

tour/progress.json    the lesson at hand, the lessons passed, what is in force and where
tour/NAME.yaml        the learner's file of the lesson NAME
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct, field

from meshdemo.errors import EnvironmentFailed, InputError, Problem
from meshdemo.system import files

if TYPE_CHECKING:
    from pathlib import Path

    from meshdemo.engines.results import Where
    from meshdemo.tour.lessons import Lesson

FOLDER, FILE = "tour", "progress.json"


class Staged(Struct):
    """Which lesson is in force, and where."""

    lesson: str
    mesh: list[str]
    """Engine, context and namespace."""
    applied: str
    """The learner's file as it was applied last."""
    begun: list[str] = field(default_factory=list)
    """The file as it was when applying it began and failed: some of it may be there."""


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
    hints: dict[str, int] = field(default_factory=dict)
    """How many hints of a lesson were shown."""
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

    def note(self, lesson: Lesson, *, passed: bool) -> None:
        """Remember what came of a check."""
        if passed and lesson.name not in self.progress.passed:
            self.progress.passed.append(lesson.name)
        moment = datetime.now(timezone.utc).replace(microsecond=0)
        self.progress.last = LastCheck(lesson.name, passed, moment)
        self.save()

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
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            message = f"{file} cannot be used: {error}"
            hint = "Remove it to begin the tour anew. The files that you edited stay."
            raise EnvironmentFailed(message, hint=hint) from error

    def save(self) -> None:
        """Write the progress down; whoever quits afterwards loses nothing."""
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
            wrong = Problem("it is not text", file=str(file))
            raise InputError("the manifests cannot be used", [wrong]) from error
        except OSError as error:
            raise EnvironmentFailed(f"{file} cannot be read: {error.strerror}") from error

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
