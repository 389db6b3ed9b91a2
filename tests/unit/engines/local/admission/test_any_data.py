"""Whatever stands in an object, admission judges it and does not fail."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshdemo.engines.local import fields
from meshdemo.engines.local.admission import Admission, admit
from meshdemo.engines.local.fields import kubernetes
from meshdemo.objects.model import Object

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
NAMES = {
    path.rpartition(".")[2].strip("[]")
    for kind in fields.TABLE
    for path, _ in fields.every_row(kind)
}
KEYS = st.sampled_from(sorted(NAMES)) | st.text(max_size=5)
DATA = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)


@settings(max_examples=60)
@given(kind=st.sampled_from(sorted(fields.TABLE)), spec=DATA, metadata=DATA)
def test_any_data_is_judged_without_an_error(kind: str, spec: object, metadata: object) -> None:
    tags = metadata if isinstance(metadata, dict) else {}
    head = {"apiVersion": fields.TABLE[kind].versions[0], "kind": kind}
    names = {"name": "a", "namespace": "default"}
    item = Object({**head, "metadata": {**tags, **names}, "spec": spec})
    assert isinstance(admit([item], []), Admission)


def shaped(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    """Draw data that has the kind's own fields, with arbitrary content at their ends."""
    rows = {k: row for k, row in fields.TABLE[kind].rows.items() if k not in kubernetes.TOP}
    return st.fixed_dictionaries({}, optional=_fields(fields.types.Record(rows)))


def _fields(of: Any) -> dict[str, st.SearchStrategy[Any]]:
    rows = getattr(of, "rows", {})
    return {name: _data(row.type) for name, row in rows.items()}


def _data(of: Any) -> st.SearchStrategy[Any]:
    if hasattr(of, "rows"):
        return st.fixed_dictionaries({}, optional=_fields(of)) | SCALARS
    if isinstance(of, fields.types.ListOf):
        return st.lists(_data(of.of), max_size=2) | SCALARS
    if isinstance(of, fields.types.MapOf):
        return st.dictionaries(st.text(max_size=3), _data(of.of), max_size=2) | SCALARS
    return SCALARS


@pytest.mark.parametrize("kind", fields.TABLE)
@settings(max_examples=25)
@given(data=st.data())
def test_wrong_values_in_known_fields_are_judged_without_an_error(
    kind: str, data: st.DataObject
) -> None:
    head = {"apiVersion": fields.TABLE[kind].versions[0], "kind": kind}
    names = {"name": "a", "namespace": "default"}
    item = Object({**head, "metadata": names, **data.draw(shaped(kind))})
    assert isinstance(admit([item], []), Admission)


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 10**400, True])
def test_numbers_of_every_kind_are_judged(value: object) -> None:
    head = {"apiVersion": "apps/v1", "kind": "Deployment"}
    names = {"name": "a", "namespace": "default"}
    item = Object({**head, "metadata": names, "spec": {"replicas": value}})
    assert admit([item], []).problems
