"""The forms that all of Envoy's resources share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshdemo.engines.local.model import LOOPBACK
from meshdemo.objects import durations

if TYPE_CHECKING:
    from collections.abc import Sequence

Json = dict[str, Any]

NEVER = "0s"
"""As a timeout: none at all."""

HTTP_UPSTREAM = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def typed(kind: str, **fields: Any) -> Json:  # noqa: ANN401 - Envoy's fields hold any data
    """Make a message that says its own type."""
    return {"@type": f"type.googleapis.com/{kind}", **fields}


def extension(name: str, kind: str, **fields: Any) -> Json:  # noqa: ANN401 - as above
    """Name an extension of Envoy's, with its configuration."""
    return {"name": name, "typed_config": typed(kind, **fields)}


def duration(text: str) -> str:
    """Write one of Istio's durations as Envoy reads them, which is seconds only."""
    exact = durations.seconds(text)
    if exact is None:  # admission has refused it
        return NEVER
    return f"{float(exact):.9f}".rstrip("0").rstrip(".") + "s"


def whole_seconds(text: str) -> int:
    """Write one of Istio's durations where Envoy counts seconds: what is less is cut off."""
    return int(durations.seconds(text) or 0)


def loopback(port: int) -> Json:
    """Give the address of a port on this machine."""
    return {"socket_address": {"address": LOOPBACK, "port_value": port}}


def address(ip: str, port: int) -> Json:
    """Give the address of a port at an IP address."""
    return {"socket_address": {"address": ip, "port_value": port}}


def internal(listener: str, endpoint: str = "") -> Json:
    """Give the address of an internal listener; ``endpoint`` is what it may tell of it."""
    told = {"endpoint_id": endpoint} if endpoint else {}
    return {"envoy_internal_address": {"server_listener_name": listener, **told}}


def endpoint(address: Json, weight: int = 1) -> Json:
    """Say where one endpoint is, and which weight it has among the others."""
    found: Json = {"endpoint": {"address": address}}
    return found if weight == 1 else {**found, "load_balancing_weight": weight}


def assignment(cluster: str, *groups: Sequence[Json]) -> Json:
    """List a cluster's endpoints; each group is for when those before it are not healthy."""
    localities: list[Json] = []
    for endpoints in filter(None, groups):
        rank = {"priority": len(localities)} if localities else {}
        localities.append({"lb_endpoints": list(endpoints), **rank})
    return {"cluster_name": cluster, "endpoints": localities}


def origin(kind: str, namespace: str, name: str, **more: str) -> Json:
    """Note, as istiod does, which object a resource was made from."""
    config = f"/apis/networking.istio.io/v1/namespaces/{namespace}/{kind}/{name}"
    return {"filter_metadata": {"istio": {"config": config, **more}}}
