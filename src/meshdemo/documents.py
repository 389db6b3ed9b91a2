"""YAML documents as kubectl reads them, with the line on which each field stands."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import yaml

from meshdemo.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FieldPath: TypeAlias = "tuple[str | int, ...]"
"""The way to a field from the top of its document, as in ``("spec", "http", 0, "route")``."""

MOST_VALUES = 200_000
"""Values in one document: far above what is meant, and far below what nested aliases can make."""
DEEPEST = 100
"""Levels of a document; Kubernetes' own objects have about 20."""
SAFE_LENGTH = 10_000
"""Characters that cannot nest deep enough to overflow libyaml's stack, which ends the process."""


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

    What is wrong goes to ``problems``; what could be read nevertheless is given, so that the
    rest of its mistakes can be found too.
    """
    try:
        if len(text) > SAFE_LENGTH:
            _refuse_depth(text)
        for node in yaml.compose_all(text, Loader=_Loader):
            builder = _Builder(file, problems)
            data = builder.build(node, ())
            if data is not None:
                yield Document(data, builder.lines)
    except yaml.YAMLError as error:
        problems.append(_syntax_problem(error, file))


def _syntax_problem(error: yaml.YAMLError, file: str) -> Problem:
    if not isinstance(error, yaml.MarkedYAMLError):
        return Problem(f"not YAML: {str(error).splitlines()[0]}", file=file)
    mark = error.problem_mark
    message = " ".join(part for part in (error.context, error.problem) if part)
    return Problem(f"not YAML: {message}", file=file, line=mark.line + 1 if mark else 0)


def _refuse_depth(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise _too_deep(event.start_mark)


def _too_deep(
    mark: Any,  # noqa: ANN401 - PyYAML and libyaml have a class each
) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=f"more than {DEEPEST} levels deep", problem_mark=mark)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # libyaml may be absent
    """YAML as kubectl reads it, which is not quite as PyYAML does.

    A date is a string there, and so are ``12:30`` (750 to PyYAML) and ``=``; ``1e3`` is a number.
    """


_OWN_SCALARS = {"timestamp", "int", "float", "value"}
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
    re.compile(
        r"""([-+]?(\.[0-9]+ | [0-9]+(\.[0-9]*)?) ([eE][-+]?[0-9]+)?
          | [-+]?\.(inf|Inf|INF) | \.(nan|NaN|NAN))$""",
        re.VERBOSE,
    ),
    list("-+0123456789."),
)


class _Builder:
    """Turns the nodes of one document into plain data, and notes the line of each field."""

    def __init__(self, file: str, problems: list[Problem]) -> None:
        self.file, self.problems = file, problems
        self.lines: dict[FieldPath, int] = {}
        self.scalars = yaml.constructor.SafeConstructor()
        self.around: list[yaml.Node] = []
        self.values = 0

    def build(self, node: yaml.Node, path: FieldPath) -> Any:  # noqa: ANN401 - YAML is any data
        self.lines.setdefault(path, node.start_mark.line + 1)
        if any(node is parent for parent in self.around):
            return self.refuse(node, path, "it contains itself")
        self.count(node)
        self.around.append(node)
        try:
            if isinstance(node, yaml.MappingNode):
                return self.build_mapping(node, path)
            if isinstance(node, yaml.SequenceNode):
                return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
            return self.build_scalar(node, path)
        finally:
            self.around.pop()

    def count(self, node: yaml.Node) -> None:
        """Stop at what only aliases of aliases, or a mistake, can make so large or so deep."""
        self.values += 1
        if self.values > MOST_VALUES:
            message = f"its aliases stand for more than {MOST_VALUES:,} values"
            raise yaml.MarkedYAMLError(problem=message, problem_mark=node.start_mark)
        if len(self.around) >= DEEPEST:
            raise _too_deep(node.start_mark)

    def build_scalar(self, node: yaml.Node, path: FieldPath) -> Any:  # noqa: ANN401 - YAML is any data
        try:
            value = self.scalars.construct_object(node)
        except (yaml.constructor.ConstructorError, ValueError) as error:
            return self.refuse(node, path, str(getattr(error, "problem", None) or error))
        if isinstance(value, bytes) or (isinstance(value, float) and not math.isfinite(value)):
            return self.refuse(node, path, f"JSON has no value for {node.value}")
        return value

    def build_mapping(self, node: yaml.MappingNode, path: FieldPath) -> dict[str, Any]:
        own = {id(key) for key, _ in node.value}
        try:
            self.scalars.flatten_mapping(node)
        except (yaml.constructor.ConstructorError, RecursionError) as error:
            self.refuse(node, path, getattr(error, "problem", None) or "it merges itself")
            return {}
        data: dict[str, Any] = {}
        written: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.refuse(key, path, "a key must be a string")
            elif key.value in written:
                self.refuse(key, (*path, key.value), "this key is there twice")
            else:
                self.set(data, key, path, value)
                if id(key) in own:  # one that was merged may be written over
                    written.add(key.value)
        return data

    def set(
        self, data: dict[str, Any], key: yaml.ScalarNode, path: FieldPath, value: yaml.Node
    ) -> None:
        below = (*path, key.value)
        self.lines[below] = key.start_mark.line + 1
        data[key.value] = self.build(value, below)

    def refuse(self, node: yaml.Node, path: FieldPath, message: str) -> None:
        line = node.start_mark.line + 1
        self.problems.append(Problem(message, file=self.file, line=line, field=field_name(path)))
