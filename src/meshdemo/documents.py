"""YAML documents as kubectl reads them, with the line on which each field stands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import yaml

from meshdemo.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FieldPath: TypeAlias = "tuple[str | int, ...]"
"""The way to a field from the top of its document, as in ``("spec", "http", 0, "route")``."""


@dataclass(frozen=True, slots=True)
class Document:
    """The content of one document, and the line of each field (counted from 1)."""

    data: Any
    lines: Mapping[FieldPath, int]


def field_name(path: FieldPath) -> str:
    """Write a path as Kubernetes does: ``spec.http[0].route``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def read(text: str, file: str, problems: list[Problem]) -> Iterator[Document]:
    """Read the documents of a text, but for empty ones.

    What is wrong goes to ``problems``, and a document with a problem is left out.
    """
    try:
        for node in yaml.compose_all(text, Loader=_Loader):
            builder = _Builder(file)
            data = builder.build(node, ())
            problems += builder.problems
            if data is not None and not builder.problems:
                yield Document(data, builder.lines)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        message = " ".join(part for part in (error.context, error.problem) if part)
        problems.append(Problem(f"not YAML: {message}", file=file, line=line))
    except yaml.YAMLError as error:
        problems.append(Problem(f"not YAML: {error}", file=file))


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # libyaml may be absent
    """YAML as kubectl reads it, which is not quite as PyYAML does.

    A date is a string there, and so is ``12:30`` (750 to PyYAML); ``1e3`` is a number.
    """


_OWN_SCALARS = {"timestamp", "int", "float"}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, shape) for tag, shape in found if tag.rpartition(":")[2] not in _OWN_SCALARS]
    for first, found in _Loader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int",
    re.compile(r"[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|0o?[0-7_]*|[1-9][0-9_]*)$"),
    list("-+0123456789"),
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$|[-+]?\.(inf|Inf|INF)$"),
    list("-+0123456789."),
)


class _Builder:
    """Turns the nodes of one document into plain data, and notes the line of each field."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.lines: dict[FieldPath, int] = {}
        self.scalars = yaml.constructor.SafeConstructor()
        self.around: list[yaml.Node] = []

    def build(self, node: yaml.Node, path: FieldPath) -> Any:  # noqa: ANN401 - YAML is any data
        self.lines.setdefault(path, node.start_mark.line + 1)
        if any(node is parent for parent in self.around):
            return self.refuse(node, path, "it contains itself")
        self.around.append(node)
        try:
            if isinstance(node, yaml.MappingNode):
                return self.build_mapping(node, path)
            if isinstance(node, yaml.SequenceNode):
                return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
            return self.scalars.construct_object(node)
        except (yaml.constructor.ConstructorError, ValueError) as error:
            return self.refuse(node, path, str(getattr(error, "problem", None) or error))
        finally:
            self.around.pop()

    def build_mapping(self, node: yaml.MappingNode, path: FieldPath) -> dict[str, Any]:
        own: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.refuse(key, path, "a key must be a string")
            elif key.value in own:
                self.refuse(key, (*path, key.value), "this key is there twice")
            else:
                own.add(key.value)
        self.scalars.flatten_mapping(node)  # "<<": what is merged comes first, so own keys win
        data: dict[str, Any] = {}
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                place = (*path, key.value)
                self.lines[place] = key.start_mark.line + 1
                data[key.value] = self.build(value, place)
        return data

    def refuse(self, node: yaml.Node, path: FieldPath, message: str) -> None:
        line = node.start_mark.line + 1
        self.problems.append(Problem(message, file=self.file, line=line, field=field_name(path)))
