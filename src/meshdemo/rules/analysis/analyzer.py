"""Warnings with the codes of ``istioctl analyze``: accepted by Istio, and probably not meant. Pure.

Every engine says them of rules, each with its place in the file.
"""

from __future__ import annotations

import difflib
from itertools import islice
from typing import TYPE_CHECKING

from meshdemo.objects.place import Place, top
from meshdemo.rules import hosts, virtual_services, visibility
from meshdemo.rules.analysis.connection_rules import connection_rule_warnings
from meshdemo.rules.analysis.delegations import delegate_warnings
from meshdemo.rules.analysis.destination_ports import port_warnings
from meshdemo.rules.analysis.http_rules import http_rule_warnings
from meshdemo.rules.analysis.policies import policy_warnings
from meshdemo.rules.analysis.sidecars import sidecar_warnings
from meshdemo.rules.protocols import any_takes_http_rules, protocol_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meshdemo.errors import Problem
    from meshdemo.objects.model import Object
    from meshdemo.rules.analysis.inventory import Inventory

NOT_FOUND = "IST0101"
CONFLICTING_HOSTS = "IST0109"
SUBSET_WITHOUT_PODS = "IST0173"
UNKNOWN_HOST = "IST0174"

ALWAYS_503 = "requests to it get 503"
CLOSED = "connections to it are closed"
NO_COPY = "copies for it are lost, which the client does not notice"
FEW = 5
"""So many other rules for the same host are named, those that take precedence first."""
OLDER = "the older one or, within one second, the first by name"
NEARER = "the one whose exportTo is closer to the client"


def warnings(objects: Sequence[Object], inventory: Inventory) -> list[Problem]:
    """Look at the rules among ``objects``, beside everything that will be there."""
    found: list[Problem] = []
    told = frozenset(inventory.named_subsets(objects))
    for item in objects:
        if item.kind == "VirtualService":
            found += _virtual_service_warnings(top(item), inventory, told)
        elif item.kind == "DestinationRule":
            found += _destination_rule_warnings(top(item), inventory)
            found += _merge_warnings(top(item), inventory)
            found += policy_warnings(top(item))
        elif item.kind == "Sidecar":
            found += sidecar_warnings(top(item), inventory)
    return found


def _virtual_service_warnings(
    service: Place, inventory: Inventory, told: frozenset[tuple[str, str]]
) -> Iterator[Problem]:
    spec = service["spec"]
    for destination in _destinations(spec, "http"):
        yield from destination_warnings(destination, inventory, told)
    for destination in _destinations(spec, "tcp", "tls"):
        yield from destination_warnings(destination, inventory, told, CLOSED)
    for mirror in _mirrors(spec):
        yield from destination_warnings(mirror, inventory, told, NO_COPY)
    yield from _foreign_warnings(service)
    yield from port_warnings(service, inventory)
    yield from _conflict_warnings(service, inventory)
    yield from _protocol_warnings(service, inventory)
    yield from delegate_warnings(service, inventory)
    yield from http_rule_warnings(spec["http"])
    yield from connection_rule_warnings(service, inventory)


def _destinations(spec: Place, *protocols: str) -> Iterator[Place]:
    for protocol in protocols:
        for rule in spec[protocol].items:
            yield from (route["destination"] for route in rule["route"].items)


def _mirrors(spec: Place) -> Iterator[Place]:
    for rule in spec["http"].items:
        yield from (mirror["destination"] for mirror in rule["mirrors"].items)
        if "mirror" in rule:
            yield rule["mirror"]


def destination_warnings(
    destination: Place,
    inventory: Inventory,
    told: frozenset[tuple[str, str]] = frozenset(),
    otherwise: str = ALWAYS_503,
) -> Iterator[Problem]:
    """Say what one destination speaks of and is not there, and what becomes of requests then.

    Of the subsets that are ``told``, by host and name, their own DestinationRule is warned of.
    """
    host, subset = destination["host"], destination["subset"]
    full = hosts.resolve(host.text, destination.item.namespace)
    service = inventory.service(full)
    if not full:
        return
    if service is None:
        yield from _unknown(host, full, inventory, NOT_FOUND, otherwise)
        return
    if subset.text and not inventory.has_subset(full, subset.text):
        message = f'no DestinationRule for "{host.text}" has the subset "{subset.text}"'
        yield subset.problem(message, otherwise, NOT_FOUND)
    elif (
        subset.text
        and (full, subset.text) not in told
        and not inventory.subset_has_pod(service, full, subset.text)
    ):
        message = f'the subset "{subset.text}" of "{host.text}" selects no pod'
        yield subset.problem(message, otherwise, SUBSET_WITHOUT_PODS)
    number = destination["port"]["number"]
    known = [port["port"].number for port in service["spec"]["ports"].items]
    if number.number and number.number not in known:
        ports = ", ".join(str(port) for port in known)
        message = f'the service "{host.text}" has no port {number.value}, only {ports}'
        yield number.problem(message, otherwise, NOT_FOUND)


def _foreign_warnings(service: Place) -> Iterator[Problem]:
    """Warn of a rule for a Service of another namespace that holds for the clients there, too."""
    item = service.item
    if not virtual_services.is_for_mesh(item):
        return
    for host in service["spec"]["hosts"].items:
        owner = hosts.namespace_of(hosts.resolve(host.text, item.namespace))
        if owner not in ("", item.namespace) and virtual_services.is_seen(item, owner):
            yield host.problem(
                f'"{host.text}" is a Service of namespace {owner}: the rule holds there as well',
                'say exportTo: ["."] to keep it to the clients of your own namespace',
            )


def _unknown(
    host: Place, full: str, inventory: Inventory, code: str, otherwise: str
) -> Iterator[Problem]:
    """Warn of a host that no service has, unless the service may be out of context."""
    close = _close_host(full, host.item.namespace, inventory)
    if close or inventory.would_know(full):
        yield host.problem(f'no service has the host "{host.text}"', close or otherwise, code)


def _close_host(full: str, namespace: str, inventory: Inventory) -> str:
    short = [name.removesuffix(f".{namespace}.{hosts.DOMAIN}") for name in inventory.services]
    wanted = full.removesuffix(f".{namespace}.{hosts.DOMAIN}")
    if wanted.count(".") == 1 and hosts.service_host(*wanted.split(".")) in inventory.services:
        return f"did you mean {wanted}.{hosts.DOMAIN}? Istio completes only names without a dot"
    close = difflib.get_close_matches(wanted, short, n=1) if inventory.would_know(full) else []
    return f"did you mean {close[0]}?" if close else ""


def _protocol_warnings(rule: Place, inventory: Inventory) -> Iterator[Problem]:
    """Warn of http rules for a service that has no port for them; istioctl says nothing of it."""
    if not rule["spec"]["http"].items:
        return
    for host in rule["spec"]["hosts"].items:
        full = hosts.resolve(host.text, host.item.namespace)
        service = None if hosts.is_wildcard(full) else inventory.service(full)
        ports = [port.value for port in service["spec"]["ports"].items] if service else []
        if ports and not any_takes_http_rules(ports):
            named = ", ".join(f"{port.get('port')} ({protocol_of(port).value})" for port in ports)
            yield host.problem(
                f'its http rules do not hold for the service "{host.text}": no port of it is HTTP, '
                f"only {named}",
                "if they are HTTP, name them so (http, http-...), or set appProtocol: http",
            )


def _conflict_warnings(service: Place, inventory: Inventory) -> Iterator[Problem]:
    item = service.item
    if not virtual_services.is_for_mesh(item) or not item.spec.get("http"):
        return
    for other, host in islice(_rivals(item, inventory), FEW):
        first = _first(item, other, host, inventory)
        yield service["spec"]["hosts"].problem(
            f"{other.title} names the same host {host}",
            f"they are not merged: {first}; write all rules into one",
            CONFLICTING_HOSTS,
        )


def _first(one: Object, other: Object, host: str, inventory: Inventory) -> str:
    """Say which of two VirtualServices takes precedence; that may depend on the client."""
    found: dict[str, list[str]] = {}
    for namespace in _meet(one, other, host):
        keys = {each.title: inventory.precedence(each, namespace) for each in (one, other)}
        first, last = sorted(keys, key=keys.__getitem__)
        alike = keys[first][0] == keys[last][0]
        said = f"{first} takes precedence, {OLDER if alike else NEARER}"
        found.setdefault(said, []).append(namespace)
    if len(found) == 1:
        return next(iter(found))
    return "; ".join(f"for clients in {', '.join(each)}: {said}" for said, each in found.items())


def _rivals(item: Object, inventory: Inventory) -> Iterator[tuple[Object, str]]:
    """Give each other VirtualService for one of its hosts, with that host, the oldest first."""
    found = {item.key}
    for host in virtual_services.hosts_of(item):
        for other in inventory.rules_by_host.get(host, ()):
            # Rules for tcp and tls of several hold together.
            if not other.spec.get("http"):
                continue
            if other.key not in found and _meet(item, other, host):
                found.add(other.key)
                yield other, host


def _meet(one: Object, other: Object, host: str) -> list[str]:
    """Name the namespaces whose clients see both, among those that the rules speak of."""
    scopes = virtual_services.scope(one), virtual_services.scope(other)
    named = scopes[0] | scopes[1] | {one.namespace, other.namespace, hosts.namespace_of(host)}
    return sorted(
        name
        for name in named - {"", visibility.EVERYWHERE}
        if all(visibility.sees(scope, name) for scope in scopes)
    )


def _destination_rule_warnings(rule: Place, inventory: Inventory) -> Iterator[Problem]:
    host = rule["spec"]["host"]
    full = hosts.resolve(host.text, rule.item.namespace)
    service = inventory.service(full)
    if not full:
        return
    if service is None:
        yield from _unknown(host, full, inventory, UNKNOWN_HOST, "")
        return
    for subset in rule["spec"]["subsets"].items:
        if not inventory.has_pod(service, subset["labels"].texts):
            name = subset["name"]
            message = f'the subset "{name.text}" selects no pod'
            yield name.problem(message, ALWAYS_503, SUBSET_WITHOUT_PODS)


def _merge_warnings(rule: Place, inventory: Inventory) -> Iterator[Problem]:
    """Warn of what Istio drops when it merges DestinationRules for one host: it tells nobody."""
    for other in inventory.merged_with(rule)[:FEW]:
        older = min((rule, other), key=lambda n: (inventory.age(n.item), n.item.name))
        hint = f"of the two only that of {older.item.title} holds, {OLDER}"
        theirs = {subset["name"].text: subset.value for subset in other["spec"]["subsets"].items}
        for subset in rule["spec"]["subsets"].items:
            name = subset["name"]
            if theirs.get(name.text, subset.value) != subset.value:
                message = f'{other.item.title} has another subset "{name.text}" of the same host'
                yield name.problem(message, hint)
        policies = rule["spec"]["trafficPolicy"], other["spec"]["trafficPolicy"]
        if all(policy.there for policy in policies) and policies[0].value != policies[1].value:
            message = f"{other.item.title} has another trafficPolicy for the same host"
            yield policies[0].problem(message, hint)
