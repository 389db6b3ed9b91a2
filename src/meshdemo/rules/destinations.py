"""Where one destination of a rule leads, for a client and what it dialled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from meshdemo.language import said
from meshdemo.rules import traffic_policies

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshdemo.language import Sentence
    from meshdemo.rules.client_view import ClientView
    from meshdemo.rules.virtual_hosts import VirtualHost
    from meshdemo.rules.virtual_services import VirtualService


class Target(Struct, frozen=True):
    """A part of a service, whether or not there is one: without it requests get 503."""

    host: str
    """The full name of the service, capitals as they were written."""
    port: int
    subset: str = ""
    passes_through: bool = False
    """The connection goes on to what was dialled, all of whose pods may get it (PASSTHROUGH)."""
    pod: str = ""
    """The only pod that may get it then, where that was dialled."""

    @property
    def cluster(self) -> str:
        """How istiod calls it among a sidecar's clusters."""
        return f"outbound|{self.port}|{self.subset}|{self.host}"


def target_of(
    destination: Mapping[str, Any], rule: VirtualService, dialled: VirtualHost, view: ClientView
) -> Target:
    """Follow a destination of a VirtualService.

    Without a port it is the one that was dialled, even if the service's only port is another; a
    gateway, which knows all services, takes that.
    """
    if view.client.gateway:
        return connection_target(destination, rule, dialled, view)
    port = (destination.get("port") or {}).get("number") or dialled.port
    host = rule.resolve(str(destination.get("host", "")))
    return _target(host, destination.get("subset") or "", port, dialled, view)


def connection_target(
    destination: Mapping[str, Any], rule: VirtualService, dialled: VirtualHost, view: ClientView
) -> Target:
    """Follow a destination of a tcp or tls rule, or of any rule at a gateway.

    Without a port it is the service's only one, else the one that was dialled
    (``GetDestinationCluster`` in istiod's core/route, which for http rules knows only services that
    have the port that was dialled).
    """
    host = rule.resolve(str(destination.get("host", "")))
    known = view.mesh.services_by_host.get(host)
    ports = known[0].ports if known else ()
    only = ports[0].number if len(ports) == 1 else dialled.port
    port = (destination.get("port") or {}).get("number") or only
    return _target(host, destination.get("subset") or "", port, dialled, view)


def refusal(target: Target, sender: str, view: ClientView) -> Sentence | None:
    """Say why requests that are sent to a target get 503 whatever its pods do; None if not.

    ``sender`` is what sends them there.
    """
    service = view.upstreams.get(target.host)
    if service is None or service.is_alias:
        return said(
            "{sender} sends it to {host}, which is not a Service: 503",
            sender=sender,
            host=target.host,
        )
    if service.port(target.port) is None:
        return said("{service} has no port {port}", service=service.title, port=target.port)
    if view.passes_through(target.host, target.subset, target.port):
        return said(
            "{service}: PASSTHROUGH needs a Service that was called, so it gets 503",
            service=service.title,
        )
    rule = view.destination_rules.get(target.host)
    if target.subset and (rule is None or rule.subset(target.subset) is None):
        return said(
            "no DestinationRule has the subset {subset} of {service}, so it gets 503",
            subset=target.subset,
            service=service.title,
        )
    return None


def hash_of(
    destination: Mapping[str, Any], rule: VirtualService, view: ClientView
) -> dict[str, Any] | None:
    """Give the consistentHash by which a destination of a VirtualService chooses its pod."""
    host = rule.resolve(str(destination.get("host", "")))
    port = (destination.get("port") or {}).get("number")
    found = view.destination_rules.get(host)
    return traffic_policies.hash_of_destination(found, destination.get("subset") or "", port)


def default_target(dialled: VirtualHost, view: ClientView) -> Target:
    """Give where requests go that no rule decides about: to the service that was dialled."""
    return _target(dialled.host, "", dialled.port, dialled, view)


def _target(host: str, subset: str, port: int, dialled: VirtualHost, view: ClientView) -> Target:
    # An alias leads to the host that it names, and no further (``GetDestinationCluster``); where
    # it does not have the port that was dialled nothing is known of it.
    alias = view.services.get(host)
    if alias and alias.is_alias and alias.port(dialled.port):
        host = alias.external_name
    # Where no service was dialled there is no address to pass a connection on to: such a
    # destination has no cluster, as PASSTHROUGH replaces it.
    if dialled.service and view.passes_through(host, subset, port):
        return Target(dialled.service.host, dialled.port, passes_through=True, pod=dialled.pod)
    return Target(host, port, subset)
