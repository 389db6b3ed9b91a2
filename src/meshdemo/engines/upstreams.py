"""What a sidecar keeps from its requests: the page /clusters of Envoy's admin interface, read."""

from __future__ import annotations

from msgspec import Struct

_EJECTED = "/failed_outlier_check"
"""The health flag of an endpoint that outlier detection has left out."""


class Ejected(Struct, frozen=True):
    """An endpoint that gets no requests, because it failed too often."""

    cluster: str
    """As Istio calls it: ``outbound|80|v1|app.default.svc.cluster.local``."""
    address: str


def ejected(page: str) -> tuple[Ejected, ...]:
    """Read which endpoints are ejected now, of lines CLUSTER::ADDRESS::health_flags::FLAGS."""
    found = []
    for line in page.splitlines():
        rest, _, flags = line.partition("::health_flags::")
        cluster, _, address = rest.partition("::")
        if _EJECTED in flags:
            found.append(Ejected(cluster, address))
    return tuple(found)
