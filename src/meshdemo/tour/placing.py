"""Lessons as they are for a cluster: with images that a registry has, and namespaces of their own.

What is different is written into a copy of the lesson's folder, which is a lesson like any other.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

from meshdemo.engines.protocol import CLUSTER
from meshdemo.system import files
from meshdemo.tour import lessons
from meshdemo.tour.lessons import Lesson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ECHO_APP = Path(__file__).with_name("echo_app.py")
_ECHO = re.compile(r"^( *)- image: meshdemo/echo\n", re.MULTILINE)
_NAMESPACE = re.compile(r"^kind: Namespace\nmetadata:\n  name: (\S+)$", re.MULTILINE)
_PYTHON = """\
- image: dustise/flaskapp
  # An app of a few lines, in an image that has a Python.
  command: [sh, -c, 'exec "$(command -v python3 || command -v python)" -c "$0"']
  args:
    - |
"""


def placed(lesson: Lesson, mesh: Sequence[str], folder: Path) -> Lesson:
    """Give a lesson as it is for a mesh: engine, context and namespace; copies go into a folder.

    On a cluster students share it: so what a lesson has in another namespace is in one that bears
    the name of theirs.
    """
    if not mesh or mesh[0] != CLUSTER:
        return lesson
    namespace = mesh[2]
    names = {name: _beside(namespace, name) for name in namespaces(lesson)}
    return copied(lesson, folder / CLUSTER / namespace, names)


def namespaces(lesson: Lesson) -> tuple[str, ...]:
    """Name the namespaces that a lesson makes."""
    start = lesson.start.read_text(encoding="utf-8") if lesson.start else ""
    return tuple(_NAMESPACE.findall(start))


def beside(namespace: str) -> tuple[str, ...]:
    """Name the namespaces that the lessons make on a cluster, for a learner in this one."""
    names = {name: None for lesson in lessons.every() for name in namespaces(lesson)}
    return tuple(_beside(namespace, name) for name in names)


def _beside(namespace: str, name: str) -> str:
    return f"{namespace}-{name}"


def copied(lesson: Lesson, folder: Path, names: Mapping[str, str]) -> Lesson:
    """Write a lesson for a cluster, in which namespaces are called by other names."""
    target = folder / lesson.track / lesson.folder.name
    for file in sorted(lesson.folder.iterdir()):
        text = for_cluster(file.read_text(encoding="utf-8"), names)
        files.write(target / file.name, text.encode())
    return Lesson(target)


def for_cluster(text: str, names: Mapping[str, str]) -> str:
    """Give a file of a lesson with images that a registry has, and namespaces by other names."""
    for old, new in names.items():
        before = r"(?<=\.)|(?<=`)|(?<=name: )|(?<=namespace: )"
        text = re.sub(rf"(?:{before}){re.escape(old)}\b(?!:)", new, text)
    return _ECHO.sub(lambda found: _indented(_PYTHON + _script(), found[1]), text)


def _script() -> str:
    """Give the app without what it says of itself, as the item of a block."""
    source = ECHO_APP.read_text(encoding="utf-8")
    first = ast.parse(source).body[1].lineno - 1
    return "".join(f"      {line}".rstrip() + "\n" for line in source.splitlines()[first:])


def _indented(text: str, by: str) -> str:
    return "".join(f"{by}{line}".rstrip() + "\n" for line in text.splitlines())
