"""The fields of a container's environment, and what it may be taken from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.engines.local.config_data import ADDRESS_FIELDS, TAG
from meshdemo.engines.local.fields.types import (
    BOOLEAN,
    TEXT,
    Record,
    honoured,
    unsupported,
)

if TYPE_CHECKING:
    from meshdemo.engines.local.fields.findings import Findings
    from meshdemo.objects.place import Place

KNOWN_PATHS = (
    "metadata.name",
    "metadata.namespace",
    "spec.serviceAccountName",
    *ADDRESS_FIELDS,
)
UNKNOWN_PATHS = ("metadata.uid", "spec.nodeName")
"""What Kubernetes knows of a pod, and there is none of here."""


class PodField(Struct, frozen=True):
    """The path of a field of the pod: its name, namespace, labels, addresses."""

    def check(self, place: Place, findings: Findings) -> None:
        if not place.is_text:
            findings.report_type(place, "text")
        elif place.text in UNKNOWN_PATHS:
            findings.report_unsupported(place, f'the field "{place.text}"')
        elif place.text not in KNOWN_PATHS and not TAG.fullmatch(place.text):
            hint = f"there are {', '.join((*KNOWN_PATHS, *UNKNOWN_PATHS))}, metadata.labels['NAME']"
            findings.report(place, f'"{place.text}" is not a field that can be taken', hint)


KEY = Record(
    {
        "name": honoured(TEXT, required=True),
        "key": honoured(TEXT, required=True),
        "optional": honoured(BOOLEAN),
    }
)
ALL_KEYS = Record({"name": honoured(TEXT, required=True), "optional": honoured(BOOLEAN)})

VALUE_FROM = Record(
    {
        "configMapKeyRef": honoured(KEY),
        "secretKeyRef": honoured(KEY),
        "fieldRef": honoured(
            Record({"fieldPath": honoured(PodField(), required=True), "apiVersion": honoured(TEXT)})
        ),
        "resourceFieldRef": unsupported(),
        "fileKeyRef": unsupported(),
    },
    one_of=(("configMapKeyRef", "secretKeyRef", "fieldRef", "resourceFieldRef", "fileKeyRef"),),
)

ENV = Record(
    {
        "name": honoured(TEXT, required=True),
        "value": honoured(TEXT),
        "valueFrom": honoured(VALUE_FROM),
    }
)

ENV_FROM = Record(
    {
        "prefix": honoured(TEXT),
        "configMapRef": honoured(ALL_KEYS),
        "secretRef": honoured(ALL_KEYS),
    },
    one_of=(("configMapRef", "secretRef"),),
)
