"""Fields of an object as words: each as its name and its value. Pure."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from meshdemo.objects.documents import field_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from meshdemo.objects.documents import FieldPath

_PLAIN = re.compile(r"[^\s;,:\"']+")


def settings(part: Mapping[str, Any], told: tuple[str, ...] = ()) -> Iterator[str]:
    """Write fields that have no words of their own as they are: ``retries.attempts 3``."""
    for name, inner in part.items():
        if name not in told and (found := [in_words(*leaf) for leaf in leaves(inner, (name,))]):
            yield ", ".join(found)


def leaves(inner: Any, path: FieldPath) -> Iterator[tuple[FieldPath, Any]]:  # noqa: ANN401 - any part
    """Give what is within a part of an object, each with its path; a list of scalars is one."""
    if isinstance(inner, dict) and inner:
        for name, below in inner.items():
            yield from leaves(below, (*path, str(name)))
    elif isinstance(inner, list) and any(isinstance(item, dict) for item in inner):
        for index, item in enumerate(inner):
            yield from leaves(item, (*path, index))
    elif inner is not None:
        yield path, inner


def in_words(path: FieldPath, leaf: Any) -> str:  # noqa: ANN401 - any scalar, or a list of them
    """Write one field as its name and value."""
    if isinstance(leaf, list):
        return f"{field_name(path)} {', '.join(map(value, leaf))}"
    return field_name(path) if leaf == {} else f"{field_name(path)} {value(leaf)}"


def value(scalar: Any) -> str:  # noqa: ANN401 - any scalar
    """Write a value, in quotes where it could be taken for something else."""
    text = scalar if isinstance(scalar, str) else json.dumps(scalar)
    is_plain = _PLAIN.fullmatch(text) and text.isprintable()
    return text if is_plain else json.dumps(text, ensure_ascii=False)
