"""Clusters and their endpoints.

Source: ``buildOutboundClusters`` and ``applyTrafficPolicy`` in istiod's networking/core.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from meshdemo.engines.local.translate import connections, names, tcp_passthrough
from meshdemo.engines.local.translate.endpoints import CLOSED, entries
from meshdemo.engines.local.translate.resources import (
    HTTP_UPSTREAM,
    address,
    assignment,
    internal,
    loopback,
    origin,
    typed,
)
from meshdemo.objects.labels import POD_NAME_LABEL
from meshdemo.rules import hosts, traffic_policies
from meshdemo.rules.protocols import Protocol
from meshdemo.rules.service_entries import service_behind
from meshdemo.rules.services import Endpoint, Resolution

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meshdemo.engines.local.model import PlannedPod, PodPort
    from meshdemo.engines.local.translate.resources import Json
    from meshdemo.rules.client_view import ClientView
    from meshdemo.rules.services import Service, ServicePort

UNLIMITED = 2**32 - 1
LIMITS: Json = {
    "connect_timeout": "10s",
    "circuit_breakers": {
        "thresholds": [
            {
                "max_connections": UNLIMITED,
                "max_pending_requests": UNLIMITED,
                "max_requests": UNLIMITED,
                "max_retries": UNLIMITED,
                "track_remaining": True,
            }
        ]
    },
}
"""Istio's for every cluster of which no rule says otherwise."""

BALANCERS = {"RANDOM": "RANDOM", "ROUND_ROBIN": "ROUND_ROBIN"}
"""By their name in a rule; all others are LEAST_REQUEST, which is the default too."""

UPSTREAM: dict[Protocol, Json] = {
    Protocol.HTTP2: {"explicit_http_config": {"http2_protocol_options": {}}},
    Protocol.AUTO: {
        "use_downstream_protocol_config": {
            "http_protocol_options": {},
            "http2_protocol_options": {},
        }
    },
}


@dataclass(slots=True)
class Upstreams:
    """Clusters as they are worked out, with the internal listeners they need."""

    pods: tuple[PlannedPod, ...]
    services: tuple[Service, ...] = ()
    """All of the mesh: DNS may lead to any."""
    namespace: str = ""
    """Whose short names DNS completes."""
    clusters: list[Json] = field(default_factory=list)
    listeners: list[Json] = field(default_factory=list)
    _kube_proxies: set[str] = field(default_factory=set)
    """The names of the clusters of what addresses lead to: one may be asked for again."""
    _passthroughs: set[str] = field(default_factory=set)
    """The same of the clusters in front of them."""

    def add(
        self,
        name: str,
        service: Service,
        port: ServicePort,
        labels: Mapping[str, str],
        most: int | None = None,
        **more: object,
    ) -> None:
        """Add a cluster of the pods behind a port that have ``labels``, ``most`` of them.

        Its endpoints are part of it, where istiod's clusters fetch them by EDS: an Envoy has an
        inotify instance for each file that it watches, and Linux gives 128 of them to a user.
        """
        addresses = [loopback(entry) for entry in entries(service, port, self.pods, labels)]
        addresses = addresses[:most]
        weights = [1 for _ in addresses]
        for endpoint in service.endpoints:
            number = endpoint.ports.get(port.number)
            if number and hosts.within(labels, endpoint.labels):
                addresses.append(self._address(service, endpoint, number))
                weights.append(endpoint.weight)
        if not addresses and service.resolution is Resolution.DNS:
            return  # as in ``buildCluster`` of istiod: requests get 503, by no cluster
        self.clusters.append(
            typed(
                "envoy.config.cluster.v3.Cluster",
                name=name,
                type="STATIC",
                load_assignment=assignment(name, addresses, weights),
                common_lb_config={"healthy_panic_threshold": {"value": 0}},
                **LIMITS,
                **more,
            )
        )

    def _address(self, service: Service, endpoint: Endpoint, number: int) -> Json:
        """Give the address of a ServiceEntry's endpoint; the rest of the world is one listener."""
        if hosts.is_loopback(endpoint.address):
            is_ip = hosts.LOCALHOST not in endpoint.address
            return address(endpoint.address, number) if is_ip else loopback(number)
        known = service_behind(endpoint, self.services, self.namespace)
        if known and service.resolution is Resolution.DNS:
            return self._behind_dns(known, number)
        return internal(names.OUTSIDE, f"{endpoint.address}:{number}")

    def _behind_dns(self, known: Service, number: int) -> Json:
        """Give the address of a Service of the mesh, where a pod is chosen for each connection."""
        port = known.port(number)
        if port is None:
            return loopback(CLOSED)
        name = names.address(number, known.host)
        if all(listener["name"] != name for listener in self.listeners):
            target = self.add_kube_proxy(known, port)
            passed = tcp_passthrough.tcp_proxy(name, cluster=target)
            self.listeners.append(tcp_passthrough.listener(name, passed))
        return internal(name)

    def add_passthrough_cluster(self, name: str, target: str) -> None:
        """Add a cluster in front of one that chooses a pod for each connection.

        What a client does not know may still be a destination of its rules, and is there then.
        """
        if name in self._passthroughs:
            return
        self._passthroughs.add(name)
        passed = tcp_passthrough.tcp_proxy(name, cluster=target)
        self.add_listener(tcp_passthrough.listener(name, passed))

    def add_listener(self, listener: Json) -> None:
        """Add an internal listener, and the cluster of its name that leads to it."""
        self.clusters.append(tcp_passthrough.front(listener["name"], LIMITS))
        self.listeners.append(listener)

    def add_kube_proxy(self, service: Service, port: ServicePort, pod: str = "") -> str:
        """Add what the address of a service leads to, and give the cluster's name.

        Those are its pods as kube-proxy sees them; the address of a ServiceEntry is outside.
        """
        name = names.kube_proxy(port.number, service.host, pod)
        if name in self._kube_proxies:
            return name
        self._kube_proxies.add(name)
        service = replace(service, endpoints=())
        if service.is_entry:
            nowhere = Endpoint(service.host, {port.number: port.number}, {})
            service = replace(
                service, resolution=Resolution.STATIC, selector=None, endpoints=(nowhere,)
            )
        # Of one client all connections go to one pod, where the Service says so. Here all clients
        # have one address, so it is the same for all of them.
        most = 1 if service.keeps_client else None
        named = {POD_NAME_LABEL: pod} if pod else {}
        self.add(name, service, port, named, most, lb_policy="RANDOM")
        return name


def of_client(view: ClientView, upstreams: Upstreams) -> None:
    """Work out the clusters that an injected pod sends to."""
    known = [service for service in view.upstreams.values() if not service.is_alias]
    dialled = any(_may_pass_through(view, service) for service in known)
    for service in known:
        for port in service.ports:
            _add_port(view, service, port, upstreams, dialled=dialled)
    for service in view.hidden:
        for port in () if service.is_alias else service.ports:
            _add_passthrough(service, port, upstreams)


def of_kube_proxy(services: Sequence[Service], upstreams: Upstreams) -> None:
    """Work out the clusters that pods without a sidecar reach."""
    for service in services:
        for port in () if service.is_entry or service.is_alias else service.ports:
            for pod in ("", *service.pod_names):
                target = upstreams.add_kube_proxy(service, port, pod)
                name = names.connection(port.number, service.host, pod)
                upstreams.add_passthrough_cluster(name, target)


def of_own_port(port: PodPort, protocol: Protocol) -> Json:
    """Make the cluster of a pod's own process behind one of its ports."""
    name = names.inbound(port.number)
    return typed(
        "envoy.config.cluster.v3.Cluster",
        name=name,
        type="STATIC",
        load_assignment=assignment(name, [loopback(port.app)]),
        **LIMITS,
        **_protocol(protocol),
    )


def _may_pass_through(view: ClientView, service: Service) -> bool:
    rule = view.destination_rules.get(service.host)
    subsets = ("", *(subset["name"] for subset in (rule.subsets if rule else ())))
    return any(
        view.passes_through(service.host, subset, port.number)
        for subset in subsets
        for port in service.ports
    )


def _add_port(
    view: ClientView, service: Service, port: ServicePort, upstreams: Upstreams, *, dialled: bool
) -> None:
    """Add the cluster of a port, and one for each subset.

    With ``dialled`` also the cluster that replaces them where a rule says PASSTHROUGH: to the pods
    of the service that was dialled, which need not be the service that the rule is for.
    """
    rule = view.destination_rules.get(service.host)
    for subset in (None, *(rule.subsets if rule else ())):
        name = names.outbound(port.number, service.host, subset["name"] if subset else "")
        policy = traffic_policies.effective(rule, port.number, subset)
        more: Json = {"lb_policy": BALANCERS.get(traffic_policies.simple(policy), "LEAST_REQUEST")}
        more.update(_protocol(port.protocol))
        if rule:
            about = {"subset": subset["name"]} if subset else {}
            more["metadata"] = origin("destination-rule", rule.namespace, rule.name, **about)
        labels = (subset or {}).get("labels") or {}
        if not view.passes_through(service.host, (subset or {}).get("name", ""), port.number):
            upstreams.add(name, service, port, labels, **more)
    if dialled:
        _add_passthrough(service, port, upstreams)
    for pod in ("", *service.pod_names) if port.protocol.takes_connections else ():
        address = partial(upstreams.add_kube_proxy, service, port, pod)
        upstreams.add_listener(connections.listener(service, port, pod, view, address))


def _add_passthrough(service: Service, port: ServicePort, upstreams: Upstreams) -> None:
    """Add where the address of a service leads, and those of its pods where they have names."""
    for pod in service.pod_names:
        target = upstreams.add_kube_proxy(service, port, pod)
        name = names.passthrough(port.number, service.host, pod)
        upstreams.add_passthrough_cluster(name, target)
    target = upstreams.add_kube_proxy(service, port)
    upstreams.add_passthrough_cluster(names.passthrough(port.number, service.host), target)


def _protocol(protocol: Protocol) -> Json:
    """Say what an upstream speaks; HTTP/1.1 need not be said."""
    options = UPSTREAM.get(protocol)
    if options is None:
        return {}
    return {"typed_extension_protocol_options": {HTTP_UPSTREAM: typed(HTTP_UPSTREAM, **options)}}
