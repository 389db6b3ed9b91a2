"""delete: single objects of ours, and then a data plane without them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.errors import EnvironmentFailed, UsageError
from meshdemo.objects import model
from meshdemo.objects.model import Object
from meshdemo.walkthrough import resources
from meshdemo.walkthrough.events import Started

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshdemo.engines.protocol import Engine
    from meshdemo.engines.results import Change
    from meshdemo.objects.kinds import Kind
    from meshdemo.walkthrough.events import Story
    from meshdemo.walkthrough.resources import Wanted


class Deleted(Struct, frozen=True):
    """What went, what did not, and how long until the data plane was without it."""

    changes: tuple[Change, ...]
    missing: tuple[tuple[Kind, str], ...]
    seconds: float
    kinds: tuple[Kind, ...] = ()
    """The kinds of all that was named."""


def delete(engine: Engine, wanted: Wanted, timeout: float) -> Story[Deleted]:
    """Delete what was named, and return when the data plane is without it.

    Raises EnvironmentFailed where there is nothing of ours to delete.
    """
    chosen = _chosen(engine, wanted)
    _refuse_owned(engine, chosen)
    yield Started("delete", "Delete what was named.")
    began = time.monotonic()
    changes = engine.delete([item for _, item in chosen])
    deleted = [change for change in changes if change.action == "deleted"]
    if any(change.kind in model.RULE_KINDS for change in deleted):
        engine.wait_ready(model.traffic_rules(engine.objects()), timeout)
    met = {(change.kind, change.name) for change in changes}
    missing = [(kind, item.name) for kind, item in chosen if (kind.name, item.name) not in met]
    if not deleted and wanted.named:
        raise _nothing(engine, wanted, changes, missing)
    kinds = tuple(kind for kind, _ in chosen)
    return Deleted(changes, tuple(missing), time.monotonic() - began, kinds)


def refuse_unnamed(wanted: Wanted, selector: str | None) -> None:
    """Refuse to delete all of a kind, and a namespace with what is in it. Raises UsageError."""
    if not wanted.named and not selector:
        hint = "All rules go with meshdemo route --clear, everything with meshdemo down."
        raise UsageError("resource(s) were provided, but no name was specified", hint=hint)
    spaces = [name for kind, name in wanted.named if kind.name == "Namespace"]
    if spaces or any(kind.name == "Namespace" for kind in wanted.types):
        place = f" -n {spaces[0]}" if spaces else ""
        hint = f"Type: meshdemo down{place}"
        raise UsageError("a namespace goes with all that meshdemo made in it", hint=hint)


def _chosen(engine: Engine, wanted: Wanted) -> list[tuple[Kind, Object]]:
    """Give the objects that are named or selected, known or not: only the engine sees them all."""
    space = engine.where.namespace
    there = {
        (item.kind, item.name): item for item in engine.objects() if item.namespace in ("", space)
    }
    if wanted.named:
        return [(k, there.get((k.name, n)) or _named(k, n, space)) for k, n in wanted.named]
    return [
        (kind, item)
        for kind in wanted.types
        for (name, _), item in there.items()
        if name == kind.name and wanted.selector.selects(item.labels)
    ]


def _named(kind: Kind, name: str, namespace: str) -> Object:
    metadata = {"name": name, **({"namespace": namespace} if kind.namespaced else {})}
    return Object({"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata})


def _refuse_owned(engine: Engine, chosen: Sequence[tuple[Kind, Object]]) -> None:
    """Refuse a pod that its workload would make anew."""
    names = {item.name for kind, item in chosen if kind.name == "Pod"}
    for pod in engine.pods() if names else ():
        if pod.name in names and pod.namespace == engine.where.namespace and pod.workload:
            message = f"the pod {pod.name} belongs to {pod.workload}, which would make it anew"
            hint = f"To delete both: meshdemo delete {pod.workload_kind.lower()} {pod.workload}"
            raise EnvironmentFailed(message, hint=hint)


def _nothing(
    engine: Engine,
    wanted: Wanted,
    changes: Sequence[Change],
    missing: Sequence[tuple[Kind, str]],
) -> EnvironmentFailed:
    """Say why nothing was deleted."""
    if not changes:
        return resources.not_found(missing, resources.all_of(engine, wanted.types))
    kept = "\n".join(f"{c.kind} {c.name} is not ours: {c.reason}" for c in changes)
    first = changes[0]
    line = f"kubectl delete {first.kind.lower()} {first.name} -n {first.namespace}"
    message = f"nothing was deleted, for this run of meshdemo did not make it\n{kept}"
    return EnvironmentFailed(message, hint=f"If it is yours: {line}")
