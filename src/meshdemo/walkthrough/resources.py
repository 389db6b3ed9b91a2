"""Objects that a person names in kubectl's words, to look at them or to delete them."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from meshdemo.errors import EnvironmentFailed, UsageError
from meshdemo.objects import kinds, selectors
from meshdemo.objects.model import Object
from meshdemo.rules import virtual_services
from meshdemo.rules.delegates import Delegates
from meshdemo.walkthrough import pod_selection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from meshdemo.engines.protocol import Engine
    from meshdemo.engines.results import Pod
    from meshdemo.objects.kinds import Kind
    from meshdemo.objects.selectors import Selector

ENDING = ("Job", "CronJob")
"""Workloads whose pods come to an end."""
SLASHES = "write all of them as KIND/NAME, or KIND once and then the names"


class Wanted(Struct, frozen=True):
    """The objects that a person means, by kind, name and labels."""

    types: tuple[Kind, ...]
    named: tuple[tuple[Kind, str], ...] = ()
    """Single objects; none means all of the kinds."""
    selector: Selector = selectors.Selector()
    everywhere: bool = False
    """In all namespaces."""

    @classmethod
    def read(
        cls,
        words: Sequence[str],
        *,
        selector: str | None = None,
        everywhere: bool = False,
        among: tuple[Kind, ...] = kinds.KINDS,
        more: Callable[[], tuple[Kind, ...]] = tuple,
    ) -> Wanted:
        """Read ``KIND[,KIND...] [NAME...]`` or ``KIND/NAME...``. Raises UsageError.

        ``more`` is asked for kinds where a word is not among the others.
        """
        if any("/" in word for word in words):
            named = tuple(_slashed(word, among, more) for word in words)
            found = tuple({kind.name: kind for kind, _ in named}.values())
        else:
            found = kinds.read(words[0], among, more)
            named = tuple((kind, name) for name in words[1:] for kind in found)
        if named and selector:
            raise UsageError("a name cannot be given together with a selector (-l)")
        if named and everywhere:
            raise UsageError("an object cannot be named across all namespaces (-A)")
        return cls(found, named, selectors.read(selector or ""), everywhere)

    @property
    def is_one(self) -> bool:
        """Tell whether it is about a single object, which is then shown as it is."""
        return len(self.named) == 1


class Resource(Struct, frozen=True):
    """One object, and what belongs to it."""

    kind: Kind
    item: Object
    pods: tuple[Pod, ...] = ()
    """A Pod's own state, the pods of a workload, and those that a Service selects."""
    overruled_by: tuple[Object, ...] = ()
    """The rules that leave a VirtualService nothing."""
    followed: Object | None = None
    """A rule as a sidecar follows it: with the rules of its delegates."""


def look(engine: Engine, wanted: Wanted, *, begun: bool = False) -> tuple[Resource, ...]:
    """Give the wanted objects that there are. Raises EnvironmentFailed for a name without one.

    ``begun``: a name may also be the beginning of one.
    """
    here = engine.where.namespace
    found = [
        each
        for each in all_of(engine, wanted.types)
        if wanted.everywhere or not each.kind.namespaced or each.item.namespace == here
    ]
    if wanted.named:
        return _named(found, wanted.named, begun=begun)
    return tuple(each for each in found if wanted.selector.selects(each.item.labels))


def _slashed(
    word: str, among: tuple[Kind, ...], more: Callable[[], tuple[Kind, ...]]
) -> tuple[Kind, str]:
    kind, slash, name = word.partition("/")
    found = kinds.read(kind, among, more)
    if not slash or not name or "/" in name or len(found) > 1:
        raise UsageError(f"{word!r} is not KIND/NAME", hint=SLASHES)
    return found[0], name


def _named(
    found: Sequence[Resource], named: Sequence[tuple[Kind, str]], *, begun: bool
) -> tuple[Resource, ...]:
    chosen: list[Resource] = []
    missing = []
    for kind, name in named:
        alike = [each for each in found if each.kind == kind]
        exact = [each for each in alike if each.item.name == name]
        fitting = exact or [each for each in alike if begun and each.item.name.startswith(name)]
        chosen += [each for each in fitting if each not in chosen]
        missing += [] if fitting else [(kind, name)]
    if missing:
        raise not_found(missing, found)
    return tuple(chosen)


def not_found(missing: Sequence[tuple[Kind, str]], there: Iterable[Resource]) -> EnvironmentFailed:
    """Make the error for names that are not there, with those that are."""
    message = "\n".join(f'{kind.resource} "{name}" not found' for kind, name in missing)
    kind, name = missing[0]
    names = [each.item.name for each in there if each.kind == kind]
    close = difflib.get_close_matches(name, names, n=1)
    begun = [each for each in names if each.startswith(f"{name}-")]
    hint = f"There are no {kind.plural} here."
    if close or begun:
        hint = f"Did you mean {', '.join(begun or close)}?"
    elif names:
        hint = f"There {'is' if len(names) == 1 else 'are'} {', '.join(names)}."
    return EnvironmentFailed(message, hint=hint)


def all_of(engine: Engine, wanted: Sequence[Kind]) -> Iterator[Resource]:
    """Give all objects of some kinds, in the order of the kinds, sorted by their names."""
    objects, pods = engine.objects(), engine.pods()
    for kind in wanted:
        found = list(_of_kind(kind, objects, pods, engine.where.namespace))
        yield from sorted(found, key=lambda each: (each.item.namespace, each.item.name))


def _of_kind(
    kind: Kind, objects: Sequence[Object], pods: Sequence[Pod], namespace: str
) -> Iterator[Resource]:
    if kind.name == "Pod":
        yield from (Resource(kind, _pod(pod, objects), (pod,)) for pod in pods)
        return
    if kind.name == "Namespace":
        yield from (Resource(kind, item) for item in _namespaces(objects, namespace))
        return
    delegates, by_host = Delegates.among(objects), virtual_services.by_host(objects)
    for item in objects:
        if item.kind == "Service" == kind.name:
            yield Resource(kind, item, tuple(pod_selection.selected(item, pods)))
        elif item.kind == kind.name and item.makes_pods:
            own = [p for p in pods if _is_of(p, item)]
            yield Resource(kind, _with_status(item, _replicas(item, own)), tuple(own))
        elif item.kind == kind.name:
            same = by_host.overlapping(*virtual_services.hosts_of(item))
            overruling = virtual_services.overruling(item, same, item.namespace)
            yield Resource(kind, item, (), overruling, delegates.whole(item))


def _is_of(pod: Pod, workload: Object) -> bool:
    own = (pod.workload_kind, pod.namespace, pod.workload)
    return own == (workload.kind, workload.namespace, workload.name)


def _namespaces(objects: Sequence[Object], namespace: str) -> Iterator[Object]:
    """Give the namespaces, also those that are there because something is in them."""
    written = {item.name: item for item in objects if item.kind == "Namespace"}
    used = {namespace, *(item.namespace for item in objects if item.namespace)}
    for name in used | written.keys():
        plain = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        yield _with_status(written.get(name) or Object(plain), {"phase": "Active"})


def _pod(pod: Pod, objects: Sequence[Object]) -> Object:
    """Give a pod as an object: the one that was written, or what its workload says of it."""
    written = {(item.kind, item.namespace, item.name): item for item in objects}
    if bare := written.get(("Pod", pod.namespace, pod.name)):
        return _with_status(bare, _state(pod))
    metadata: dict[str, Any] = {"name": pod.name, "namespace": pod.namespace}
    metadata["labels"] = dict(pod.labels)
    spec: Any = {"containers": [{"name": c.name, "image": c.image} for c in pod.containers]}
    if owner := written.get((pod.workload_kind, pod.namespace, pod.workload)):
        spec = owner.pod_template.get("spec") or spec
        metadata["ownerReferences"] = [
            {
                "apiVersion": owner.data["apiVersion"],
                "kind": owner.kind,
                "name": owner.name,
                "uid": str(owner.metadata.get("uid") or ""),
                "controller": True,
            }
        ]
        if annotations := (owner.pod_template.get("metadata") or {}).get("annotations"):
            metadata["annotations"] = annotations
    if pod.created:
        metadata["creationTimestamp"] = pod.created
    plain = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    return _with_status(Object(plain), _state(pod))


def _state(pod: Pod) -> dict[str, Any]:
    states = [
        {"name": c.name, "image": c.image, "ready": c.ready, "restartCount": c.restarts}
        for c in pod.counted
    ]
    message = {"message": pod.message} if pod.message else {}
    return {"phase": pod.phase, **message, "containerStatuses": states}


def _replicas(item: Object, pods: Sequence[Pod]) -> dict[str, int]:
    """Count the pods of a workload; each kind of workload shows the counts that it has."""
    replicas = item.spec.get("replicas", len(pods) if item.kind in ENDING else 1)
    ready = sum(pod.is_ready for pod in pods)
    return {
        "replicas": replicas,
        "updatedReplicas": len(pods),
        "readyReplicas": ready,
        "availableReplicas": ready,
        **({"succeeded": sum(pod.is_done for pod in pods)} if item.kind in ENDING else {}),
    }


def _with_status(item: Object, status: Mapping[str, Any]) -> Object:
    return item.with_data({**item.data, "status": dict(status)})
