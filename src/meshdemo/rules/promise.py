"""What the applied rules promise for a request: an expectation that nobody has to write.

It follows a request as Istio routes it: virtual host, HTTP rule, destinations, subsets, pods.
Where that ends in anything but a split by version, InputError says why.
"""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct, field

from meshdemo.errors import InputError
from meshdemo.language import said
from meshdemo.rules import (
    connections,
    gateways,
    hosts,
    known_names,
    localities,
    traffic_policies,
    virtual_hosts,
)
from meshdemo.rules.answering import behind_address, candidates, shares_of
from meshdemo.rules.client_view import Client, ClientView
from meshdemo.rules.connections import Chain
from meshdemo.rules.delegates import Delegates, is_delegate
from meshdemo.rules.destinations import (
    Target,
    connection_target,
    default_target,
    refusal,
    target_of,
)
from meshdemo.rules.http_choice import chosen
from meshdemo.rules.http_matches import Call
from meshdemo.rules.mirrors import mirrors_of
from meshdemo.rules.own_answers import own_answers
from meshdemo.rules.undecided import Undecided, undecided
from meshdemo.verdict.expectation import Expectation
from meshdemo.verdict.traffic import status_kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from meshdemo.objects.model import Object
    from meshdemo.rules.answering import Pods, Shares
    from meshdemo.rules.destination_rules import DestinationRule
    from meshdemo.rules.services import Service
    from meshdemo.rules.virtual_hosts import VirtualHost
    from meshdemo.rules.virtual_services import VirtualService
    from meshdemo.verdict.traffic import Request

Parts: TypeAlias = "list[tuple[Fraction, Shares]]"
"""The weight of each destination, or of the sidecar's own answers, and the shares within."""


def promised(
    objects: Sequence[Object], pods: Pods, request: Request, client: Client
) -> Expectation:
    """Say which share each outcome has, version or status; InputError if that is no split."""
    shares: Shares = {}
    for weight, part in RequestPath.of(objects, pods, request, client).parts():
        for version, share in part.items():
            shares[version] = shares.get(version, Fraction(0)) + weight * share
    return Expectation.of(shares)


def followed(
    rules: Iterable[Object], existing: Iterable[Object], client: Client
) -> tuple[Object, ...]:
    """Pick the rules that a client's sidecar follows: it gets nothing of the others.

    They come with the rules of their delegates; in place of a delegate come those that hand
    requests to it.
    """
    named = tuple(rules)
    known = tuple({item.key: item for item in (*named, *existing)}.values())
    delegates = Delegates.among(known)
    asked: dict[object, Object] = {}
    for rule in named:
        handing = [root for root, _ in delegates.handing_to(rule)] if is_delegate(rule) else [rule]
        asked |= {each.key: each for each in handing}
    view = ClientView.of(known, client)
    deciding = {host.rule.key for host in virtual_hosts.of_client(view) if host.rule}
    deciding |= {chain.rule.key for chain in connections.of_client(view) if chain.rule}

    def is_followed(rule: Object) -> bool:
        if rule.kind == "DestinationRule":
            host = hosts.resolve(str(rule.spec.get("host", "")), rule.namespace)
            chosen = view.destination_rule(host)
            return chosen is not None and chosen.has(rule)
        return (rule.namespace, rule.name) in deciding

    return tuple(delegates.whole(rule) for rule in asked.values() if is_followed(rule))


class RequestPath(Struct, frozen=True, dict=True):
    """Where requests go in a mesh, from one client to the pods."""

    view: ClientView
    pods: Pods
    request: Request
    reached: list[tuple[Service, DestinationRule | None, str]] = field(default_factory=list)
    """The services that the request was followed to, with DestinationRule and name of the subset.

    ``parts`` fills it, also where it raises.
    """

    @classmethod
    def of(
        cls, objects: Sequence[Object], pods: Pods, request: Request, client: Client
    ) -> RequestPath:
        """Follow a request from a client among these objects."""
        return cls(ClientView.of(objects, client), pods, request)

    @cached_property
    def call(self) -> Call:
        """The request in the terms of conditions. Raises InputError."""
        client = self.view.client
        at_gateway = bool(client.gateway)
        return Call.of(self.request, client.namespace, client.labels, at_gateway=at_gateway)

    @cached_property
    def dialled(self) -> VirtualHost | None:
        """What the client calls; None if nothing is known by that name. Raises InputError."""
        view = self.view
        call = self.call
        if not view.client.gateway:
            return view.domains.search(call.host, call.port)
        port = gateways.port_called(view.mesh.servers, call.port, tls=call.scheme == "https")
        return view.domains_by_port[port].search(call.host, hosts.HTTP_PORT)

    @cached_property
    def chain(self) -> Chain | None:
        """What takes its connection where no HTTP is seen in it, else None. Raises InputError."""
        dialled = self.dialled
        if dialled is None or dialled.service is None:
            return None
        if not (self._takes_connection(dialled) or dialled.chooses_by_connection):
            return None
        port = dialled.service.port(dialled.port)
        if port is None or dialled.passes_on:
            return Chain(passes_on=True)
        return connections.unnamed(dialled.service, port, self.view)

    def _takes_connection(self, dialled: VirtualHost) -> bool:
        return self.request.is_tcp and dialled.takes_connections

    @cached_property
    def deciding(self) -> VirtualService | None:
        """The VirtualService that decides about it; None where none does. Raises InputError."""
        if self.chain:
            return self.chain.rule
        return self.dialled.rule if self.dialled else None

    def parts(self) -> Parts:
        """Follow the request to its destinations. Raises InputError where no version answers."""
        call, dialled = self.call, self.dialled
        if dialled is None and not self.view.client.injected:
            reason = said("no Service is called {host}", host=call.host)
            raise Undecided(reason, known_names.hint(call.host, self.view))
        sidecar = self.view.sidecar
        if dialled is None and sidecar and sidecar.registry_only:
            raise undecided(
                "{sidecar} lets its pods reach only what they know (REGISTRY_ONLY), "
                "and not {host}: 502", sidecar=sidecar.title, host=call.host,
            )  # fmt: skip
        if dialled is None:
            reason = said("neither a Service nor a rule is for {host}", host=call.host)
            raise Undecided(reason, known_names.hint(call.host, self.view))
        service, port = dialled.service, dialled.port
        if service and service.is_alias and not port:
            raise undecided(
                "{service} is another name of {host}, which is outside the mesh",
                service=service.title,
                host=service.external_name,
            )
        if service and not port:
            raise undecided("{service} has no port {port}", service=service.title, port=call.port)
        if self.request.is_tcp and not dialled.takes_connections:
            raise undecided("port {port} of {host} takes only HTTP", port=port, host=dialled.host)
        if service and self.chain:
            return self._by_connection(self.chain, service, dialled)
        if dialled.rule:
            return self._by_rule(dialled.rule, dialled)
        return _whole(self._at(default_target(dialled, self.view), dialled, dialled.host))

    def _by_rule(self, rule: VirtualService, dialled: VirtualHost) -> Parts:
        """Follow the first of a VirtualService's HTTP rules that takes the request."""
        taking = chosen(rule, dialled.port, self.call)
        if taking is None:
            raise undecided("no rule of {rule} matches it, so it gets 404", rule=rule.title)
        http = taking.http
        own = own_answers(http, self.call)
        parts = [(each.share, {status_kind(each.status): Fraction(1)}) for each in own]
        left = 1 - sum(each.share for each in own)
        for destination, weight in weighted(http, rule) if left else ():
            target = target_of(destination, rule, dialled, self.view)
            shares = self._at(target, dialled, rule.title)
            if len(shares) > 1 and self._is_mixed_with_copies(target, http, rule, dialled):
                raise undecided(
                    "{rule} sends copies of it to the same pods, whose turns they take",
                    rule=rule.title,
                )
            parts.append((left * weight, shares))
        return parts

    def _is_mixed_with_copies(
        self, target: Target, http: Mapping[str, Any], rule: VirtualService, dialled: VirtualHost
    ) -> bool:
        """Tell whether mirrored requests have a part in the choice of a destination's pods.

        ROUND_ROBIN gives them every other turn, LEAST_REQUEST leaves what they keep busy alone.
        """
        if not any(
            mirror.percent and target_of(mirror.destination, rule, dialled, self.view) == target
            for mirror in mirrors_of(http)
        ):
            return False
        followed = self.view.destination_rules.get(target.host)
        part = followed.subset(target.subset) if followed else None
        policy = traffic_policies.effective(followed, target.port, part)
        return traffic_policies.simple(policy) != "RANDOM"

    def _by_connection(self, chain: Chain, service: Service, dialled: VirtualHost) -> Parts:
        """Follow a connection in which no HTTP is seen: each goes to a pod of its own."""
        if chain.passes_on and not dialled.passes_on and self.view.reaches_only_known:
            raise undecided(
                "no tls rule takes it, and port {port} takes nothing else", port=dialled.port
            )
        if chain.passes_on:
            return _whole(self._any_pod(service, dialled))
        sender = chain.rule.title if chain.rule else dialled.host
        return [
            (weight, self._connected(target, dialled, sender))
            for target, weight in self.connection_targets(chain, dialled)
        ]

    def connection_targets(
        self, chain: Chain, dialled: VirtualHost
    ) -> list[tuple[Target, Fraction]]:
        """Give where connections go that a chain takes, each with its part. Raises InputError."""
        if chain.rule is None:
            return [(default_target(dialled, self.view), Fraction(1))]
        return [
            (connection_target(destination, chain.rule, dialled, self.view), weight)
            for destination, weight in weighted({"route": chain.route}, chain.rule)
        ]

    def _connected(self, target: Target, dialled: VirtualHost, sender: str) -> Shares:
        """Share by the pods of a connection's destination."""
        service = dialled.service
        if target.passes_through and service and not service.is_entry:
            return self._any_pod(service, dialled)
        return self._at(target, dialled, sender)

    def _at(self, target: Target, dialled: VirtualHost, sender: str) -> Shares:
        """Share by the pods of a destination."""
        called = dialled.service
        if target.passes_through and called and called.is_entry:
            names = {"service": called.title, "host": dialled.host}
            raise undecided("{service}: only DNS knows where {host} leads", **names)
        if target.passes_through and called:
            # kube-proxy chooses for each connection, and a proxy's connections are kept.
            shares = self._any_pod(called, dialled)
            if len(shares) > 1:
                raise undecided(
                    "{service} has several versions and PASSTHROUGH keeps a connection's pod",
                    service=called.title,
                )
            return shares
        service = self.view.upstreams.get(target.host)
        if service and not service.is_alias:
            rule = self.view.destination_rules.get(service.host)
            self.reached.append((service, rule, target.subset))
        if reason := refusal(target, sender, self.view):
            raise Undecided(reason)
        return self._in_subset(self.view.upstreams[target.host], target.port, target.subset)

    def _any_pod(self, service: Service, dialled: VirtualHost) -> Shares:
        """Share where the address that was dialled decides: by no subset."""
        self.reached.append((service, self.view.destination_rules.get(service.host), ""))
        return behind_address(service, dialled.port, self.pods, dialled.pod)

    def _in_subset(self, service: Service, port: int, name: str) -> Shares:
        """Share by the pods behind a service's port and subset."""
        rule = self.view.destination_rules.get(service.host)
        subset = rule.subset(name) if rule and name else None
        where = service.title
        if name:
            where = said("subset {subset} of {service}", subset=name, service=service.title)
        if service.is_headless:
            return behind_address(service, port, self.pods)
        labels = (subset or {}).get("labels") or {}
        policy = traffic_policies.effective(rule, port, subset)
        found = list(candidates(service, port, labels, self.view, self.pods))
        own = self.view.client.labels
        groups = localities.preferred(policy, own, [labels for labels, _ in found])
        if found and not groups:
            raise undecided(
                "the distribute of {where} leaves out pods without a locality: 503", where=where
            )
        versions = shares_of((found[index] for group in groups[:1] for index in group), where)
        if len(versions) > 1 and traffic_policies.consistent_hash(policy) is not None:
            raise undecided(
                "{where} has several versions and its consistentHash sends equal requests to "
                "one pod", where=where,
            )  # fmt: skip
        return versions


def reached(
    objects: Sequence[Object], pods: Pods, request: Request, client: Client
) -> list[tuple[Service, DestinationRule | None, str]]:
    """Give the Services that a request may get to, with DestinationRule and name of the subset."""
    path = RequestPath.of(objects, pods, request, client)
    with suppress(InputError):
        path.parts()
    return path.reached


def _whole(shares: Shares) -> Parts:
    return [(Fraction(1), shares)]


def weighted(
    http: Mapping[str, Any], rule: VirtualService
) -> Iterable[tuple[Mapping[str, Any], Fraction]]:
    """Give each destination with its part; the weight of an only one does not matter.

    Raises InputError where none has any.
    """
    routes = http.get("route") or []
    if len(routes) == 1:
        return [(routes[0].get("destination") or {}, Fraction(1))]
    total = sum(route.get("weight") or 0 for route in routes)
    if not total:
        raise undecided("{rule} gives no destination any weight", rule=rule.title)
    return [
        (route.get("destination") or {}, Fraction(route["weight"], total))
        for route in routes
        if route.get("weight")
    ]
