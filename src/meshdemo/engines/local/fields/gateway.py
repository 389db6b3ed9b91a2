"""The fields of Istio's Gateway, which route tests read; the engine itself has no gateway.

Source: ``networking/v1alpha3/gateway.proto`` of istio/api.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.engines.local.fields import kubernetes
from meshdemo.engines.local.fields.findings import Findings
from meshdemo.engines.local.fields.types import (
    ANYTHING,
    BOOLEAN,
    TEXT,
    TEXT_MAP,
    TEXTS,
    ListOf,
    Port,
    Record,
    honoured,
    without_effect,
)
from meshdemo.objects.place import top

if TYPE_CHECKING:
    from meshdemo.errors import Problem
    from meshdemo.objects.model import Object

_PORT = Record(
    {
        "number": honoured(Port(), required=True),
        "name": honoured(TEXT, required=True),
        "protocol": honoured(TEXT, required=True),
        "targetPort": without_effect(ANYTHING),
    }
)
_TLS = Record(
    {
        "httpsRedirect": honoured(BOOLEAN),
        "mode": honoured(TEXT),
        **dict.fromkeys(
            (
                *("serverCertificate", "privateKey", "caCertificates", "caCrl"),
                *("credentialName", "caCertCredentialName"),
                *("minProtocolVersion", "maxProtocolVersion"),
            ),
            without_effect(TEXT),
        ),
        **dict.fromkeys(
            (
                *("credentialNames", "subjectAltNames", "cipherSuites"),
                *("verifyCertificateSpki", "verifyCertificateHash"),
            ),
            without_effect(TEXTS),
        ),
        "tlsCertificates": without_effect(ListOf(ANYTHING)),
    }
)
_SERVER = Record(
    {
        "port": honoured(_PORT, required=True),
        "hosts": honoured(TEXTS, required=True),
        "tls": honoured(_TLS),
        **dict.fromkeys(("name", "bind", "defaultEndpoint"), without_effect(TEXT)),
    }
)
_SPEC = Record(
    {"servers": honoured(ListOf(_SERVER), required=True), "selector": honoured(TEXT_MAP)}
)
_GATEWAY = Record({**kubernetes.TOP, "spec": honoured(_SPEC, required=True)})


def problems(item: Object) -> list[Problem]:
    """Say which values are of a wrong type, or missing."""
    findings = Findings()
    _GATEWAY.check(top(item), findings)
    return findings.problems
