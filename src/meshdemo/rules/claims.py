"""Which VirtualServices want to decide about a host, which of them does, and why the others do not.

Source: as for ``virtual_services`` and ``virtual_hosts``; here it is only said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.language import said
from meshdemo.rules import connections, hosts, virtual_services

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meshdemo.objects.model import Object
    from meshdemo.rules.client_view import Client, ClientView
    from meshdemo.rules.promise import RequestPath
    from meshdemo.rules.virtual_hosts import VirtualHost
    from meshdemo.rules.virtual_services import VirtualService
    from meshdemo.rules.written_rules import WrittenRules


class Claim(Struct, frozen=True):
    """A VirtualService that is for a host, or for one that is called much the same."""

    rule: Object
    why: str
    """Why it decides, or does not."""
    wins: bool = False


def claims(written: WrittenRules, path: RequestPath, called: str) -> list[Claim]:
    """Say of each VirtualService for a host what becomes of it, first of the one that decides.

    ``called`` is the host's full name. Where none is for it, those come that may be meant for it.
    """
    named = [rule for rule in written.naming(called) if _host_for(rule, called)]
    winner = path.deciding
    deciding = next((r for r in named if winner and (r.namespace, r.name) == winner.key), None)
    others = [rule for rule in named if rule is not deciding]
    lost = [Claim(r, next(_reasons(r, deciding, path, called))) for r in others]
    if deciding is None:
        return lost or list(_meant(written.with_hosts, called))
    host = _host_for(deciding, called)
    why = said("it is for {host}, and no other one is", host=host)
    if lost:
        why = said("it is for {host}", host=host)
    return [Claim(deciding, why, wins=True), *lost]


def _host_for(rule: Object, called: str) -> str:
    """Give the host of a rule that fits a name best; empty if none does."""
    return hosts.most_specific(called, virtual_services.hosts_of(rule)) or ""


def _reasons(rule: Object, winner: Object | None, path: RequestPath, called: str) -> Iterator[str]:
    """Say why a rule for a host does not decide about it; the first reason is enough."""
    view, dialled = path.view, path.dialled
    client = view.client
    if not client.injected:
        yield said("the client has no sidecar, so it follows no rule")
    if not virtual_services.is_for_mesh(rule):
        gateways = ", ".join(map(str, rule.spec["gateways"]))
        yield said(
            "it is bound to {gateways} only, and not to mesh, which stands for sidecars",
            gateways=gateways,
        )
    if not virtual_services.is_seen(rule, client.namespace):
        yield said("its exportTo leaves out namespace {namespace}", namespace=client.namespace)
    read = next((r for r in view.virtual_services if r.key == (rule.namespace, rule.name)), None)
    if read is None and view.sidecar:
        yield said(
            "{sidecar} does not name its hosts among those that are known",
            sidecar=view.sidecar.title,
        )
    if dialled and dialled.service and not dialled.port:
        yield said("{service} has no such port", service=dialled.service.title)
    if path.chain and dialled and read:
        yield from _reasons_of_connections(read, winner, dialled, client)
    elif dialled and read and not any(_http_rules(read, dialled, client)):
        yield said("none of its http rules is for port {port} and this client", port=dialled.port)
    if winner:
        why = _precedence(winner, rule, view, called)
        yield said("{winner} takes precedence: {why}", winner=winner.title, why=why)
    yield said("rules for a name that is no Service hold on port 80 only")


def _http_rules(rule: VirtualService, dialled: VirtualHost, client: Client) -> Iterator[object]:
    return rule.http_rules(dialled.port, client.namespace, client.labels)


def _reasons_of_connections(
    rule: VirtualService, winner: Object | None, dialled: VirtualHost, client: Client
) -> Iterator[str]:
    """Say why a rule does not decide where no HTTP is seen."""
    port = dialled.service.port(dialled.port) if dialled.service else None
    if port is None or dialled.service is None:
        return
    if not (rule.tcp or rule.tls):
        yield said(
            "port {port} of {service} is not HTTP for Istio",
            port=port.number,
            service=dialled.service.title,
        )
    elif winner is None or not connections.is_for(rule, port, client):
        yield said(
            "none of its tcp or tls rules takes such a connection to port {port} from this client",
            port=port.number,
        )


def _precedence(winner: Object, rule: Object, view: ClientView, called: str) -> str:
    mine, other = _host_for(winner, called), _host_for(rule, called)
    if mine != other and hosts.is_wildcard(other):
        return said("its host {host} is more specific than {other}", host=mine, other=other)
    namespace = view.client.namespace
    first, second = (virtual_services.precedence(each, namespace) for each in (winner, rule))
    if first[0] != second[0]:
        return said("its exportTo names fewer namespaces, and the closer one comes first")
    if first[1] != second[1]:
        since = first[1] or said("no known time")
        return said("it is older, of {since} and not of {other}", since=since, other=second[1])
    return said("they are of one age, and its name comes first")


def _meant(rules: Sequence[Object], called: str) -> Iterator[Claim]:
    """Give the rules whose hosts begin as the one that was called does."""
    first = called.partition(".")[0]
    for rule in rules:
        for written in rule.spec["hosts"]:
            full = hosts.full_name(str(written), rule.namespace)
            if full.partition(".")[0] == first:
                names = {"host": written, "full": full, "called": called}
                why = said("its host {host}, and {called} was called", **names)
                if full != written:
                    why = said(
                        "its host {host} stands for {full}, a service of its own namespace, and "
                        "{called} was called",
                        **names,
                    )
                yield Claim(rule, why)
                break
