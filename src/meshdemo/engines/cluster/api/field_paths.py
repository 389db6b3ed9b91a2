"""Fields of an object as the server names them, ``spec.containers[name="app"].image``. Pure."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshdemo.engines.cluster.api.kube import Json

Path = tuple[str | int, ...]


def read(text: str) -> Path:
    """Read a field's path: ``spec.http[0].route``, or ``spec.containers[name="app"].image``."""
    parts: list[str | int] = []
    for name, index in re.findall(r"([^.\[\]]+)|\[([^\]]*)\]", text):
        parts.append(int(index) if index.isdecimal() else name or index)
    return tuple(parts)


def value(data: Json, path: Path) -> Any:  # noqa: ANN401 - any part of an object
    """Give the value of a field; None if it is not there."""
    place: Any = data
    for part in path:
        place = _step(place, part)
    return place


def without(data: Json, paths: Sequence[Path]) -> Json:
    """Give an object without these fields."""
    rest: Json = copy.deepcopy(data)
    for path in paths:
        place = value(rest, path[:-1])
        if isinstance(place, dict):
            place.pop(str(path[-1]), None)
    return rest


def replaced(data: Json, path: Path, new: Any) -> Json:  # noqa: ANN401 - any part of an object
    """Give an object with another value of a field that it has."""
    rest: Json = copy.deepcopy(data)
    place = value(rest, path[:-1])
    if isinstance(place, dict):
        place[str(path[-1])] = new
    return rest


def _step(place: Any, part: str | int) -> Any:  # noqa: ANN401 - any part of an object
    """Go down one part of a field's path; a list's item may be named by its keys."""
    if isinstance(place, dict):
        return place.get(str(part))
    if isinstance(place, list) and isinstance(part, int):
        return place[part] if part < len(place) else None
    if isinstance(place, list):
        keys = [key.partition("=") for key in str(part).split(",")]
        wanted = {name: text.strip('"') for name, _, text in keys}
        return next((i for i in place if isinstance(i, dict) and _has(i, wanted)), None)
    return None


def _has(item: Json, wanted: dict[str, str]) -> bool:
    return all(str(item.get(name)) == text for name, text in wanted.items())
