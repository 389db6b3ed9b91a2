"""The objects of a repository: its folders are searched, and what is no object is left alone.

``kubectl -f`` wants nothing but objects in the files it gets. A repository holds other YAML beside
them (a chart's templates and values, workflows, patches), so here only what says that it is an
object counts, and of that the kinds that somebody knows.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from meshdemo.errors import Problem
from meshdemo.objects import documents, kinds, reading
from meshdemo.objects.sources import STDIN, STDIN_NAME, SUFFIXES, URL, texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from meshdemo.objects.model import Object

NOT_SEARCHED = frozenset({"node_modules", "__pycache__"})
"""Folders of others' files, beside those whose names begin with a dot."""
OBJECT = re.compile(r"""(^|[{,])[ \t-]*["']?apiVersion["']?[ \t]*:""", re.MULTILINE)
KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
OURS = "meshdemo.dev"
_KNOWN = frozenset((kind.group, kind.name) for kind in kinds.KINDS)
_NAMES = frozenset(kind.name for kind in kinds.KINDS)


@dataclass
class Repository:
    """What was found: objects of the kinds that we know, and what else there was."""

    objects: list[Object] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    files: int = 0
    """How many files have objects."""
    other_kinds: dict[str, int] = field(default_factory=dict)
    """How many objects there are of each kind that we do not know."""
    templates: list[str] = field(default_factory=list)
    patches: list[str] = field(default_factory=list)
    """Files that a kustomization names as patches: they are parts of objects."""


def read(sources: Sequence[str], namespace: str) -> Repository:
    """Read files, folders and all below them, https URLs, and ``-`` for standard input.

    An object that names no namespace gets ``namespace``. All that is wrong goes to ``problems``.
    """
    problems: list[Problem] = []
    files = {_absolute(file): file for file in search(sources, problems)}
    found = of_texts(texts(list(files.values()), problems), namespace)
    found.problems[:0] = problems
    return found


def of_texts(every: Iterable[tuple[str, str]], namespace: str) -> Repository:
    """Read the same from texts, each with the name of its file."""
    found = Repository()
    given = dict(every)
    patches = set(_patches(given))
    objects: list[Object] = []
    for file, text in given.items():
        if file != STDIN_NAME and not OBJECT.search(text):
            continue
        if _absolute(file) in patches:
            found.patches.append(file)
        elif file != STDIN_NAME and reading.TEMPLATE in text and _is_template(text, file):
            found.templates.append(file)
        else:
            here = list(_objects(text, file, found))
            found.files += bool(here)
            objects += here
    found.objects = reading.settled(objects, namespace, found.problems)
    return found


def search(
    sources: Sequence[str], problems: list[Problem], suffixes: tuple[str, ...] = SUFFIXES
) -> Iterator[str]:
    """Give the files among sources, of folders those below with such an end to their names.

    A file that is named is given whatever its name is. What is not there goes to ``problems``.
    """
    for source in sources:
        if source == STDIN or URL.match(source) or not os.path.isdir(source):  # noqa: PTH112 - "" is no folder
            yield source
            continue
        for folder, inner, names in os.walk(source, onerror=lambda e: _unread(e, problems)):
            inner[:] = sorted(n for n in inner if n not in NOT_SEARCHED and not n.startswith("."))
            for name in sorted(names):
                if name.endswith(suffixes) and not name.startswith("."):
                    yield os.path.normpath(Path(folder, name))


def _unread(error: OSError, problems: list[Problem]) -> None:
    problems.append(Problem(f"cannot be read: {error.strerror}", file=str(error.filename)))


def _is_template(text: str, file: str) -> bool:
    problems: list[Problem] = []
    list(documents.read(text, file, problems))
    return bool(problems)


def _objects(text: str, file: str, found: Repository) -> Iterator[Object]:
    for document in reading.unpacked(text, file, found.problems):
        data = document.data if isinstance(document.data, dict) else {}
        # Nobody pipes anything but objects.
        if is_known(data) or (file == STDIN_NAME and not isinstance(data.get("kind"), str)):
            if item := reading.checked(document, file, found.problems):
                yield item
        elif isinstance(kind := data.get("kind"), str) and OURS not in str(data.get("apiVersion")):
            found.other_kinds[kind] = found.other_kinds.get(kind, 0) + 1


def is_known(data: Mapping[str, Any]) -> bool:
    """Tell whether we know an object's kind: also where its API version, or Istio's kind, is wrong.

    Another group may have a kind of the same name, as Knative has a Service.
    """
    version, kind = str(data.get("apiVersion") or ""), str(data.get("kind") or "")
    group = version.rpartition("/")[0]
    if group == kinds.NETWORKING_GROUP or (group, kind) in _KNOWN:
        return True
    return kind in _NAMES and "." not in group


def _patches(given: Mapping[str, str]) -> Iterator[str]:
    """Give the files that kustomizations among texts name as patches."""
    for file, text in given.items():
        path = Path(file)
        for document in documents.read(text, file, []) if path.name in KUSTOMIZATIONS else ():
            data = document.data if isinstance(document.data, dict) else {}
            for name in _named_patches(data):
                yield _absolute(str(path.parent / name))


def _named_patches(data: dict[str, Any]) -> Iterator[str]:
    for part in ("patches", "patchesStrategicMerge", "patchesJson6902"):
        for each in data.get(part) or ():
            name = each.get("path") if isinstance(each, dict) else each
            if isinstance(name, str) and "\n" not in name:
                yield name


def _absolute(file: str) -> str:
    """Give what makes it the same file; what is none, as ``-``, stands for itself."""
    if file == STDIN or URL.match(file) or not file:
        return file
    return os.path.abspath(file)  # noqa: PTH100 - Path.absolute leaves ".." in it
