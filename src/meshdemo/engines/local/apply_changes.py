"""What becomes of the stored objects when others are applied: kubectl's words for it. Pure."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from meshdemo.engines.local.store import now
from meshdemo.engines.results import Change
from meshdemo.objects.labels import COMMAND, DIRECTORY
from meshdemo.objects.model import SERVER_METADATA, Object, in_apply_order

if TYPE_CHECKING:
    from collections.abc import Sequence


def as_written(item: Object) -> Object:
    """Give an object without what a server, which here are we, has added to it."""
    metadata = {k: v for k, v in item.metadata.items() if k not in SERVER_METADATA}
    if DIRECTORY in item.annotations:
        annotations = {k: v for k, v in item.annotations.items() if k != DIRECTORY}
        metadata["annotations"] = annotations
        if not annotations:
            del metadata["annotations"]
    data = {k: v for k, v in item.data.items() if k != "status"}
    return item.with_data({**data, "metadata": metadata})


def left_to_owners(given: Sequence[Object], stored: Sequence[Object]) -> dict[str, str]:
    """Name the pods among ``given`` that a workload makes, each with the workload.

    That is what ``get pods -o yaml`` shows: whoever applies it again changes nothing by it.
    """
    makers = {(o.kind, o.namespace, o.name) for o in (*stored, *given) if o.makes_pods}
    found = {}
    for item in given:
        owners = item.metadata.get("ownerReferences")
        for owner in owners if item.kind == "Pod" and isinstance(owners, list) else ():
            is_maker = isinstance(owner, dict) and owner.get("controller") is True
            named = [str(owner.get(field)) for field in ("kind", "name")] if is_maker else []
            if named and (named[0], item.namespace, named[1]) in makers:
                found[item.title] = " ".join(named)
    return found


def merge(
    given: Sequence[Object], stored: Sequence[Object], directory: str
) -> tuple[tuple[Object, ...], tuple[Change, ...]]:
    """Put the given objects among the stored ones, and say what happens to each of them.

    ``directory`` is where the commands of new pods run.
    """
    merged = {item.key: item for item in stored}
    # One for a whole apply: which of two new rules takes precedence is not for the clock to say.
    moment = now()
    changes = []
    for item in in_apply_order(given):
        old = merged.get(item.key)
        action = "configured" if old else "created"
        if old and as_written(old).data == item.data:
            action = "unchanged"
        else:
            merged[item.key] = _as_stored(item, old, directory, moment)
        changes.append(Change(action, item.kind, item.namespace, item.name))
    return tuple(merged.values()), tuple(changes)


def _as_stored(item: Object, old: Object | None, directory: str, moment: str) -> Object:
    metadata: dict[str, Any] = {
        **item.metadata,
        "uid": old.metadata["uid"] if old else str(uuid.uuid4()),
        "creationTimestamp": old.metadata["creationTimestamp"] if old else moment,
        "generation": _generation(item, old),
    }
    annotations = (item.pod_template.get("metadata") or {}).get("annotations") or {}
    if item.makes_pods and COMMAND in annotations:
        metadata["annotations"] = {**item.annotations, DIRECTORY: directory}
    # What is stored stands by itself, without lines: the file may be another one tomorrow.
    return Object({**item.data, "metadata": metadata}, item.file)


def _generation(item: Object, old: Object | None) -> int:
    """Count what an object has said: as in Kubernetes, labels and annotations are no part of it."""
    if old is None:
        return 1
    before: int = old.metadata.get("generation", 1)
    return before + (old.spec != item.spec)
