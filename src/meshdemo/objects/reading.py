"""Reading objects from YAML, as ``kubectl -f`` does, and writing them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from meshdemo.errors import InputError, Problem, in_order
from meshdemo.objects import documents, shapes
from meshdemo.objects.documents import Document
from meshdemo.objects.kinds import CLUSTER_SCOPED
from meshdemo.objects.model import Object
from meshdemo.objects.sources import name_of, texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from meshdemo.objects.documents import FieldPath

TEMPLATE = "{{"
"""Only in templates, as Helm's: no object has it where YAML can read it."""
UNQUOTED_TEMPLATE = re.compile(r"(^|[-:,[{][ \t])[ \t]*\{\{")
"""Where it stands for a value, and not within a text."""
LIST = "List"
"""How the kind of a list of objects ends."""


def read(
    sources: Sequence[str],
    *,
    namespace: str = "default",
    explicit: bool = False,
    keeps: Callable[[Object], bool] = lambda _: True,
    admit: Callable[[Sequence[Object]], object] | None = None,
) -> tuple[Object, ...]:
    """Read objects from files, folders and ``-`` (standard input), as ``kubectl -f`` does.

    An object that names no namespace gets ``namespace``; with ``explicit`` (the user said
    ``-n``) one that names another is refused. What ``keeps`` does not want is left out. Raises
    InputError with all problems: if there are some, ``admit`` (which raises InputError as well) is
    asked what else is wrong; it must bear objects of any shape.
    """
    problems: list[Problem] = []
    objects: list[Object] = []
    for file, text in texts(sources, problems):
        wrong: list[Problem] = []
        objects += parse(text, file, wrong)
        problems += _of_template(text, file, wrong) or wrong
    kept = [item for item in objects if keeps(item)]
    objects = settled(kept, namespace, problems, explicit=explicit)
    problems += duplicates(objects)
    if not objects and not problems:
        problems.append(Problem("no objects in it", file=", ".join(map(name_of, sources))))
    if problems:
        every = in_order([*problems, *_more(objects, admit)])
        raise InputError("the manifests cannot be used", every)
    return tuple(objects)


def _of_template(text: str, file: str, wrong: Sequence[Problem]) -> list[Problem]:
    """Say one thing of a template, and not what it lacks as YAML; nothing of what is none."""
    lines = ["", *text.splitlines()]
    for problem in wrong:
        # A text of a template within an object, as in a ConfigMap, is not what is wrong.
        if any(map(UNQUOTED_TEMPLATE.search, lines[problem.line : problem.line + 1])):
            hint = "give what is made of it, as by: helm template . > objects.yaml"
            message = "it is a template, and no objects yet"
            return [Problem(message, file=file, line=problem.line, hint=hint)]
    return []


def _more(
    objects: Sequence[Object], admit: Callable[[Sequence[Object]], object] | None
) -> tuple[Problem, ...]:
    if admit is None:
        return ()
    try:
        admit(objects)
    except InputError as error:
        return error.problems
    return ()


def settled(
    objects: Iterable[Object], namespace: str, problems: list[Problem], *, explicit: bool = False
) -> list[Object]:
    """Give objects the namespaces that they live in, and judge the shape that every object has."""
    found = [_settle(item, namespace, problems, explicit=explicit) for item in objects]
    problems += (problem for item in found for problem in shapes.problems(item))
    return found


def dump(objects: Iterable[Object]) -> str:
    """Write objects as YAML documents that ``kubectl apply -f -`` takes."""
    return documents.write(item.data for item in objects)


def parse(text: str, file: str, problems: list[Problem]) -> list[Object]:
    """Read the objects of one YAML text; what is wrong goes to ``problems``."""
    return [
        item
        for document in unpacked(text, file, problems)
        if (item := checked(document, file, problems))
    ]


def unpacked(text: str, file: str, problems: list[Problem]) -> Iterator[Document]:
    """Give the documents of one YAML text, in place of a list of objects its items.

    That is a ``List``, or one of a kind, as a VirtualServiceList, whose items need not say theirs.
    """
    for document in documents.read(text, file, problems):
        yield from _unpack(document.data, document.lines)


def _unpack(
    data: Any,  # noqa: ANN401 - YAML is any data
    lines: Mapping[FieldPath, int],
) -> Iterator[Document]:
    kind = data.get("kind") if isinstance(data, dict) else None
    if isinstance(kind, str) and kind.endswith(LIST) and isinstance(data.get("items"), list):
        own = {"apiVersion": data.get("apiVersion"), "kind": kind.removesuffix(LIST)}
        for index, item in enumerate(data["items"]):
            prefix = ("items", index)
            below = {path[2:]: line for path, line in lines.items() if path[:2] == prefix}
            named = {**own, **item} if kind != LIST and isinstance(item, dict) else item
            yield from _unpack(named, below)
        return
    yield Document(data, lines)


def checked(document: Document, file: str, problems: list[Problem]) -> Object | None:
    """Give the object that a document is, or None; what it lacks goes to ``problems``."""
    if wrong := list(_identity_problems(document.data, file, document.lines)):
        problems += wrong
        return None
    return Object(document.data, file, document.lines)


def _identity_problems(
    data: Any,  # noqa: ANN401 - YAML is any data
    file: str,
    lines: Mapping[FieldPath, int],
) -> Iterator[Problem]:
    """Say what a document lacks of what makes it an object, one that can be called by its name."""
    if not isinstance(data, dict):
        message = "not a Kubernetes object: a mapping is wanted"
        yield Problem(message, file=file, line=lines.get((), 0))
        return
    item = Object(data, file, lines)
    for name in ("apiVersion", "kind"):
        if not isinstance(data.get(name), str) or not data[name]:
            yield item.problem("it is missing, or no string", name)
    if not isinstance(data.get("metadata", {}), dict | None):
        message, hint = shapes.mismatch("a mapping", data["metadata"])
        yield item.problem(message, "metadata", hint=hint)
    elif not isinstance(item.metadata.get("name"), str) or not item.name:
        yield item.problem("it is missing, or no string", "metadata", "name")


def _settle(item: Object, namespace: str, problems: list[Problem], *, explicit: bool) -> Object:
    """Give the object the namespace that it lives in."""
    if item.kind in CLUSTER_SCOPED:
        return item
    if not item.namespace:
        metadata = {**item.metadata, "namespace": namespace}
        return item.with_data({**item.data, "metadata": metadata})
    if explicit and item.namespace != namespace:
        message = f"the object says namespace {item.namespace}, and -n says {namespace}"
        hint = "leave out -n, and it goes where it says; or take the namespace out of the object"
        problems.append(item.problem(message, "metadata", "namespace", hint=hint))
    return item


def duplicates(objects: Iterable[Object]) -> Iterator[Problem]:
    """Name each object that is there a second time, and the place of the first one."""
    seen: dict[tuple[str, str, str, str], Object] = {}
    for item in objects:
        first = seen.setdefault(item.key, item)
        if first is not item:
            where = f"{first.file}:{first.line()}"
            yield item.problem(f"duplicate object; the first one is at {where}")
