"""How far the students are: the tour writes it into a ConfigMap of each namespace."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime  # noqa: TC003 - msgspec reads the annotations
from functools import partial
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from meshdemo.engines.cluster.api.connection import Forbidden

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshdemo.engines.cluster.api.kube import Kube

CONFIG_MAP, KEY = "meshdemo-tour", "progress.json"
AT_ONCE = 8
UNREADABLE = f"the ConfigMap {CONFIG_MAP} is not as the tour writes it"
YEARS = range(1970, 9999)
"""Those in which a moment can be said in any time zone."""


class LastCheck(Struct, frozen=True):
    """The last time that a student had a lesson checked."""

    lesson: int
    passed: bool
    at: datetime


class Progress(Struct, frozen=True):
    """What the tour writes."""

    lesson: int = 0
    """The number of the lesson at hand; 0 before the first."""
    passed: tuple[int, ...] = ()
    """The numbers of the lessons that are passed."""
    last: LastCheck | None = None


class Student(Struct, frozen=True):
    """One student, and how far they are."""

    name: str
    progress: Progress
    trouble: str = ""
    """Why that is not known; empty if it is."""


def write(kube: Kube, namespace: str, progress: Progress) -> None:
    """Say in a namespace how far its student is; who may not write there says nothing."""
    data = {KEY: msgspec.json.encode(progress).decode()}
    try:
        if kube.get("v1", "ConfigMap", CONFIG_MAP, namespace) is not None:
            kube.patch("v1", "ConfigMap", CONFIG_MAP, {"data": data}, namespace)
            return
        metadata = {"name": CONFIG_MAP, "namespace": namespace}
        kube.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
    except Forbidden:
        return


def look(kube: Kube, students: Sequence[str]) -> tuple[Student, ...]:
    """Ask how far each of them is."""
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        return tuple(pool.map(partial(_student, kube), students))


def _student(kube: Kube, name: str) -> Student:
    try:
        found = kube.get("v1", "ConfigMap", CONFIG_MAP, name)
    except Forbidden:
        return Student(name, Progress(), "you are not allowed to see it")
    if found is None:
        return Student(name, Progress())
    try:  # a student may write there whatever they like
        said = (found.get("data") or {}).get(KEY) or ""
        written = msgspec.json.decode(said, type=Progress)
    except (msgspec.DecodeError, UnicodeError):
        return Student(name, Progress(), UNREADABLE)
    if written.last and written.last.at.year not in YEARS:
        return Student(name, Progress(), UNREADABLE)
    return Student(name, written)
