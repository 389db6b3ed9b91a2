"""Warnings about destinations of http rules that name no port. Pure.

Istio then takes the port on which the request came: where the destination has no such port, the
answer is 503. ``istioctl analyze`` warns of each Service with several ports, also where they are
the very ports on which requests come; here all that are found are true.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.rules import hosts, virtual_services
from meshdemo.rules.protocols import protocol_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.errors import Problem
    from meshdemo.objects.place import Place
    from meshdemo.rules.analysis.inventory import Inventory

PORT_WANTED = "IST0112"


def port_warnings(service: Place, inventory: Inventory) -> Iterator[Problem]:
    """Look at the destinations of a VirtualService's http rules."""
    of_hosts = _ports_of_hosts(service, inventory)
    for rule in service["spec"]["http"].items:
        asked = _ports_of_rule(rule, of_hosts)
        mirrors = [mirror["destination"] for mirror in rule["mirrors"].items]
        routes = [route["destination"] for route in rule["route"].items]
        for destination in routes:
            yield from _warnings(destination, asked, inventory, "get 503")
        for destination in (*mirrors, rule["mirror"]):
            yield from _warnings(destination, asked, inventory, "are not copied")


def _warnings(
    destination: Place, asked: frozenset[int] | None, inventory: Inventory, fate: str
) -> Iterator[Problem]:
    if not destination.there or "port" in destination:
        return
    host = destination["host"]
    service = inventory.service(hosts.resolve(host.text, destination.item.namespace))
    known = _numbers(service, http=False) if service else frozenset()
    missing = (asked or frozenset()) - known
    if not known or (asked is None and len(known) == 1) or (asked is not None and not missing):
        return
    listed = ", ".join(map(str, sorted(known)))
    several = len(known) > 1
    has = f"has several ports ({listed})" if several else f"has no other port than {listed}"
    lost = ", ".join(map(str, sorted(missing))) or "another port"
    yield host.problem(
        f'the service "{host.text}" {has}, and the destination names none',
        f"requests that come on {lost} {fate}; write port: {{number: {min(known)}}} beside host",
        PORT_WANTED if several else "",
    )


def _ports_of_hosts(service: Place, inventory: Inventory) -> frozenset[int] | None:
    """Give the ports on which requests can come; None where that cannot be said."""
    gateways = [gateway.text for gateway in service["spec"]["gateways"].items]
    if any(name != hosts.MESH for name in gateways) or not virtual_services.is_for_mesh(
        service.item
    ):
        return None
    found: frozenset[int] = frozenset()
    for host in service["spec"]["hosts"].items:
        full = hosts.resolve(host.text, service.item.namespace)
        of_host = None if hosts.is_wildcard(full) else inventory.service(full)
        if of_host is None:
            return None
        found |= _numbers(of_host, http=True)
    return found or None


def _ports_of_rule(rule: Place, of_hosts: frozenset[int] | None) -> frozenset[int] | None:
    """Leave out what no match of the rule is for."""
    wanted = [int(match["port"].number) for match in rule["match"].items]
    if not wanted or not all(wanted):
        return of_hosts
    return frozenset(wanted) if of_hosts is None else of_hosts & frozenset(wanted)


def _numbers(service: Place, *, http: bool) -> frozenset[int]:
    ports = service["spec"]["ports"].items
    chosen = [p for p in ports if not http or protocol_of(p.value).takes_http_rules]
    return frozenset(int(port["port"].number) for port in chosen)
