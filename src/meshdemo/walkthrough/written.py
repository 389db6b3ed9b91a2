"""Where applied objects were written: file and line, as far as the files still say the same."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from meshdemo.errors import InputError
from meshdemo.objects import reading

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from meshdemo.objects.model import Object

    Key = tuple[str, str, str, str]


def located(
    objects: Iterable[Object], files: Mapping[Key, str], sources: Sequence[str], namespace: str
) -> tuple[Object, ...]:
    """Give the objects with file and lines, where a file has one of the same name and spec.

    ``files`` are those that they were applied from, ``sources`` those that the user names: these
    must be readable. Raises InputError.
    """
    named = reading.read(sources, namespace=namespace) if sources else ()
    own: dict[Key, Object] = {}
    others: dict[Key, Object] = {}
    for file in dict.fromkeys(files.values()):
        with suppress(InputError):  # it was moved or is being edited: then nothing is known of it
            for item in reading.read([_short(file)], namespace=namespace):
                (own if files.get(item.key) == file else others).setdefault(item.key, item)
    written = {**others, **own, **{item.key: item for item in named}}
    return tuple(_placed(item, written.get(item.key)) for item in objects)


def _placed(item: Object, written: Object | None) -> Object:
    if written is None or written.spec != item.spec:
        return replace(item, file="", lines={})
    return replace(item, file=written.file, lines=written.lines)


def _short(file: str) -> str:
    """Write a path as the user would here."""
    here = os.path.relpath(file)
    return file if here.startswith("..") else str(Path(here))
