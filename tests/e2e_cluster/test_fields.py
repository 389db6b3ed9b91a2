"""The local engine's table of fields against the schemas that a real Istio serves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from meshdemo.engines.local import fields
from meshdemo.engines.local.fields.types import Standing
from meshdemo.objects.kinds import NETWORKING_GROUP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e_cluster.conftest import Cluster

CRDS = {
    "VirtualService": "virtualservices",
    "DestinationRule": "destinationrules",
    "ServiceEntry": "serviceentries",
    "Sidecar": "sidecars",
}


def paths(schema: dict[str, Any], path: str) -> Iterator[str]:
    """Give each field below a schema, as ``every_row`` writes it: ``spec.http[].timeout``."""
    while schema.get("type") == "array":
        schema, path = schema["items"], f"{path}[]"
    for name, below in schema.get("properties", {}).items():
        yield f"{path}.{name}"
        yield from paths(below, f"{path}.{name}")
    if isinstance(of := schema.get("additionalProperties"), dict):
        yield from paths(of, f"{path}[]")


def is_below(path: str, others: set[str]) -> bool:
    return any(path.startswith((f"{other}.", f"{other}[")) for other in others)


@pytest.mark.usefixtures("istio")
@pytest.mark.parametrize("kind", CRDS)
def test_every_field_that_this_istio_has_is_in_the_table(cluster: Cluster, kind: str) -> None:
    rows = dict(fields.every_row(kind))
    refused = {path for path, row in rows.items() if row.standing is Standing.UNSUPPORTED}
    crd = json.loads(
        cluster.kubectl("get", "crd", f"{CRDS[kind]}.{NETWORKING_GROUP}", "-o", "json")
    )
    for version in crd["spec"]["versions"]:
        assert f"{NETWORKING_GROUP}/{version['name']}" in fields.TABLE[kind].versions
        served = set(paths(version["schema"]["openAPIV3Schema"]["properties"]["spec"], "spec"))
        assert len(served) > 20  # the schema was found
        assert not {path for path in served - set(rows) if not is_below(path, refused)}
