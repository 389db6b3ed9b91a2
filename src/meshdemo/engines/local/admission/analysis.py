"""Warnings with the codes of ``istioctl analyze``: accepted by Istio, and probably not meant."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from meshdemo import hosts
from meshdemo.engines.local.admission.node import Node, top
from meshdemo.engines.local.admission.reachability import rule_warnings
from meshdemo.engines.local.store import now

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from meshdemo.errors import Problem
    from meshdemo.manifests import Object

NOT_FOUND = "IST0101"
CONFLICTING_HOSTS = "IST0109"
SUBSET_WITHOUT_PODS = "IST0173"
UNKNOWN_HOST = "IST0174"

EVERYWHERE, HERE = "*", "."
ALWAYS_503 = "requests to it get 503"


def warnings(objects: Sequence[Object], existing: Sequence[Object]) -> list[Problem]:
    """Look at the rules among ``objects``, beside everything that will be there."""
    merged = {item.key: item for item in (*existing, *objects)}
    created = {item.key: str(item.metadata.get("creationTimestamp") or "") for item in existing}
    landscape = Landscape(tuple(merged.values()), created)
    found: list[Problem] = []
    for item in objects:
        if item.kind == "VirtualService":
            found += _virtual_service_warnings(top(item), landscape)
        elif item.kind == "DestinationRule":
            found += _destination_rule_warnings(top(item), landscape)
    return found


@dataclass(frozen=True)
class Landscape:
    """What rules can refer to."""

    objects: tuple[Object, ...]
    created: Mapping[tuple[str, str, str, str], str] = field(default_factory=dict)
    """When each object was created that is there already."""
    moment: str = field(default_factory=now)
    """When the others are."""

    def seniority(self, item: Object) -> tuple[str, str, str]:
        """Give what decides between two rules for one host: the lesser one wins."""
        return self.created.get(item.key) or self.moment, item.name, item.namespace

    def of(self, kind: str) -> list[Node]:
        return [top(item) for item in self.objects if item.kind == kind]

    @cached_property
    def services(self) -> dict[str, Node]:
        """The Services by their full host names."""
        found = self.of("Service")
        return {hosts.service_host(node.item.name, node.item.namespace): node for node in found}

    @cached_property
    def subsets(self) -> frozenset[tuple[str, str]]:
        """Host and name of every subset of every DestinationRule."""
        return frozenset(
            (hosts.resolve(node["spec"]["host"].text, node.item.namespace), subset["name"].text)
            for node in self.of("DestinationRule")
            for subset in node["spec"]["subsets"].items
        )

    @cached_property
    def rules_by_host(self) -> dict[str, list[Node]]:
        """The VirtualServices of the mesh by the full names of their hosts."""
        found: dict[str, list[Node]] = {}
        for service in filter(_is_for_mesh, self.of("VirtualService")):
            for host in _full_hosts(service):
                found.setdefault(host, []).append(service)
        return found

    @cached_property
    def pods(self) -> list[tuple[str, dict[str, str]]]:
        """Namespace and labels of everything that pods are made from."""
        templates = [
            (node.item.namespace, node["spec"]["template"])
            for node in self.of("Deployment")
            if node["spec"]["replicas"].value != 0
        ]
        templates += [(node.item.namespace, node) for node in self.of("Pod")]
        return [(place, template["metadata"]["labels"].texts) for place, template in templates]

    def service(self, host: str) -> Node | None:
        """Find the Service of a host; for a wildcard any that it covers."""
        if not hosts.is_wildcard(host):
            return self.services.get(host.removesuffix("."))
        covered = (name for name in self.services if hosts.overlap(host, name))
        return next((self.services[name] for name in covered), None)

    def has_subset(self, host: str, subset: str) -> bool:
        return any(name == subset and hosts.overlap(of, host) for of, name in self.subsets)

    def has_pod(self, service: Node, labels: Mapping[str, str]) -> bool:
        wanted = {**service["spec"]["selector"].texts, **labels}.items()
        namespace = service.item.namespace
        return any(place == namespace and wanted <= has.items() for place, has in self.pods)


def _virtual_service_warnings(service: Node, landscape: Landscape) -> Iterator[Problem]:
    spec = service["spec"]
    for destination in _destinations(spec):
        yield from _destination_warnings(destination, landscape)
    for gateway in spec["gateways"].items:
        if gateway.text != hosts.MESH:
            message = f'there is no gateway "{gateway.text}"'
            yield gateway.problem(message, "the local engine has none", NOT_FOUND)
    yield from _conflict_warnings(service, landscape)
    yield from rule_warnings(spec["http"])


def _destinations(spec: Node) -> Iterator[Node]:
    for protocol in ("http", "tcp", "tls"):
        for rule in spec[protocol].items:
            yield from (route["destination"] for route in rule["route"].items)
            yield from (mirror["destination"] for mirror in rule["mirrors"].items)
            if "mirror" in rule:
                yield rule["mirror"]


def _destination_warnings(destination: Node, landscape: Landscape) -> Iterator[Problem]:
    host, subset = destination["host"], destination["subset"]
    full = hosts.resolve(host.text, destination.item.namespace)
    service = landscape.service(full)
    if not full:
        return
    if service is None:
        hint = _close_host(full, destination.item.namespace, landscape)
        yield host.problem(f'no service has the host "{host.text}"', hint, NOT_FOUND)
        return
    if subset.text and not landscape.has_subset(full, subset.text):
        message = f'no DestinationRule for "{host.text}" has the subset "{subset.text}"'
        yield subset.problem(message, ALWAYS_503, NOT_FOUND)
    number = destination["port"]["number"]
    known = [port["port"].number for port in service["spec"]["ports"].items]
    if number.number and number.number not in known:
        ports = ", ".join(str(port) for port in known)
        message = f'the service "{host.text}" has no port {number.value}, only {ports}'
        yield number.problem(message, ALWAYS_503, NOT_FOUND)


def _close_host(full: str, namespace: str, landscape: Landscape) -> str:
    short = [name.removesuffix(f".{namespace}.{hosts.DOMAIN}") for name in landscape.services]
    wanted = full.removesuffix(f".{namespace}.{hosts.DOMAIN}")
    if wanted.count(".") == 1 and hosts.service_host(*wanted.split(".")) in landscape.services:
        return f"did you mean {wanted}.{hosts.DOMAIN}? Istio completes only names without a dot"
    close = difflib.get_close_matches(wanted, short, n=1)
    return f"did you mean {close[0]}?" if close else ALWAYS_503


def _conflict_warnings(service: Node, landscape: Landscape) -> Iterator[Problem]:
    if not _is_for_mesh(service):
        return
    others = {
        other.item.key: (other, host)
        for host in _full_hosts(service)
        for other in landscape.rules_by_host.get(host, ())
        if other.item.key != service.item.key
    }
    for other, host in others.values():
        if _scope(service) & _scope(other) or EVERYWHERE in _scope(service) | _scope(other):
            message = f"{other.item.title} names the same host {host}"
            winner = min((service.item, other.item), key=landscape.seniority)
            hint = (
                f"they are not merged: {winner.title} wins, the older one or, within one second, "
                "the first by name; write all rules into one"
            )
            yield service["spec"]["hosts"].problem(message, hint, CONFLICTING_HOSTS)


def _is_for_mesh(service: Node) -> bool:
    gateways = [node.text for node in service["spec"]["gateways"].items]
    return not gateways or hosts.MESH in gateways


def _full_hosts(service: Node) -> list[str]:
    namespace = service.item.namespace
    return [hosts.resolve(node.text, namespace) for node in service["spec"]["hosts"].items]


def _scope(service: Node) -> set[str]:
    """Give the namespaces that follow the rule."""
    namespace = service.item.namespace
    named = [node.text for node in service["spec"]["exportTo"].items] or [EVERYWHERE]
    return {namespace if name == HERE else name for name in named}


def _destination_rule_warnings(rule: Node, landscape: Landscape) -> Iterator[Problem]:
    host = rule["spec"]["host"]
    full = hosts.resolve(host.text, rule.item.namespace)
    service = landscape.service(full)
    if not full:
        return
    if service is None:
        hint = _close_host(full, rule.item.namespace, landscape)
        hint = "" if hint == ALWAYS_503 else hint
        yield host.problem(f'no service has the host "{host.text}"', hint, UNKNOWN_HOST)
        return
    for subset in rule["spec"]["subsets"].items:
        if not landscape.has_pod(service, subset["labels"].texts):
            name = subset["name"]
            message = f'the subset "{name.text}" selects no pod'
            yield name.problem(message, ALWAYS_503, SUBSET_WITHOUT_PODS)
