"""The shape that every object has, and every description of pods: which type stands where.

Whoever handles objects may rely on it, also before an engine judges them; whether a kind knows a
field, and what else it may hold, is the engine's to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.errors import Problem
    from meshdemo.objects.documents import FieldPath
    from meshdemo.objects.model import Object

Shape: TypeAlias = "str | list[Any] | dict[str, Any]"
"""The name of a scalar's type, a list of one shape, or a mapping; ``ANY_KEY`` is any key."""

TEXT_SHAPE = "text"
ANY_KEY = "*"
TEXT_MAP_SHAPE: Shape = {ANY_KEY: TEXT_SHAPE}
CONTAINER_SHAPE: Shape = {
    "name": TEXT_SHAPE,
    "image": TEXT_SHAPE,
    "command": [TEXT_SHAPE],
    "args": [TEXT_SHAPE],
    "env": [{"name": TEXT_SHAPE, "value": TEXT_SHAPE}],
    "ports": [{"name": TEXT_SHAPE}],
}
METADATA_SHAPE: Shape = {
    "namespace": TEXT_SHAPE,
    "labels": TEXT_MAP_SHAPE,
    "annotations": TEXT_MAP_SHAPE,
}
PODS: dict[str, Any] = {
    "metadata": METADATA_SHAPE,
    "spec": {"containers": [CONTAINER_SHAPE], "initContainers": [CONTAINER_SHAPE]},
}


def problems(item: Object) -> Iterator[Problem]:
    """Say where an object has another shape. What is null is not there."""
    shape: dict[str, Any] = {"spec": {}}
    if item.makes_pods:
        shape = PODS
        for name in reversed(item.template_path):
            shape = {str(name): shape}
    yield from _problems(item, item.data, {"metadata": METADATA_SHAPE, **shape}, ())


def mismatch(wanted: str, value: Any) -> tuple[str, str]:  # noqa: ANN401 - YAML is any data
    """Say which type is wanted and which is there, and how to write it if that is all."""
    return f"{wanted} is wanted, not {_described(value)}", _hint(wanted, value)


def _problems(item: Object, value: Any, shape: Shape, path: FieldPath) -> Iterator[Problem]:  # noqa: ANN401 - YAML is any data
    wanted, kind = _TYPES.get(type(shape), (str(shape), str))
    if not isinstance(value, kind):
        message, hint = mismatch(wanted, value)
        yield item.problem(message, *path, hint=hint)
    elif isinstance(shape, list):
        for index, inner in enumerate(value):
            yield from _problems(item, inner, shape[0], (*path, index))
    elif isinstance(shape, dict):
        for name, inner in value.items():
            below = shape.get(ANY_KEY, shape.get(name))
            if below is not None and (inner is not None or ANY_KEY in shape):
                yield from _problems(item, inner, below, (*path, name))


_TYPES: dict[type, tuple[str, Any]] = {list: ("a list", list), dict: ("a mapping", dict)}


def _described(value: Any) -> str:  # noqa: ANN401 - YAML is any data
    """Say what a value is, as in ``the text "half"``."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f'the text "{value}"'
    return "a list" if isinstance(value, list) else "a mapping"


def _hint(wanted: str, value: Any) -> str:  # noqa: ANN401 - YAML is any data
    """Say how to write the value, where the quotes are all that is wrong."""
    if wanted.startswith(TEXT_SHAPE):
        return _text_hint(value)
    if wanted.endswith("number") and isinstance(value, str) and value.lstrip("-").isdecimal():
        return f"write {value} without quotes"
    if wanted == "a boolean" and str(value).lower() in {"true", "false"}:
        return f"write {str(value).lower()} without quotes"
    return ""


def _text_hint(value: Any) -> str:  # noqa: ANN401 - YAML is any data
    if isinstance(value, bool):
        words = "y, yes, on and true" if value else "n, no, off and false"
        return f"put quotes around it: without them {words} are booleans"
    if isinstance(value, float):
        return "put quotes around it"  # it may have been 1.10
    if isinstance(value, int):
        return f'write "{value}"'
    return 'write "" for an empty one' if value is None else ""
