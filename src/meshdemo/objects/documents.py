"""YAML documents as kubectl reads and writes them, with the line on which each field stands."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, TypeAlias

import yaml
from msgspec import Struct

from meshdemo.errors import Problem
from meshdemo.objects import scalars

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

FieldPath: TypeAlias = "tuple[str | int, ...]"
"""The way to a field from the top of its document, as in ``("spec", "http", 0, "route")``."""

MOST_VALUES_OF_DOCUMENT = 200_000
"""Values in one document: far above what is meant, and far below what nested aliases can make."""
DEEPEST = 100
"""Levels of a document; Kubernetes' own objects have about 20."""
PLAIN_TAG = "meshdemo:plain"
"""The tag of a scalar that has neither quotes nor a tag."""
TEXT, MERGE = "tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"
TAB = re.compile(r"[-?:\s]*\t")
SAFE_LENGTH = 10_000
"""Characters that cannot nest deep enough to overflow libyaml's stack, which ends the process."""


class Document(Struct, frozen=True):
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
    if text.lstrip().startswith("{"):
        text = _PAIR.sub(_character, text)
    try:
        # To read events takes no recursion; to build nodes from them does, in C, where a stack that
        # overflows ends the process.
        if len(text) > SAFE_LENGTH:
            _refuse_depth(text)
        for node in yaml.compose_all(text, Loader=_Loader):
            builder = _Builder(file, problems)
            data = builder.build(node, ())
            if data is not None:
                yield Document(data, builder.lines)
    except yaml.YAMLError as error:
        problems.append(_syntax_problem(error, text, file))


_PAIR = re.compile(r"\\\\|\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
"""In JSON a backslash that stands for itself, or two escapes that are one character: no YAML."""


def _character(match: re.Match[str]) -> str:
    if match[1] is None:
        return match[0]
    return bytes.fromhex(match[1] + match[2]).decode("utf-16-be")


def write(values: Iterable[Any]) -> str:
    """Write documents, each opened by ``---``, so that kubectl reads them as they are."""
    return yaml.dump_all(
        values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, explicit_start=True
    )


def without_nulls(value: Any) -> Any:  # noqa: ANN401 - YAML is any data
    """Drop what mappings hold as null: to an API server such a field is not there."""
    if isinstance(value, dict):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def _syntax_problem(error: yaml.YAMLError, text: str, file: str) -> Problem:
    if not isinstance(error, yaml.MarkedYAMLError):
        return Problem(f"not YAML: {str(error).splitlines()[0]}", file=file)
    mark = error.problem_mark
    line = mark.line + 1 if mark else 0
    if mark and any(map(TAB.match, text.splitlines()[mark.line : line])):
        hint = "put spaces in its place"
        return Problem("not YAML: a tab cannot indent a line", file=file, line=line, hint=hint)
    message = " ".join(part for part in (error.context, error.problem) if part)
    return Problem(f"not YAML: {message}", file=file, line=line)


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
    """Leaves it to us what a scalar without quotes and without a tag is."""


_Loader.yaml_implicit_resolvers = {
    "<": [(MERGE, re.compile("<<$"))],
    None: [(PLAIN_TAG, re.compile(""))],
}


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]  # as above
    """Puts quotes around a text that kubectl, or else PyYAML, would take for something else."""

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> str:  # noqa: ANN401 - PyYAML's signature
        """Give the tag that a reader would find by himself; ``implicit[0]``: without quotes."""
        tag: str = super().resolve(kind, value, implicit)
        if kind is not yaml.ScalarNode or tag != TEXT or not implicit[0]:
            return tag
        return TEXT if isinstance(scalars.read(value), str) else PLAIN_TAG


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
        # An alias within its own anchor: to follow it has no end.
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
        if self.values > MOST_VALUES_OF_DOCUMENT:
            message = f"its aliases stand for more than {MOST_VALUES_OF_DOCUMENT:,} values"
            raise yaml.MarkedYAMLError(problem=message, problem_mark=node.start_mark)
        if len(self.around) >= DEEPEST:
            raise _too_deep(node.start_mark)

    def build_scalar(self, node: yaml.Node, path: FieldPath) -> Any:  # noqa: ANN401 - YAML is any data
        try:
            value = self.plain_value(node)
        except (yaml.constructor.ConstructorError, ValueError) as error:
            return self.refuse(node, path, str(getattr(error, "problem", None) or error))
        if isinstance(value, bytes) or (isinstance(value, float) and not math.isfinite(value)):
            return self.refuse(node, path, f"JSON has no value for {node.value}")
        return value

    def plain_value(self, node: yaml.Node) -> Any:  # noqa: ANN401 - YAML is any data
        if node.tag in {PLAIN_TAG, MERGE}:
            return scalars.read(node.value)
        return self.scalars.construct_object(node)

    def build_mapping(self, node: yaml.MappingNode, path: FieldPath) -> dict[str, Any]:
        # Which keys stand in the mapping itself cannot be told once those behind << are in it.
        own = {id(key) for key, _ in node.value}
        try:
            self.scalars.flatten_mapping(node)
        except (yaml.constructor.ConstructorError, RecursionError) as error:
            self.refuse(node, path, getattr(error, "problem", None) or "it merges itself")
            return {}
        data: dict[str, Any] = {}
        written: set[str] = set()
        for key, value in node.value:
            if (name := self.name(key)) is None:
                self.refuse(key, path, "a key must be a string")
            elif name in written:
                self.refuse(key, (*path, name), "duplicate key")
            else:
                below = (*path, name)
                self.lines[below] = key.start_mark.line + 1
                data[name] = self.build(value, below)
                if id(key) in own:  # one that was merged may be written over
                    written.add(name)
        return data

    def name(self, key: yaml.Node) -> str | None:
        """Give a key as JSON has it: ``y`` is ``true``, and ``0x10`` is ``16``."""
        if not isinstance(key, yaml.ScalarNode):
            return None
        return scalars.key(key.value) if key.tag == PLAIN_TAG else str(key.value)

    def refuse(self, node: yaml.Node, path: FieldPath, message: str) -> None:
        line = node.start_mark.line + 1
        self.problems.append(Problem(message, file=self.file, line=line, field=field_name(path)))
