"""Objects as we applied them, read back from the server. Pure.

The server keeps for each field who wrote it (``managedFields``): our part of a live object is what
we once applied, without what others, defaults and controllers have added.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from meshdemo.engines.cluster.api.kube import MANAGER
from meshdemo.objects.model import RULE_KINDS, SERVER_METADATA, Object

if TYPE_CHECKING:
    from meshdemo.engines.cluster.api.kube import Json

LEADING = ("selector", "ports")
"""What of a Service decides where a request goes."""
KEPT = ("uid", "creationTimestamp", "generation")
"""What the rest of meshdemo reads of it: of two rules, the older one takes precedence, and one
that was changed and changed back is of another generation."""


def as_written(item: Object) -> Object:
    """Give an object as it can be applied: without what only a server writes, or nobody did."""
    metadata = {
        name: value
        for name, value in item.metadata.items()
        if name not in SERVER_METADATA and value is not None
    }
    data = {name: value for name, value in item.data.items() if name != "status"}
    item = item.with_data({**data, "metadata": metadata})
    if item.makes_pods and item.pod_template:
        item = item.with_pod_template(without_null_metadata(item.pod_template))
    return item


def applied(live: Json) -> Object:
    """Give what we applied of a live object; of one that is not ours, all of it.

    Of a rule always what it says, and of a Service where it leads: that holds, also where somebody
    changed it by other means.
    """
    fields = _our_fields(live)
    metadata = live.get("metadata") or {}
    kept = {name: metadata[name] for name in KEPT if name in metadata}
    if fields is None:
        plain = as_written(Object(live))
        return Object({**plain.data, "metadata": {**plain.metadata, **kept}})
    data = _pick(live, fields)
    spec = live.get("spec") or {}
    if live["kind"] in RULE_KINDS:
        data["spec"] = spec
    elif live["kind"] == "Service":
        leads = {name: spec[name] for name in LEADING if name in spec}
        data["spec"] = {**(data.get("spec") or {}), **leads}
    identity = {name: metadata[name] for name in ("name", "namespace") if name in metadata}
    return Object(
        {
            "apiVersion": live["apiVersion"],
            "kind": live["kind"],
            **data,
            "metadata": {**identity, **data.get("metadata", {}), **kept},
        }
    )


def managers(live: Json) -> list[str]:
    """Name those who wrote fields of an object, whoever did so first."""
    entries = (live.get("metadata") or {}).get("managedFields") or []
    found = sorted(entries, key=lambda entry: str(entry.get("time", "")))
    return list(dict.fromkeys(str(e["manager"]) for e in found if e.get("manager")))


def _our_fields(live: Json) -> Json | None:
    for entry in (live.get("metadata") or {}).get("managedFields") or ():
        if entry.get("manager") == MANAGER and entry.get("operation") == "Apply":
            found: Json = entry.get("fieldsV1") or {}
            return found
    return None


def _pick(value: Any, fields: Json) -> Any:  # noqa: ANN401 - any part of an object
    """Give the part of a value that a fieldsV1 tree names; an empty tree names all of it."""
    inner = {key: tree for key, tree in fields.items() if key != "."}
    if not inner:
        return value
    if isinstance(value, dict):
        return {
            key[2:]: _pick(value[key[2:]], tree)
            for key, tree in inner.items()
            if key.startswith("f:") and key[2:] in value
        }
    if isinstance(value, list):
        return [_pick(item, tree) for item in value if (tree := _tree_of(item, inner)) is not None]
    return value


def _tree_of(item: Any, fields: Json) -> Json | None:  # noqa: ANN401 - any item of a list
    """Find what is named of a list's item: by its keys (``k:``) or by its value (``v:``)."""
    for key, tree in fields.items():
        kind, _, text = key.partition(":")
        if kind == "v" and json.loads(text) == item:
            return {}
        if kind == "k" and isinstance(item, dict) and json.loads(text).items() <= item.items():
            found: Json = tree
            return found
    return None


def without_null_metadata(pods: Json) -> Json:
    """Drop ``creationTimestamp: null`` from a pod template, where older tools write it."""
    if not pods.get("metadata"):
        return pods
    return {**pods, "metadata": {k: v for k, v in pods["metadata"].items() if v is not None}}
