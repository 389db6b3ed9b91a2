"""Translation of Kubernetes' and Istio's objects into Envoy's resources: pure, no files.

Names, order and semantics are istiod's. Where istiod redirects connections and tells services
apart by address, the client here uses its Envoy as an HTTP proxy and names the host:

    the pod's process -> "outbound", an HTTP proxy -> route -> cluster -> the pods' entries
    another pod       -> "inbound|PORT||"          -> the pod's process

What the objects mean is said in ``meshdemo.rules``; here is what Envoy is told, in a module each:
matches, actions, headers, faults, routes, virtual hosts, clusters, endpoints, listeners,
connections that are passed on unseen, and replies of the proxy's own.

What whoever runs the Envoys has to know:

- The bootstrap needs the extension ``envoy.bootstrap.internal_listener``
  (``envoy.extensions.bootstrap.internal_listener.v3.InternalListener``), see ``tcp_passthrough``.
- Files: ``FOLDER/rds.json``. It is watched by path: replace it by rename.
- Order: clusters, then listeners before routes, except that the route file must be there before
  the listener ``outbound`` is. (A new internal listener comes with new routes.)
- The routes are live when ``http.outbound.rds.outbound.version_text`` says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.engines.local import images
from meshdemo.engines.local.translate import clusters, listeners, route_configuration
from meshdemo.rules.client_view import Client, ClientView
from meshdemo.rules.protocols import Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshdemo.engines.local.model import Mesh, PlannedPod
    from meshdemo.engines.local.translate.resources import Json

__all__ = ["Config", "kube_proxy", "sidecar"]


class Config(Struct, frozen=True):
    """All resources of one Envoy, each with its ``@type``, as data for JSON."""

    listeners: tuple[Json, ...]
    clusters: tuple[Json, ...]
    routes: tuple[Json, ...]


def sidecar(mesh: Mesh, pod: PlannedPod, folder: str) -> Config:
    """Configure the Envoy of an injected pod."""
    client = Client(pod.namespace, pod.labels, injected=True)
    view = ClientView(mesh.rules, client)
    services = mesh.rules.services
    upstreams = clusters.Upstreams(mesh.pods, services, pod.namespace, pod.labels)
    clusters.of_client(view, upstreams)
    if any(service.is_entry for service in view.upstreams.values()):
        upstreams.listeners.append(listeners.outside())
    own = []
    for port in pod.ports:
        if port.inbound:
            known = listeners.served(pod, port, services)
            own.append(listeners.inbound(port, known.protocol, known.number))
            policy = view.inbound_policy(known.host, known.number) if known.host else {}
            spoken = _spoken(pod, known.protocol)
            upstreams.clusters.append(clusters.of_own_port(port, spoken, policy))
    outbound = [listeners.outbound(pod.outbound, folder)] if pod.outbound else []
    return _config(upstreams, [*outbound, *own], route_configuration.of_client(view))


def _spoken(pod: PlannedPod, protocol: Protocol) -> Protocol:
    """Say what a pod's own process speaks: a stand-in HTTP/1.1, whatever its image does."""
    is_http = protocol.takes_http_rules and images.are_all_ours(pod.template)
    return Protocol.HTTP if is_http else protocol


def kube_proxy(mesh: Mesh, port: int, folder: str, namespace: str = "default") -> Config:
    """Configure the Envoy that pods without a sidecar use: no rules, a random pod per connection.

    Short names are those of ``namespace``.
    """
    services = mesh.rules.services
    upstreams = clusters.Upstreams(mesh.pods)
    clusters.of_kube_proxy(services, upstreams)
    found = route_configuration.of_kube_proxy(services, namespace)
    return _config(upstreams, [listeners.kube_proxy(port, folder)], found)


def _config(upstreams: clusters.Upstreams, own: Iterable[Json], found: list[Json]) -> Config:
    return Config(
        listeners=(*own, *upstreams.listeners),
        clusters=tuple(upstreams.clusters),
        routes=(route_configuration.route_configuration(found),),
    )
