"""The domains of Envoy's virtual hosts: by which names a client may call a service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.rules.hosts import service_host

if TYPE_CHECKING:
    from collections.abc import Iterable

HTTP_PORT = 80
"""The port of a URL that names none."""


def aliases(name: str, namespace: str, client_namespace: str) -> list[str]:
    """List the names by which a client may call a service, in istiod's order."""
    full = service_host(name, namespace)
    if namespace == client_namespace:
        return [full, f"{full}.", name, f"{name}.{namespace}.svc", f"{name}.{namespace}"]
    return [full, f"{full}.", f"{name}.{namespace}", f"{name}.{namespace}.svc"]


def with_port(names: Iterable[str], port: int) -> list[str]:
    """Write the domains of a virtual host: only port 80 may be left out of a URL."""
    if port == HTTP_PORT:
        return [domain for name in names for domain in (name, f"{name}:{port}")]
    return [f"{name}:{port}" for name in names]
