"""A Kubernetes object as the user wrote it, and where each of its fields stands.

What an engine makes of the objects is the engine's business; here is what holds for all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct, field
from msgspec.structs import replace

from meshdemo.errors import Problem
from meshdemo.objects.documents import field_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from meshdemo.objects.documents import FieldPath

RULE_KINDS = ("DestinationRule", "VirtualService")
"""The kinds that are rules, in the order in which they are applied (the reverse to delete)."""
REACH_KINDS = ("ServiceEntry", "Sidecar")
"""The kinds that decide what a client knows of the mesh, and reaches: they stand beside rules."""
SERVER_METADATA = frozenset(
    {
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "generation",
        "managedFields",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)
"""What a server writes into metadata: it is not the user's to change."""
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
WORKLOAD_KINDS = frozenset(POD_TEMPLATES)


class Object(Struct, frozen=True, eq=False):
    """One Kubernetes object. ``data`` is never changed in place."""

    data: dict[str, Any]
    file: str = ""
    lines: Mapping[FieldPath, int] = field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        """Compare what it says and where that came from; a line more above it changes nothing."""
        return isinstance(other, Object) and (self.data, self.file) == (other.data, other.file)

    __hash__ = None  # type: ignore[assignment] # data is a dict

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
    def created(self) -> str:
        """When it was created, as Kubernetes writes it; empty if that is not known."""
        return str(self.metadata.get("creationTimestamp") or "")

    @property
    def age(self) -> tuple[str, str, str]:
        """What Istio sorts by: the oldest comes first, of one moment the first by its name."""
        return self.created, self.name, self.namespace

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
        return self.kind in WORKLOAD_KINDS

    @property
    def pod_template(self) -> dict[str, Any]:
        """The part that describes pods: the template of a Deployment, the Pod itself."""
        found = self.data if self.makes_pods else {}
        for name in self.template_path:
            found = _mapping(found.get(str(name)))
        return found

    @property
    def template_path(self) -> FieldPath:
        """Where in the object ``pod_template`` is; empty for a Pod, which is all of it."""
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


def _mapping(value: Any) -> dict[str, Any]:  # noqa: ANN401 - YAML is any data
    return value if isinstance(value, dict) else {}


def _replaced(data: dict[str, Any], path: FieldPath, value: dict[str, Any]) -> dict[str, Any]:
    """Give data with another value at a path, and nothing changed in place."""
    if not path:
        return value
    name, *rest = path
    below = _mapping(data.get(str(name)))
    return {**data, str(name): _replaced(below, tuple(rest), value)}


def in_apply_order(objects: Iterable[Object]) -> list[Object]:
    """Sort so that nothing refers to what is not there yet.

    Namespaces first, rules last, a DestinationRule before a VirtualService: the other way round
    requests get 503 in between. A VirtualService without hosts, a delegate, comes before those that
    hand requests to it.
    """
    first = ("Namespace", "ServiceAccount", "Service", *REACH_KINDS)
    order = {kind: place for place, kind in enumerate((*first, "", *RULE_KINDS))}
    return sorted(
        objects,
        key=lambda item: (
            order.get(item.kind, order[""]),
            item.kind == "VirtualService" and bool(item.spec.get("hosts")),
        ),
    )


def traffic_rules(objects: Iterable[Object]) -> list[Object]:
    """Pick the traffic rules."""
    return [item for item in objects if item.kind in RULE_KINDS]
