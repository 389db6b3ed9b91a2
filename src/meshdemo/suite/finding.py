"""Which files are meant: those that are named, and in folders those whose documents say so."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from meshdemo.errors import Problem
from meshdemo.objects import sources
from meshdemo.suite.model import KIND, SUFFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MARK = f"kind: {KIND}"
MARK_IN_JSON = f'"{KIND}"'
LEFT_OUT = frozenset({"node_modules", "vendor", "venv"})
"""Folders of others' files; so are those that begin with a dot."""


def test_files(paths: Sequence[str], problems: list[Problem]) -> Iterator[tuple[str, str]]:
    """Give the files of route tests with their texts, each once.

    A folder stands for all below it that are called ``*.meshtest.yaml``, or say that they are
    RouteTests; what is named itself is given whatever it says. What cannot be read goes to
    ``problems``, and a folder without any.
    """
    seen: set[str] = set()
    for path in paths:
        if not os.path.isdir(path) or path == sources.STDIN:  # noqa: PTH112 - "" is no folder
            for name, text in sources.texts([path], problems):
                if name not in seen:
                    seen.add(name)
                    yield name, text
            continue
        found = 0
        for file in below(path):
            for name, text in sources.texts([file], problems if file.endswith(SUFFIX) else []):
                if file.endswith(SUFFIX) or MARK in text or MARK_IN_JSON in text:
                    found += 1
                    if name not in seen:
                        seen.add(name)
                        yield name, text
        if not found:
            hint = f"a file of tests is called *{SUFFIX}, or says {MARK}"
            problems.append(Problem("no route tests below this folder", file=path, hint=hint))


def below(folder: str) -> list[str]:
    """List the YAML and JSON files of a folder and those in it, in order."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f not in LEFT_OUT)
        found += [str(Path(place) / name) for name in names if name.endswith(sources.SUFFIXES)]
    return sorted(found)
