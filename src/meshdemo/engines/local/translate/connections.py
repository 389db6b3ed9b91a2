"""Connections in which no HTTP is seen: what the client's sidecar does with each of them.

    CONNECT, or a request to a port for TCP -> route -> the port's internal listener
        -> a filter chain by the name of a TLS handshake -> tcp_proxy -> the pods

Where istiod tells services apart by the address of a listener, each port of a service has an
internal listener here, see ``tcp_passthrough``.

Source: ``buildOutboundNetworkFilters`` and ``buildListenerFromEntry`` in istiod's networking/core.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.engines.local.translate import names, tcp_passthrough
from meshdemo.engines.local.translate.resources import NEVER, extension, origin
from meshdemo.rules import connections, traffic_policies
from meshdemo.rules.destinations import connection_target, default_target
from meshdemo.rules.virtual_hosts import VirtualHost

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshdemo.engines.local.translate.resources import Json
    from meshdemo.rules.client_view import ClientView
    from meshdemo.rules.connections import Chain
    from meshdemo.rules.destinations import Target
    from meshdemo.rules.services import Service, ServicePort

BLACK_HOLE = "BlackHoleCluster"
"""No cluster has this name: what is sent there is closed, as in istiod's cluster of this name."""
TLS_INSPECTOR = "envoy.filters.listener.tls_inspector"
TLS_INSPECTOR_KIND = "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"


def listener(
    service: Service, port: ServicePort, pod: str, view: ClientView, address: Callable[[], str]
) -> Json:
    """Make the internal listener of a port, or of that of the one pod that is dialled.

    ``address`` names the cluster of what the address that is dialled leads to.
    """
    *named, rest = connections.chains(service, port, view)
    dialled = VirtualHost((), service.host, port.number, service, pod=pod)

    def written(chain: Chain) -> Json:
        found: Json = {"filters": _filters(chain, dialled, view, address)}
        if chain.servers:
            found["filter_chain_match"] = {"server_names": list(chain.servers)}
        if rule := chain.rule:
            found["metadata"] = origin("virtual-service", rule.namespace, rule.name)
        return found

    name = names.connection(port.number, service.host, pod)
    if not named:
        return tcp_passthrough.listener(name, written(rest))
    return tcp_passthrough.listener(
        name,
        *map(written, named),
        listener_filters=[extension(TLS_INSPECTOR, TLS_INSPECTOR_KIND)],
        listener_filters_timeout=NEVER,
        default_filter_chain=written(rest),
    )


def _filters(
    chain: Chain, dialled: VirtualHost, view: ClientView, address: Callable[[], str]
) -> list[Json]:
    """Make the filters that pass a connection on, to one of several clusters by their weights.

    Of several, the policy of the first one's host holds, and none of a subset's.
    """

    def cluster(target: Target) -> str:
        if target.passes_through:
            return address()
        return names.outbound(target.port, target.host, target.subset)

    if chain.passes_on:
        only = BLACK_HOLE if view.reaches_only_known else address()
        return [tcp_passthrough.tcp_proxy(only, cluster=only)]
    rule = chain.rule
    if rule is None:
        only = cluster(default_target(dialled, view))
        followed = view.destination_rules.get(dialled.host)
        policy = traffic_policies.of_connections(followed, "")
        return tcp_passthrough.proxy_filters(only, policy, cluster=only)
    destinations = [part["destination"] for part in chain.route]
    found = [cluster(connection_target(each, rule, dialled, view)) for each in destinations]
    followed = view.destination_rules.get(rule.resolve(destinations[0]["host"]))
    if len(found) == 1:
        policy = traffic_policies.of_connections(followed, destinations[0].get("subset") or "")
        return tcp_passthrough.proxy_filters(found[0], policy, cluster=found[0])
    weights = [part.get("weight") for part in chain.route]
    weighted = [
        {"name": name, "weight": weight}
        for name, weight in zip(found, weights, strict=True)
        if weight
    ]
    policy = traffic_policies.of_connections(followed, "")
    prefix = f"{rule.name}.{rule.namespace}"
    return tcp_passthrough.proxy_filters(prefix, policy, weighted_clusters={"clusters": weighted})
