"""Kubernetes objects as the user wrote them: reading YAML, and where each field stands.

What an engine makes of the objects is the engine's business; here is what holds for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from meshdemo import documents, shapes
from meshdemo.documents import field_name
from meshdemo.errors import InputError, Problem, in_order
from meshdemo.sources import texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from meshdemo.documents import FieldPath

CLUSTER_SCOPED = frozenset({"Namespace"})
RULES = ("DestinationRule", "VirtualService")
"""The kinds that are rules, in the order in which they are applied (the reverse to delete)."""
POD_TEMPLATES: Mapping[str, FieldPath] = {
    "Pod": (),
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "ReplicationController": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
"""Where each kind that makes pods describes them; an engine says by name which it does not know."""
WORKLOADS = frozenset(POD_TEMPLATES)


@dataclass(frozen=True)
class Object:
    """One Kubernetes object. ``data`` is never changed in place."""

    data: dict[str, Any]
    file: str = ""
    lines: Mapping[FieldPath, int] = field(default_factory=dict, compare=False, repr=False)

    @property
    def kind(self) -> str:
        return str(self.data.get("kind", ""))

    @property
    def group(self) -> str:
        """The API group without its version; empty for the core group."""
        return str(self.data.get("apiVersion", "")).rpartition("/")[0]

    @property
    def name(self) -> str:
        return str(self.metadata.get("name", ""))

    @property
    def namespace(self) -> str:
        """Where it lives; empty for a cluster-scoped kind, or if nothing was said yet."""
        return str(self.metadata.get("namespace") or "")

    @property
    def metadata(self) -> dict[str, Any]:
        return _mapping(self.data.get("metadata"))

    @property
    def spec(self) -> dict[str, Any]:
        return _mapping(self.data.get("spec"))

    @property
    def labels(self) -> dict[str, str]:
        return _mapping(self.metadata.get("labels"))

    @property
    def annotations(self) -> dict[str, str]:
        return _mapping(self.metadata.get("annotations"))

    @property
    def makes_pods(self) -> bool:
        """Tell whether it describes pods, be it one or many."""
        return self.kind in WORKLOADS

    @property
    def pod_template(self) -> dict[str, Any]:
        """The part that describes pods: the template of a Deployment, the Pod itself."""
        found = self.data if self.makes_pods else {}
        for name in self.template_path:
            found = _mapping(found.get(str(name)))
        return found

    @property
    def template_path(self) -> FieldPath:
        """Where that part is; empty for a Pod."""
        return POD_TEMPLATES.get(self.kind, ())

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes it the same object: group, kind, namespace, name."""
        return self.group, self.kind, self.namespace, self.name

    @property
    def title(self) -> str:
        """How messages call it, as in ``VirtualService default/app``."""
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {place}{self.name}".strip()

    def line(self, *path: str | int) -> int:
        """Give the line of a field, or of the nearest part around it that was written."""
        for length in range(len(path), -1, -1):
            if found := self.lines.get(path[:length]):
                return found
        return 0

    def problem(self, message: str, *path: str | int, hint: str = "", code: str = "") -> Problem:
        """Say what is wrong with one of its fields."""
        return Problem(
            message,
            file=self.file,
            line=self.line(*path),
            subject=self.title,
            field=field_name(path),
            hint=hint,
            code=code,
        )

    def with_data(self, data: dict[str, Any]) -> Object:
        """Give the same object with other content."""
        return replace(self, data=data)

    def with_pod_metadata(self, metadata: dict[str, Any]) -> Object:
        """Give the same object with other metadata of its pods."""
        return self.with_pod_template({**self.pod_template, "metadata": metadata})

    def with_pod_template(self, template: dict[str, Any]) -> Object:
        """Give the same workload with another description of its pods."""
        return self.with_data(_replaced(self.data, self.template_path, template))


def read(
    sources: Sequence[str],
    *,
    namespace: str = "default",
    explicit: bool = False,
    admit: Callable[[Sequence[Object]], object] | None = None,
) -> tuple[Object, ...]:
    """Read objects from files, folders and ``-`` (standard input), as ``kubectl -f`` does.

    An object that names no namespace gets ``namespace``; with ``explicit`` (the user said
    ``-n``) one that names another is refused. Raises InputError with all problems: if there are
    some, ``admit`` (which raises InputError as well) is asked what else is wrong; it must bear
    objects of any shape.
    """
    problems: list[Problem] = []
    objects: list[Object] = []
    for file, text in texts(sources, problems):
        objects += parse(text, file, problems)
    objects = [_settle(item, namespace, problems, explicit=explicit) for item in objects]
    problems += (problem for item in objects for problem in shapes.problems(item))
    _refuse_duplicates(objects, problems)
    if not objects and not problems:
        problems.append(Problem("no objects in it", file=", ".join(sources)))
    if problems:
        every = in_order([*problems, *_more(objects, admit)])
        raise InputError("the manifests cannot be used", every)
    return tuple(objects)


def _mapping(value: Any) -> dict[str, Any]:  # noqa: ANN401 - YAML is any data
    return value if isinstance(value, dict) else {}


def _replaced(data: dict[str, Any], path: FieldPath, value: dict[str, Any]) -> dict[str, Any]:
    """Give data with another value at a path, and nothing changed in place."""
    if not path:
        return value
    name, *rest = path
    below = _mapping(data.get(str(name)))
    return {**data, str(name): _replaced(below, tuple(rest), value)}


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


def dump(objects: Iterable[Object]) -> str:
    """Write objects as YAML documents that ``kubectl apply -f -`` takes."""
    return documents.write(item.data for item in objects)


def in_apply_order(objects: Iterable[Object]) -> list[Object]:
    """Sort so that nothing refers to what is not there yet.

    Namespaces first, rules last, a DestinationRule before a VirtualService: the other way round
    requests get 503 in between.
    """
    first = ("Namespace", "ServiceAccount", "Service")
    order = {kind: place for place, kind in enumerate((*first, "", *RULES))}
    return sorted(objects, key=lambda item: order.get(item.kind, order[""]))


def rules(objects: Iterable[Object]) -> list[Object]:
    """Pick the traffic rules."""
    return [item for item in objects if item.kind in RULES]


def parse(text: str, file: str, problems: list[Problem]) -> list[Object]:
    """Read the objects of one YAML text; what is wrong goes to ``problems``."""
    objects: list[Object] = []
    for document in documents.read(text, file, problems):
        objects += _unpack(document.data, file, document.lines, problems)
    return objects


def _unpack(
    data: Any,  # noqa: ANN401 - YAML is any data
    file: str,
    lines: Mapping[FieldPath, int],
    problems: list[Problem],
) -> list[Object]:
    """Check that a document is an object; a ``List`` gives its items."""
    if (
        isinstance(data, dict)
        and data.get("kind") == "List"
        and isinstance(data.get("items"), list)
    ):
        found: list[Object] = []
        for index, item in enumerate(data["items"]):
            prefix = ("items", index)
            below = {path[2:]: line for path, line in lines.items() if path[:2] == prefix}
            found += _unpack(item, file, below, problems)
        return found
    if wrong := list(_identity_problems(data, file, lines)):
        problems += wrong
        return []
    return [Object(data, file, lines)]


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


def _refuse_duplicates(objects: Sequence[Object], problems: list[Problem]) -> None:
    seen: dict[tuple[str, str, str, str], Object] = {}
    for item in objects:
        first = seen.setdefault(item.key, item)
        if first is not item:
            where = f"{first.file}:{first.line()}"
            problems.append(item.problem(f"it is there twice; the first one is at {where}"))
