"""Names of clusters, listeners and routes: istiod's, and a few for what only we need."""

from __future__ import annotations

ROUTES = "outbound"
"""The one route configuration, the listener that uses it, and the prefix of its statistics."""


def outbound(port: int, host: str, subset: str = "") -> str:
    """Name the cluster of a service's port, or of a subset of it, as istiod does."""
    return f"outbound|{port}|{subset}|{host}"


def inbound(port: int) -> str:
    """Name the cluster of the pod's own process behind one of its ports, as istiod does."""
    return f"inbound|{port}||"


def passthrough(port: int, host: str, pod: str = "") -> str:
    """Name the cluster that leads wherever Kubernetes sends a connection to a service, or a pod."""
    return f"passthrough|{port}|{pod}|{host}"


def connection(port: int, host: str, pod: str = "") -> str:
    """Name the cluster of a port where each connection of the client's is one of ours."""
    return f"connection|{port}|{pod}|{host}"


OUTSIDE = "outside"
"""The internal listener that answers for all that is outside the mesh."""


def address(port: int, host: str) -> str:
    """Name the internal listener that stands for a service's own address, to which DNS led."""
    return f"address|{port}||{host}"


def kube_proxy(port: int, host: str, pod: str = "") -> str:
    """Name the pods of a service's port as kube-proxy sees them."""
    return f"kube-proxy|{port}|{pod}|{host}"
