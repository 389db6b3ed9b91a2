"""Warnings about the tcp and tls rules of one VirtualService: where no connection ever gets. Pure.

Source: ``buildSidecarOutboundTCPFilterChainOpts`` and its sister for TLS in istiod's core/tls.go;
``istioctl analyze`` says nothing of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.rules import hosts, virtual_services
from meshdemo.rules.protocols import Protocol, protocol_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from meshdemo.errors import Problem
    from meshdemo.objects.place import Place
    from meshdemo.rules.analysis.inventory import Inventory

PROTOCOLS = {"tcp": (Protocol.TCP, Protocol.AUTO), "tls": (Protocol.TLS,)}
"""On ports of which protocols each kind of rules holds."""
LATER = ("destinationSubnets", "gateways", "port", "sourceLabels", "sourceNamespace")
"""The conditions by which a connection may get past a match of a tcp rule."""


def connection_rule_warnings(service: Place, inventory: Inventory) -> Iterator[Problem]:
    """Look at the tcp and tls rules in their order."""
    spec = service["spec"]
    known = _ports_of_hosts(service, inventory)
    for kind, wanted in PROTOCOLS.items():
        rules = spec[kind].items
        fitting = [number for number, protocol in known.items() if protocol in wanted]
        named = ", ".join(f"{number} ({each.value})" for number, each in known.items())
        hint = f"if it is {kind.upper()}, name the port so ({kind}, {kind}-...), or its appProtocol"
        if rules and known and not fitting:
            message = f"its {kind} rules hold for no port of its hosts, which have only {named}"
            yield spec[kind].problem(message, hint)
            continue
        for rule in rules if fitting else ():
            for match in rule["match"].items:
                number = match["port"].number
                if number and number not in fitting:
                    message = f"{kind} rules do not hold for port {number}: there is only {named}"
                    yield match["port"].problem(message, hint)
    yield from _unreachable(spec["tcp"])


def _unreachable(rules: Place) -> Iterator[Problem]:
    first: Place | None = None
    for rule in rules.items:
        if first:
            message = f"no connection reaches this rule: rule #{first.path[-1]} takes every one"
            yield rule.problem(message, "put the rule without match last")
        elif not rule["match"].items or any(
            not any(name in match for name in LATER) for match in rule["match"].items
        ):
            first = rule


def _ports_of_hosts(service: Place, inventory: Inventory) -> Mapping[int, Protocol]:
    """Give the ports to which connections can come; empty where that cannot be said."""
    gateways = [gateway.text for gateway in service["spec"]["gateways"].items]
    if any(name != hosts.MESH for name in gateways) or not virtual_services.is_for_mesh(
        service.item
    ):
        return {}
    found: dict[int, Protocol] = {}
    for host in service["spec"]["hosts"].items:
        full = hosts.resolve(host.text, service.item.namespace)
        of_host = None if hosts.is_wildcard(full) else inventory.service(full)
        if of_host is not None:
            ports = of_host["spec"]["ports"].items
            found |= {int(port["port"].number): protocol_of(port.value) for port in ports}
        elif hosts.is_wildcard(full) or hosts.namespace_of(full):
            return {}
    return found
