"""Istio's admission of a VirtualService as a whole.

Source: Istio's pkg/config/validation (ValidateVirtualService).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.engines.local.admission import names
from meshdemo.engines.local.admission.http_rule import rule_limits, rule_problems
from meshdemo.engines.local.admission.references import (
    destination_problems,
    export_problems,
    gateway_problems,
    label_problems,
    weight_problems,
)
from meshdemo.rules.analysis.analyzer import NOT_FOUND
from meshdemo.rules.hosts import MESH, overlap, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.errors import Problem
    from meshdemo.objects.place import Place
    from meshdemo.rules.analysis.inventory import Inventory


def problems(service: Place) -> Iterator[Problem]:
    """Judge a whole VirtualService."""
    spec = service["spec"]
    hosts, gateways = spec["hosts"], spec["gateways"]
    gateway_names = [gateway.text for gateway in gateways.items]
    in_mesh = not gateway_names or MESH in gateway_names
    is_delegate = hosts.is_empty_list
    if is_delegate:
        yield from _delegate_problems(spec)
    yield from gateway_problems(gateways)
    yield from _host_problems(hosts, in_mesh=in_mesh)
    if all(spec[name].is_empty_list for name in ("http", "tcp", "tls")):
        yield spec.problem("there is no rule: http, tcp or tls must be there")
    for rule in spec["http"].items:
        yield from rule_problems(rule, in_mesh=in_mesh, is_delegate=is_delegate)
    for rule in spec["tcp"].items:
        yield from _l4_problems(rule)
    for rule in spec["tls"].items:
        yield from _tls_problems(rule, hosts)
    yield from export_problems(spec, service.item.namespace)


def limits(service: Place) -> Iterator[Problem]:
    """Give what Istio takes of a VirtualService, and this engine cannot do."""
    spec = service["spec"]
    for rule in spec["http"].items:
        yield from rule_limits(rule)


def gateway_warnings(service: Place) -> Iterator[Problem]:
    """Warn of gateways, of which this engine has none."""
    for gateway in service["spec"]["gateways"].items:
        if gateway.text != MESH:
            message = f'there is no gateway "{gateway.text}"'
            yield gateway.problem(message, "the local engine has none", NOT_FOUND)


def subnet_warnings(service: Place, inventory: Inventory) -> Iterator[Problem]:
    """Warn of conditions on addresses that a Service has only on a cluster."""
    spec = service["spec"]
    named = [resolve(host.text, service.item.namespace) for host in spec["hosts"].items]
    found = [inventory.service(host) for host in named]
    without = [one.item.name for one in found if one and not one["spec"]["clusterIP"].text]
    for rule in (*spec["tcp"].items, *spec["tls"].items) if without else ():
        for match in rule["match"].items:
            if not match["destinationSubnets"].is_empty_list:
                yield match["destinationSubnets"].problem(
                    f"the Service {', '.join(without)} has no address here, so this never matches",
                    "write the clusterIP that it shall have",
                )


def _delegate_problems(spec: Place) -> Iterator[Problem]:
    for name in ("gateways", "tls", "tcp"):
        if not spec[name].is_empty_list:
            message = f"a VirtualService without hosts is a delegate, and must not have {name}"
            yield spec[name].problem(message)


def _host_problems(hosts: Place, *, in_mesh: bool) -> Iterator[Problem]:
    named = [host for host in hosts.items if host.is_text]
    wrong = [problem for host in named for problem in _one_host_problems(host, in_mesh=in_mesh)]
    yield from wrong
    if wrong:
        return
    for index, host in enumerate(named):
        if one := next((one for one in named[:index] if overlap(one.text, host.text)), None):
            yield host.problem(f'duplicate hosts: "{one.text}" and "{host.text}" overlap')


def _one_host_problems(host: Place, *, in_mesh: bool) -> Iterator[Problem]:
    wrong = names.wildcard_domain(host.text)
    if wrong and not names.is_address(host.text):
        yield host.problem(wrong)
    elif host.text == "*" and in_mesh:
        yield host.problem('the host "*" is not allowed in the mesh', "name the hosts")


def _l4_problems(rule: Place) -> Iterator[Problem]:
    for match in rule["match"].items:
        yield from label_problems(match["sourceLabels"])
        yield from gateway_problems(match["gateways"])
        for subnet in match["destinationSubnets"].items:
            if subnet.is_text and not names.is_subnet(subnet.text):
                yield subnet.problem(
                    f'"{subnet.text}" is neither an address nor a range of addresses'
                )
    if rule["route"].is_empty_list:
        yield rule.problem("the rule has no route")
    for route in rule["route"].items:
        yield from destination_problems(route["destination"])
    yield from weight_problems(rule["route"])


def _tls_problems(rule: Place, hosts: Place) -> Iterator[Problem]:
    yield from _l4_problems(rule)
    if rule["match"].value == []:
        yield rule["match"].problem("the rule has no match")
    known = [host.text for host in hosts.items]
    for match in rule["match"].items:
        if match["sniHosts"].value == []:
            yield match["sniHosts"].problem("there is no host in sniHosts")
        for sni in match["sniHosts"].items:
            wrong = names.wildcard_domain(sni.text)
            if wrong and not names.is_address(sni.text):
                yield sni.problem(wrong)
            elif not wrong and not any(_is_subset(sni.text, host) for host in known):
                yield sni.problem(f'"{sni.text}" is not among the hosts: {", ".join(known)}')


def _is_subset(host: str, of: str) -> bool:
    """Tell whether all names that a host stands for are names of another."""
    if of.startswith("*"):
        return host.removeprefix("*").endswith(of[1:]) and len(host) >= len(of)
    return host == of
