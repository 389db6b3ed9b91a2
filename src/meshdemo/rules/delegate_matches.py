"""How the matches of a delegate's rule are merged with those of the rule that hands over to it.

Each of the delegate's must be a part of one that hands over; else the rule is dropped.

Source: ``mergeHTTPMatchRequests`` and ``hasConflict`` in istiod's model/virtualservice.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Json: TypeAlias = "dict[str, Any]"

TEXTS = ("uri", "scheme", "method", "authority")
BY_NAME = ("headers", "withoutHeaders", "queryParams")
PLAIN = ("port", "sourceNamespace", "gateways", "statPrefix")
"""What counts where the delegate has none, or an empty one."""


def merged_matches(root: Sequence[Json], delegate: Sequence[Json]) -> list[Json] | None:
    """Merge the matches of two rules; None if one of the delegate's fits none of the others."""
    if not root or not delegate:
        return [*root, *delegate]
    found = []
    for leaf in delegate:
        fitting = [_merged(each, leaf) for each in root if not _conflict(each, leaf)]
        if not fitting:
            return None
        found += fitting
    return found


def _merged(root: Json, leaf: Json) -> Json:
    found = dict(leaf)
    if name := "-".join(filter(None, (root.get("name"), leaf.get("name")))):
        found["name"] = name
    for field in TEXTS:
        if field in root and field not in leaf:
            found[field] = root[field]
    for field in (*BY_NAME, "sourceLabels"):
        if both := {**(root.get(field) or {}), **(leaf.get(field) or {})}:
            found[field] = both
    for field in PLAIN:
        if root.get(field) and not leaf.get(field):
            found[field] = root[field]
    return found


def _conflict(root: Json, leaf: Json) -> bool:
    """Tell whether a match of the delegate's takes more than the other one."""
    if any(_text_conflict(root.get(field), leaf.get(field)) for field in TEXTS):
        return True
    for field in BY_NAME:
        wanted = root.get(field) or {}
        for name, condition in _pairs(leaf, field):
            if _text_conflict(wanted.get(name), condition):
                return True
    if bool(root.get("ignoreUriCase")) != bool(leaf.get("ignoreUriCase")):
        return True
    if root.get("port") and leaf.get("port") and root["port"] != leaf["port"]:
        return True
    return _source_conflict(root, leaf)


def _source_conflict(root: Json, leaf: Json) -> bool:
    namespace = root.get("sourceNamespace")
    if namespace and leaf.get("sourceNamespace") != namespace:  # not even where it says none
        return True
    labels = root.get("sourceLabels") or {}
    if any(labels.get(name, value) != value for name, value in _pairs(leaf, "sourceLabels")):
        return True
    return _gateways_conflict(root.get("gateways") or [], leaf.get("gateways") or [])


def _text_conflict(root: Json | None, leaf: Json | None) -> bool:
    """Compare two conditions for one text; where there is none there is no conflict.

    Nobody can say whether one regex takes less than another, nor is an empty text a condition.
    """
    if root is None or leaf is None:
        return False
    (kind, wanted), (own_kind, own) = _condition(root), _condition(leaf)
    if "regex" in (kind, own_kind) or not wanted or not own:
        return True
    if kind == "exact":
        return own_kind == "prefix" or own != wanted
    return not own.startswith(wanted)


def _condition(match: Json) -> tuple[str, str]:
    return next(((kind, text) for kind, text in match.items() if text), ("", ""))


def _pairs(match: Json, field: str) -> Iterable[tuple[str, Any]]:
    return (match.get(field) or {}).items()


def _gateways_conflict(root: Sequence[str], leaf: Sequence[str]) -> bool:
    return bool(root and leaf) and (len(root) < len(leaf) or not set(leaf) <= set(root))
