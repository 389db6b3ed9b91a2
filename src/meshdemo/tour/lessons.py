"""What lessons there are, and what their files say."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from meshdemo.errors import UsageError
from meshdemo.system.plural import counted

if TYPE_CHECKING:
    from collections.abc import Collection

FOLDER = Path(__file__).with_name("lessons")
TRACKS = ("build", "repair")
FILE = "{file}"
"""What stands in a lesson's text for the path of the learner's file."""
_SECTION = re.compile(r"^## .*\n", re.MULTILINE)
_ITEM = re.compile(r"^\d+\. ", re.MULTILINE)
_TEST = re.compile(r"^- (.+?)\uff1a(.+)$", re.MULTILINE)


class Lesson:
    """One lesson, by its folder ``NN-NAME``."""

    def __init__(self, folder: Path) -> None:
        number, _, self.name = folder.name.partition("-")
        self.folder, self.number = folder, int(number)
        self.track = folder.parent.name

    def title(self, language: str) -> str:
        """Give its headline."""
        return self._parts(language)[0].partition("\n")[0].removeprefix("# ")

    def text(self, language: str) -> str:
        """Give what is to be done, in Markdown, without the headline."""
        return self._parts(language)[0].partition("\n")[2].strip()

    def hints(self, language: str) -> list[str]:
        """Give the hints, the vaguest first."""
        return [item.strip() for item in _ITEM.split(self._parts(language)[1])[1:]]

    def why(self, language: str) -> str:
        """Give what the lesson teaches, for who has passed it."""
        return self._parts(language)[2].strip()

    def tests(self, language: str) -> dict[str, str]:
        """Give how a language calls the tests, by their names in the check; none in English."""
        return dict(_TEST.findall("".join(self._parts(language)[3:])))

    def _parts(self, language: str) -> list[str]:
        """Split a text at its headings: what to do, hints, why, and it may be tests."""
        return _SECTION.split((self.folder / f"{language}.md").read_text(encoding="utf-8"))

    @property
    def start(self) -> Path | None:
        """The file with what runs when it begins; None for the walkthrough's app."""
        file = self.folder / "start.yaml"
        return file if file.exists() else None

    @property
    def rules(self) -> Path:
        """The learner's file as it begins."""
        return self.folder / "rules.yaml"

    @property
    def solution(self) -> Path:
        """The learner's file as it should end."""
        return self.folder / "solution.yaml"

    @property
    def check(self) -> Path:
        """The route tests that the mesh must pass; of several documents each is a step."""
        return self.folder / "check.meshtest.yaml"


@cache
def every() -> tuple[Lesson, ...]:
    """Read which lessons there are, in their order."""
    folders = (path for track in TRACKS for path in (FOLDER / track).glob("[0-9]*-*"))
    return tuple(sorted(map(Lesson, folders), key=lambda lesson: lesson.number))


def left(passed: Collection[str]) -> list[Lesson]:
    """Give the lessons that are not among those that are passed, by their names."""
    return [lesson for lesson in every() if lesson.name not in passed]


def find(said: str) -> Lesson:
    """Find a lesson by its number or its name. Raises UsageError where there is none."""
    for lesson in every():
        if said in (lesson.name, str(lesson.number)):
            return lesson
    message = f'there is no lesson "{said}"'
    hint = f"There are {counted(len(every()), 'lesson')}: meshdemo tour list"
    raise UsageError(message, hint=hint)
