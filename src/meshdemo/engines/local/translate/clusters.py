"""Clusters and their endpoints.

Source: ``buildOutboundClusters`` and ``applyTrafficPolicy`` in istiod's networking/core.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from meshdemo.engines.local.translate import connections, names, policies, tcp_passthrough
from meshdemo.engines.local.translate.endpoints import CLOSED, entries
from meshdemo.engines.local.translate.resources import (
    address,
    assignment,
    endpoint,
    internal,
    loopback,
    origin,
    typed,
)
from meshdemo.objects.labels import POD_NAME_LABEL
from meshdemo.rules import hosts, localities, traffic_policies
from meshdemo.rules.protocols import Protocol
from meshdemo.rules.service_entries import service_behind
from meshdemo.rules.services import Endpoint, Resolution

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meshdemo.engines.local.model import PlannedPod, PodPort
    from meshdemo.engines.local.translate.resources import Json
    from meshdemo.rules.client_view import ClientView
    from meshdemo.rules.services import Service, ServicePort

RANDOM: Json = {"loadBalancer": {"simple": "RANDOM"}}
PLAIN = policies.inbound(tcp_passthrough.closed_soon({}), Protocol.HTTP)
"""Of every cluster in front of which no rule says otherwise."""


@dataclass(slots=True)
class Upstreams:
    """Clusters as they are worked out, with the internal listeners they need."""

    pods: tuple[PlannedPod, ...]
    services: tuple[Service, ...] = ()
    """All of the mesh: DNS may lead to any."""
    namespace: str = ""
    """Whose short names DNS completes."""
    client: Mapping[str, str] = field(default_factory=dict)
    """The labels of the pod that sends."""
    clusters: list[Json] = field(default_factory=list)
    listeners: list[Json] = field(default_factory=list)
    _made: set[str] = field(default_factory=set)
    """The names of what may be asked for again: where addresses lead, and what is in front."""

    def add(
        self,
        name: str,
        service: Service,
        port: ServicePort,
        labels: Mapping[str, str],
        policy: Json,
        most: int | None = None,
        **more: Json,
    ) -> None:
        """Add a cluster of the pods behind a port that have ``labels``, ``most`` of them.

        Its endpoints are part of it, where istiod's clusters fetch them by EDS: an Envoy has an
        inotify instance for each file that it watches, and Linux gives 128 of them to a user.
        """
        found = [
            (pod.labels, endpoint(loopback(entry)))
            for entry, pod in entries(service, port, self.pods, labels)
        ][:most]
        for each in service.endpoints:
            number = each.ports.get(port.number)
            if number and hosts.within(labels, each.labels):
                place = self._address(service, each, number)
                found.append((each.labels, endpoint(place, each.weight)))
        if not found and service.resolution is Resolution.DNS:
            return  # as in ``buildCluster`` of istiod: requests get 503, by no cluster
        groups = localities.preferred(policy, self.client, [labels for labels, _ in found])
        ranked = [[found[index][1] for index in group] for group in groups]
        self.clusters.append(
            typed(
                "envoy.config.cluster.v3.Cluster",
                name=name,
                type="STATIC",
                load_assignment=assignment(name, *ranked),
                **policies.outbound(policy, port.protocol),
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

    def _is_new(self, name: str) -> bool:
        """Tell whether nothing of this name was made yet; from now on something is."""
        known = name in self._made
        self._made.add(name)
        return not known

    def _behind_dns(self, known: Service, number: int) -> Json:
        """Give the address of a Service of the mesh, where a pod is chosen for each connection."""
        port = known.port(number)
        if port is None:
            return loopback(CLOSED)
        name = names.address(number, known.host)
        if self._is_new(name):
            target = self.add_kube_proxy(known, port)
            passed = tcp_passthrough.tcp_proxy(name, cluster=target)
            self.listeners.append(tcp_passthrough.listener(name, {"filters": [passed]}))
        return internal(name)

    def add_passthrough_cluster(self, name: str, target: str, settings: Json = PLAIN) -> None:
        """Add a cluster in front of one that chooses a pod for each connection.

        What a client does not know may still be a destination of its rules, and is there then.
        """
        if not self._is_new(name):
            return
        passed = tcp_passthrough.tcp_proxy(name, cluster=target)
        self.add_listener(tcp_passthrough.listener(name, {"filters": [passed]}), settings)

    def add_listener(self, listener: Json, settings: Json = PLAIN) -> None:
        """Add an internal listener, and the cluster of its name that leads to it."""
        self.clusters.append(tcp_passthrough.front(listener["name"], settings))
        self.listeners.append(listener)

    def add_kube_proxy(
        self, service: Service, port: ServicePort, pod: str = "", policy: Json = RANDOM
    ) -> str:
        """Add what the address of a service leads to, and give the cluster's name.

        Those are its pods as kube-proxy sees them; the address of a ServiceEntry is outside.
        """
        name = names.kube_proxy(port.number, service.host, pod)
        if not self._is_new(name):
            return name
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
        self.add(name, service, replace(port, protocol=Protocol.TCP), named, policy, most)
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


def of_own_port(port: PodPort, protocol: Protocol, policy: Json) -> Json:
    """Make the cluster of a pod's own process behind one of its ports.

    Source: ``buildInboundCluster`` in istiod's core/cluster_builder.go.
    """
    name = names.inbound(port.number)
    return typed(
        "envoy.config.cluster.v3.Cluster",
        name=name,
        type="STATIC",
        load_assignment=assignment(name, [endpoint(loopback(port.app))]),
        **policies.inbound(policy, protocol),
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
        more: Json = {}
        if rule:
            about = {"subset": subset["name"]} if subset else {}
            more["metadata"] = origin("destination-rule", rule.namespace, rule.name, **about)
        labels = (subset or {}).get("labels") or {}
        if not view.passes_through(service.host, (subset or {}).get("name", ""), port.number):
            upstreams.add(name, service, port, labels, policy, **more)
    if dialled:
        is_own = view.passes_through(service.host, "", port.number)
        own = traffic_policies.effective(rule, port.number) if is_own else None
        _add_passthrough(service, port, upstreams, own)
    for pod in ("", *service.pod_names) if port.protocol.takes_connections else ():
        address = partial(upstreams.add_kube_proxy, service, port, pod)
        upstreams.add_listener(connections.listener(service, port, pod, view, address))


def _add_passthrough(
    service: Service, port: ServicePort, upstreams: Upstreams, policy: Json | None = None
) -> None:
    """Add where the address of a service leads, and those of its pods where they have names.

    Its policy holds there, but for what chooses among pods. outlierDetection does, too: to Envoy
    there is one host, the address, and no other to call.
    """
    chooses = ("loadBalancer", "outlierDetection")
    kept = {name: part for name, part in (policy or {}).items() if name not in chooses}
    behind = RANDOM if port.protocol.takes_http_rules else {**kept, **RANDOM}
    settings = policies.unbalanced(tcp_passthrough.closed_soon(kept), port.protocol)
    for pod in (*service.pod_names, ""):
        target = upstreams.add_kube_proxy(service, port, pod, behind)
        name = names.passthrough(port.number, service.host, pod)
        upstreams.add_passthrough_cluster(name, target, settings)
