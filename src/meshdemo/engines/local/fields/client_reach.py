"""The fields of a ServiceEntry and of a Sidecar: what a client knows and reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.engines.local.fields.types import (
    TEXT,
    TEXT_MAP,
    TEXTS,
    UINT32,
    Choice,
    Integer,
    ListOf,
    MapOf,
    Port,
    Record,
    honoured,
    unsupported,
    without_effect,
)

if TYPE_CHECKING:
    from meshdemo.engines.local.fields.findings import Findings
    from meshdemo.objects.place import Place

UNIX = "unix://"
"""How the address of an endpoint on a Unix socket begins."""


class _Address(Struct, frozen=True):
    """An endpoint's address."""

    def check(self, place: Place, findings: Findings) -> None:
        TEXT.check(place, findings)
        if place.text.startswith(UNIX):
            findings.report_unsupported(place, "endpoints on Unix sockets")


_UNSIGNED = Integer(0, UINT32)
_SELECTOR = Record({"labels": honoured(TEXT_MAP)})
_ENTRY_PORT = Record(
    {
        "number": honoured(Port(), required=True),
        "name": honoured(TEXT, required=True),
        "protocol": honoured(TEXT),
        "targetPort": honoured(Port()),
    }
)
_ENDPOINT = Record(
    {
        "address": honoured(_Address()),
        "ports": honoured(MapOf(Port())),
        "labels": honoured(TEXT_MAP),
        "weight": honoured(_UNSIGNED),
        # All is near: a client here has no locality.
        "locality": without_effect(TEXT),
        # Mutual TLS, of which there is none here.
        "serviceAccount": without_effect(TEXT),
        "network": unsupported(TEXT),
    }
)

SERVICE_ENTRY_SPEC = Record(
    {
        "hosts": honoured(TEXTS, required=True),
        "addresses": honoured(TEXTS),
        "ports": honoured(ListOf(_ENTRY_PORT)),
        "location": honoured(Choice(("MESH_EXTERNAL", "MESH_INTERNAL"))),
        "resolution": honoured(
            Choice(("NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN"), unsupported=("DYNAMIC_DNS",))
        ),
        "endpoints": honoured(ListOf(_ENDPOINT)),
        "workloadSelector": honoured(_SELECTOR),
        "exportTo": honoured(TEXTS),
        "subjectAltNames": without_effect(TEXTS),
    }
)

_SIDECAR_PORT = Record(
    {
        "number": honoured(_UNSIGNED),
        "protocol": honoured(TEXT),
        "name": honoured(TEXT),
        "targetPort": honoured(_UNSIGNED),
    }
)
_EGRESS = Record(
    {
        "hosts": honoured(TEXTS, required=True),
        "port": unsupported(_SIDECAR_PORT),
        "bind": unsupported(TEXT),
        "captureMode": honoured(Choice(("DEFAULT", "IPTABLES"), unsupported=("NONE",))),
    }
)
_INGRESS = Record(
    {
        "port": honoured(_SIDECAR_PORT, required=True),
        **dict.fromkeys(("bind", "defaultEndpoint"), honoured(TEXT)),
        "captureMode": honoured(Choice(("DEFAULT", "IPTABLES", "NONE"))),
        "connectionPool": unsupported(),
        "tls": unsupported(),
    }
)
_PROXY = Record(
    {
        "host": honoured(TEXT, required=True),
        "subset": honoured(TEXT),
        "port": honoured(Record({"number": honoured(_UNSIGNED)})),
    }
)

SIDECAR_SPEC = Record(
    {
        "workloadSelector": honoured(_SELECTOR),
        "egress": honoured(ListOf(_EGRESS)),
        "outboundTrafficPolicy": honoured(
            Record(
                {
                    "mode": honoured(Choice(("REGISTRY_ONLY", "ALLOW_ANY"))),
                    "egressProxy": unsupported(_PROXY),
                }
            )
        ),
        "ingress": unsupported(ListOf(_INGRESS)),
        "inboundConnectionPool": unsupported(),
    }
)
