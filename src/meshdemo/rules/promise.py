"""What the applied rules promise for a request: an expectation that nobody has to write.

It follows a request as Istio routes it: host, VirtualService, rule, destinations, subsets, pods.
Where that ends in anything but a split by version, InputError says why.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

from meshdemo.errors import InputError
from meshdemo.rules import destination_rules, traffic_policies, virtual_services
from meshdemo.rules.destination_rules import ROOT_NAMESPACE
from meshdemo.rules.hosts import resolve, selects, service_host, within
from meshdemo.rules.http_matches import Call, concerns, fit, full_name, holds, undecided
from meshdemo.rules.protocols import any_takes_http_rules, protocol_of
from meshdemo.verdict.expectation import Expectation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from meshdemo.objects.model import Object
    from meshdemo.rules.destination_rules import Rule
    from meshdemo.rules.traffic_policies import Shares
    from meshdemo.verdict.traffic import Request

Parts: TypeAlias = "list[tuple[Fraction, Shares]]"
"""The weight of each destination, and its pods' shares."""

HEADLESS = "None"
"""The clusterIP of a Service without one."""
_FOREIGN_PORT = 80
"""The one port on which rules hold for a host that is no Service."""


@dataclass(frozen=True, slots=True)
class Client:
    """The pod that sends the request."""

    namespace: str
    labels: Mapping[str, str]
    injected: bool
    root_namespace: str = ROOT_NAMESPACE
    """Where its Istio finds the DestinationRules that hold for all namespaces."""


def promised(
    objects: Sequence[Object],
    pods: Sequence[tuple[str, Mapping[str, str]]],
    request: Request,
    client: Client,
) -> Expectation:
    """Say which share of the answers each version has; InputError if that is no split.

    ``pods`` are the namespace and labels of each pod that can answer.
    """
    shares: Shares = {}
    for weight, part in _parts(_Mesh(objects, pods, client), request):
        for version, share in part.items():
            shares[version] = shares.get(version, Fraction(0)) + weight * share
    return Expectation.of(shares)


def rules_decide(
    objects: Sequence[Object],
    pods: Sequence[tuple[str, Mapping[str, str]]],
    request: Request,
    client: Client,
) -> bool:
    """Tell whether rules alone choose the version.

    If not, load balancing does: it looks at what else is under way (LEAST_REQUEST, Istio's
    default), so requests side by side are no independent choices.
    """
    try:
        parts = _parts(_Mesh(objects, pods, client), request)
    except InputError:
        return False
    return all(len(part) == 1 for _, part in parts)


def reached(
    objects: Sequence[Object],
    pods: Sequence[tuple[str, Mapping[str, str]]],
    request: Request,
    client: Client,
) -> list[tuple[Object, Rule | None, str]]:
    """Give the Services that a request may get to, with DestinationRule and name of the subset."""
    mesh = _Mesh(objects, pods, client)
    with suppress(InputError):
        _parts(mesh, request)
    return mesh.reached


def heeded(
    rules: Iterable[Object], existing: Iterable[Object], client: Client
) -> tuple[Object, ...]:
    """Pick the rules that a client's sidecar follows: it gets nothing of the others."""
    asked = tuple(rules)
    known = tuple({item.key: item for item in (*asked, *existing)}.values())
    mesh = _Mesh(known, (), client)
    return tuple(rule for rule in asked if mesh.heeds(rule))


def _parts(mesh: _Mesh, request: Request) -> Parts:
    """Follow a request to its destinations."""
    client = mesh.client
    call = Call.of(request, client.namespace, client.labels)
    service = next((s for s in mesh.of_kind("Service") if call.host in _names(s, client)), None)
    if client.injected:
        return mesh.by_rules(service, call)
    if service is None:
        raise undecided(f"no Service is called {call.host}")
    return _whole(mesh.by_pods(service, call.port))


@dataclass(frozen=True, slots=True)
class _Mesh:
    """Objects and pods, as the client's sidecar sees them."""

    objects: Sequence[Object]
    pods: Sequence[tuple[str, Mapping[str, str]]]
    client: Client
    reached: list[tuple[Object, Rule | None, str]] = field(default_factory=list)
    """Where requests were followed to."""

    def of_kind(self, kind: str) -> Iterator[Object]:
        return (item for item in self.objects if item.kind == kind)

    def by_rules(self, service: Object | None, call: Call) -> Parts:
        """Follow the first VirtualService that has a rule for the client and the port."""
        rules = self.virtual_services(call.host, service)
        if service is None and call.port != _FOREIGN_PORT:
            rules = []
        if service and not protocol_of(_port(service, call.port)).takes_http_rules:
            if any(rule.spec.get("tcp") or rule.spec.get("tls") for rule in rules):
                raise undecided(f"port {call.port} takes no http rules, and has others")
            rules = []
        for rule in rules:
            ways = [way for way in rule.spec.get("http") or () if concerns(way, call)]
            if ways:
                return self.by_rule(rule, ways, call)
        if service is None:
            raise undecided(f"neither a Service nor a rule is for {call.host}")
        return _whole(self.by_pods(service, call.port))

    def by_rule(self, rule: Object, ways: Sequence[Mapping[str, Any]], call: Call) -> Parts:
        """Follow the first of a VirtualService's http rules that takes the request."""
        way = next((way for way in ways if holds(way, call)), None)
        if way is None:
            raise undecided(f"no rule of {rule.title} matches it, so it gets 404")
        if reason := _other_answer(way):
            raise undecided(f"{rule.title} {reason}")
        return [
            (weight, self.by_destination(destination, rule, call.port))
            for destination, weight in _destinations(way, rule)
        ]

    def by_destination(self, destination: Mapping[str, Any], rule: Object, port: int) -> Shares:
        """Follow one destination of a VirtualService."""
        host = full_name(str(destination.get("host", "")), rule.namespace)
        service = next((s for s in self.of_kind("Service") if host == _host(s)), None)
        if service is None:
            raise undecided(f"{rule.title} sends it to {host}, which is no Service: 503")
        port = (destination.get("port") or {}).get("number") or port
        return self.by_pods(service, port, destination.get("subset", ""))

    def by_pods(self, service: Object, number: int, subset_name: str = "") -> Shares:
        """Share by the pods that stand behind a service's port and subset: each gets as much."""
        _port(service, number)
        rule = self.destination_rule(_host(service)) if self.client.injected else None
        self.reached.append((service, rule, subset_name))
        subset = rule.subset(subset_name) if rule and subset_name else None
        where = f"subset {subset_name} of {service.title}" if subset_name else service.title
        if subset is None and subset_name:
            raise undecided(f"no DestinationRule has the {where}, so it gets 503")
        selector = service.spec.get("selector")
        labels = (subset or {}).get("labels") or {}
        behind = [
            pod
            for namespace, pod in self.pods
            if namespace == service.namespace and selects(selector, pod)
        ]
        if service.spec.get("clusterIP") == HEADLESS:
            versions = traffic_policies.shares(behind, service.title)
            if len(versions) == 1:
                return versions
            raise undecided(f"{service.title} is headless, so DNS chooses the pod, and no sidecar")
        versions = traffic_policies.shares([pod for pod in behind if within(labels, pod)], where)
        policy = (rule.policy if rule else None) or {}
        if len(versions) > 1 and (
            reason := traffic_policies.stickiness(policy, subset or {}, number)
        ):
            raise undecided(f"{where} has several versions and {reason}")
        return versions

    def virtual_services(self, host: str, service: Object | None) -> list[Object]:
        """Give those for this host, the one that wins first: they are never merged."""
        name = _host(service) if service else host
        found: list[tuple[int, Object]] = []
        for rule in self.of_kind("VirtualService"):
            if not virtual_services.is_for_mesh(rule) or not self.sees(rule):
                continue
            hosts = [full_name(each, rule.namespace) for each in rule.spec.get("hosts") or ()]
            closest = max((fit(each, name) for each in hosts), default=0)
            if host in hosts:  # as written, which is no service's full name
                closest = fit(name, name)
            if closest:
                found.append((closest, rule))
        best = max((fit for fit, _ in found), default=0)
        winners = [rule for fit, rule in found if fit == best]
        return sorted(winners, key=virtual_services.precedence)

    def heeds(self, rule: Object) -> bool:
        """Tell whether the client's sidecar follows a rule."""
        if rule.kind == "VirtualService":
            behind = virtual_services.overruling(rule, self.objects, self.client.namespace)
            seen = virtual_services.is_for_mesh(rule) and self.sees(rule) and not behind
            return seen and self._has_effect(rule)
        chosen = self.destination_rule(resolve(str(rule.spec.get("host", "")), rule.namespace))
        return chosen is not None and chosen.has(rule)

    def _has_effect(self, rule: Object) -> bool:
        """Tell whether a VirtualService has more than http rules for ports that take none."""
        if rule.spec.get("tcp") or rule.spec.get("tls"):
            return True
        for host in rule.spec.get("hosts") or ():
            full = full_name(host, rule.namespace)
            services = [item for item in self.of_kind("Service") if fit(full, _host(item))]
            ports = [port for item in services for port in item.spec.get("ports") or ()]
            if not ports or any_takes_http_rules(ports):
                return True
        return False

    def destination_rule(self, host: str) -> Rule | None:
        """Give the one that the client follows, made of all that Istio merges."""
        client = self.client
        rules = destination_rules.read_rules(self.of_kind("DestinationRule"), client.root_namespace)
        return destination_rules.choose(rules, host, client.namespace, client.labels)

    def sees(self, rule: Object) -> bool:
        """Apply ``exportTo``."""
        return virtual_services.is_seen(rule, self.client.namespace)


def _whole(shares: Shares) -> Parts:
    return [(Fraction(1), shares)]


def _host(service: Object) -> str:
    return service_host(service.name, service.namespace)


def _names(service: Object, client: Client) -> set[str]:
    """Give the names that a client may call a service by."""
    full = _host(service)
    space = f"{service.name}.{service.namespace}"
    short = {service.name} if service.namespace == client.namespace else set()
    return {full, space, f"{space}.svc"} | short


def _port(service: Object, number: int) -> Mapping[str, Any]:
    for port in service.spec.get("ports") or ():
        if port.get("port") == number:
            found: Mapping[str, Any] = port
            return found
    raise undecided(f"{service.title} has no port {number}")


def _other_answer(way: Mapping[str, Any]) -> str:
    """Say what a rule does in place of a split by version; empty if it does not."""
    for name in ("redirect", "directResponse"):
        if way.get(name):
            return f"answers it by {name}"
    if way.get("delegate"):
        return "hands it to a delegate"
    abort = (way.get("fault") or {}).get("abort") or {}
    # Without a percentage or a status an abort does nothing.
    share = (abort.get("percentage") or {}).get("value", 0)
    status = abort.get("httpStatus") or abort.get("grpcStatus")
    return f"aborts {share:g} % of the requests" if share and status else ""


def _destinations(
    way: Mapping[str, Any], rule: Object
) -> Iterable[tuple[Mapping[str, Any], Fraction]]:
    """Give each destination with its part; the weight of an only one does not matter."""
    routes = way.get("route") or []
    if len(routes) == 1:
        return [(routes[0].get("destination") or {}, Fraction(1))]
    total = sum(route.get("weight") or 0 for route in routes)
    if not total:
        raise undecided(f"{rule.title} gives no destination any weight")
    return [
        (route.get("destination") or {}, Fraction(route["weight"], total))
        for route in routes
        if route.get("weight")
    ]
