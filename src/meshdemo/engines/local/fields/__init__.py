"""The table of fields: each field of each kind is honoured, without effect here, or refused.

It is the one place that says so. A row reads ``"timeout": honoured(Duration())``,
``without_effect()`` (accepted, and named in a note) or ``unsupported(...)`` (the owner of the kind
knows it, this engine does not support it yet). A field without a row is unknown, and refused as
well. To support one more, make its ``unsupported`` an ``honoured`` and translate it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.engines.local.fields import (
    client_reach,
    destination_rule,
    kubernetes,
    other_kinds,
    virtual_service,
    workloads,
)
from meshdemo.engines.local.fields.findings import Findings
from meshdemo.engines.local.fields.types import Record, Standing, honoured
from meshdemo.objects.kinds import NETWORKING_GROUP
from meshdemo.objects.place import top

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from meshdemo.engines.local.fields.types import Row, Type
    from meshdemo.errors import Problem
    from meshdemo.objects.model import Object

ISTIO_VERSIONS = tuple(f"{NETWORKING_GROUP}/{version}" for version in ("v1", "v1beta1", "v1alpha3"))


class KindFields(Struct, frozen=True):
    """One kind of objects: its API versions and its fields."""

    versions: tuple[str, ...]
    rows: Mapping[str, Row]


def _kind(versions: tuple[str, ...], **rows: Row) -> KindFields:
    return KindFields(versions, {**kubernetes.TOP, **rows})


TABLE: Mapping[str, KindFields] = {
    "Service": _kind(("v1",), spec=honoured(kubernetes.SERVICE, required=True)),
    "Deployment": _kind(("apps/v1",), spec=honoured(kubernetes.DEPLOYMENT, required=True)),
    "StatefulSet": _kind(("apps/v1",), spec=honoured(workloads.STATEFUL_SET, required=True)),
    "DaemonSet": _kind(("apps/v1",), spec=honoured(workloads.DAEMON_SET, required=True)),
    "ReplicaSet": _kind(("apps/v1",), spec=honoured(workloads.REPLICA_SET, required=True)),
    "ReplicationController": _kind(
        ("v1",), spec=honoured(workloads.REPLICATION_CONTROLLER, required=True)
    ),
    "Job": _kind(("batch/v1",), spec=honoured(workloads.JOB, required=True)),
    "Pod": _kind(("v1",), spec=honoured(kubernetes.POD, required=True)),
    "Namespace": _kind(("v1",), spec=honoured(kubernetes.NAMESPACE)),
    "ServiceAccount": _kind(("v1",), **kubernetes.SERVICE_ACCOUNT),
    "ConfigMap": _kind(("v1",), **kubernetes.CONFIG_MAP),
    "Secret": _kind(("v1",), **kubernetes.SECRET),
    "DestinationRule": _kind(
        ISTIO_VERSIONS, spec=honoured(destination_rule.DESTINATION_RULE_SPEC, required=True)
    ),
    "ServiceEntry": _kind(
        ISTIO_VERSIONS, spec=honoured(client_reach.SERVICE_ENTRY_SPEC, required=True)
    ),
    "Sidecar": _kind(ISTIO_VERSIONS, spec=honoured(client_reach.SIDECAR_SPEC)),
    "VirtualService": _kind(ISTIO_VERSIONS, spec=honoured(virtual_service.VIRTUAL_SERVICE_SPEC)),
}


def read(item: Object) -> Findings:
    """Look at every field of an object."""
    findings = Findings()
    if problem := _kind_problem(item):
        findings.problems.append(problem)
    elif item.kind not in TABLE:
        findings.note_kind(item)
        kubernetes.METADATA.check(top(item)["metadata"], findings)
    else:
        Record(TABLE[item.kind].rows).check(top(item), findings)
    return findings


def is_known(item: Object) -> bool:
    """Tell whether the table says anything about an object's kind and version."""
    return _kind_problem(item) is None


def row(kind: str, *path: str) -> Row:
    """Give the row of a field; lists are passed through: ``row(kind, "spec", "http", "match")``."""
    rows: Mapping[str, Row] = TABLE[kind].rows
    for name in path[:-1]:
        inner = rows[name].type
        while hasattr(inner, "of"):  # the lists and maps around it
            inner = inner.of
        rows = inner.rows if isinstance(inner, Record) else {}
    return rows[path[-1]]


def supports(kind: str, *path: str) -> bool:
    """Tell whether a field is honoured, as the table says now."""
    return row(kind, *path).standing is Standing.HONOURED


def every_row(kind: str) -> Iterator[tuple[str, Row]]:
    """Give all rows of a kind with their paths: ``spec.http[].route[].weight``."""
    yield from _rows_of(Record(TABLE[kind].rows), "")


def _rows_of(of: Type, path: str) -> Iterator[tuple[str, Row]]:
    if hasattr(of, "of"):
        yield from _rows_of(of.of, f"{path}[]")
    if isinstance(of, Record):
        for name, found in of.rows.items():
            below = f"{path}.{name}" if path else name
            yield below, found
            yield from _rows_of(found.type, below)


def _kind_problem(item: Object) -> Problem | None:
    version, kind = str(item.data.get("apiVersion")), item.kind
    if kind in TABLE:
        known = TABLE[kind].versions
        if version in known:
            return None
        message = f"no {kind} has the version {version}"
        return item.problem(message, "apiVersion", hint=f"write {' or '.join(known)}")
    if other_kinds.is_idle(item, TABLE):
        return None
    return other_kinds.problem(item, TABLE)
