"""Writes files of others as RouteTests, for whoever wants to keep those instead."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from meshdemo.errors import InputError
from meshdemo.objects import documents
from meshdemo.objects.sources import STDIN, URL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from meshdemo.suite.model import TestFile


def text(files: Sequence[TestFile], folder: Path) -> str:
    """Write what was read of files of others; rules are named as seen from a folder.

    What their tests do not say any more stands above them as comments. Raises InputError for files
    that are RouteTests already.
    """
    if ours := [file.path for file in files if not file.is_of_others]:
        hint = "It is for files of istio-config-validator and router_check_tool."
        raise InputError(f"--convert: {', '.join(ours)} is a RouteTest already", hint=hint)
    return "".join("".join(_document(file, folder)) for file in files)


def _document(file: TestFile, folder: Path) -> Iterator[str]:
    yield "---\n"
    yield from (f"# {remark}\n" for remark in file.remarks)
    assert file.item is not None  # noqa: S101 - for the type checker: it was read from one
    data = dict(file.item.data)
    tests = {name: data.pop(name) for name in ("standIns", "tests") if name in data}
    named = [each if URL.match(each) else os.path.relpath(each, folder) for each in file.rules
             if each != STDIN]  # fmt: skip
    rules = {"rules": named} if named else {}
    yield documents.write([{**data, **rules, **tests}]).removeprefix("---\n")
