"""Causes proved by the opposite: with one thing changed the rules promise what is expected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from meshdemo.diagnosis.cause import Cause
from meshdemo.diagnosis.opposites import exchanged, proof, with_host, with_spec, without
from meshdemo.errors import Problem
from meshdemo.language import joined, said
from meshdemo.rules import hosts, virtual_services
from meshdemo.rules.http_matches import takes_everything

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.diagnosis.facts import Facts
    from meshdemo.objects.model import Object


def client_without_sidecar(facts: Facts) -> Iterator[Cause]:
    """The test client follows no rules, and would get what is expected if it did."""
    if facts.client.injected:
        return
    if not facts.would_keep(facts.objects, replace(facts.client, injected=True)):
        return
    found = facts.owner(facts.sender)
    message = said(
        "the test client {pod} has no sidecar, so no rule holds for what it sends",
        pod=facts.sender.name,
    )
    place = found.problem(message, *found.template_path) if found else Problem(message)
    yield Cause("client-without-sidecar", place, proof(facts), "meshdemo inject")


def unknown_host(facts: Facts) -> Iterator[Cause]:
    """Rules are for a host that no service has, and would hold for the one that was called."""
    called = facts.trace.called
    wrong: dict[str, list[Object]] = {}
    for rule in facts.objects:
        for host in _hosts(rule):
            full = hosts.resolve(host, rule.namespace)
            if full != called and full.lower() not in facts.view.services:
                wrong.setdefault(full, []).append(rule)
    for full, rules in wrong.items():
        if not facts.would_keep([with_host(item, full, called) for item in facts.objects]):
            continue
        first = rules[0]
        written = next(h for h in _hosts(first) if hosts.resolve(h, first.namespace) == full)
        message = said(
            "{host}: no service has that host, and {called} was called", host=written, called=called
        )
        if full != written:
            message = said(
                "{host}, which means {full}: no service has that host, and {called} was called",
                host=written,
                full=full,
                called=called,
            )
        path = ("spec", "host") if first.kind == "DestinationRule" else ("spec", "hosts", 0)
        titles = ", ".join(dict.fromkeys(rule.title for rule in rules))
        fix = said("name {called} in {rules}", called=called, rules=titles)
        yield Cause("unknown-host", first.problem(message, *path), proof(facts), fix)


def other_rule_wins(facts: Facts) -> Iterator[Cause]:
    """Another VirtualService has the host, and without it there would be what is expected."""
    claims = facts.trace.claims
    winner = next((claim.rule for claim in claims if claim.wins), None)
    lost = next((claim for claim in claims if not claim.wins), None)
    if winner is None or lost is None or not facts.would_keep(without(facts, winner)):
        return
    message = said(
        "{winner} decides about {host}, and not {loser}",
        winner=winner.title,
        host=facts.trace.called,
        loser=lost.rule.title,
    )
    fix = said(
        "write the rules of both into one, or: "
        "meshdemo delete virtualservice {name} -n {namespace}",
        name=winner.name,
        namespace=winner.namespace,
    )
    place = winner.problem(message, "spec", "hosts")
    yield Cause("other-rule-wins", place, (lost.why, *proof(facts)), fix)


def port_is_not_http(facts: Facts) -> Iterator[Cause]:
    """The port that was called is none for http rules."""
    dialled = facts.trace.dialled
    if dialled is None or dialled.service is None:
        return
    for item in facts.objects:
        key = item.namespace, item.name
        if item.kind != "Service" or key != (dialled.service.namespace, dialled.service.name):
            continue
        for number, port in enumerate(item.spec.get("ports") or ()):
            if port.get("port") != dialled.port:
                continue
            named = {**port, "appProtocol": "http"}
            ports = [*item.spec["ports"][:number], named, *item.spec["ports"][number + 1 :]]
            if not facts.would_keep(exchanged(facts, item, with_spec(item, ports=ports))):
                continue
            message = said(
                "port {port} ({name}) is not HTTP for Istio: no http rule holds",
                port=dialled.port,
                name=port.get("appProtocol") or port.get("name") or said("no name"),
            )
            place = item.problem(message, "spec", "ports", number)
            fix = said("name it http or http-..., or set appProtocol: http")
            yield Cause("port-is-not-http", place, proof(facts), fix)


def out_of_reach(facts: Facts) -> Iterator[Cause]:
    """A rule is kept from the client: by exportTo, by gateways, or by where it stands."""
    place = hosts.namespace_of(facts.trace.called) or facts.client.namespace
    for rule in facts.objects:
        if rule.kind == "Sidecar" and facts.would_keep(without(facts, rule)):
            message = said("its egress keeps the client from what rules lead to")
            fix = said("add {namespace}/* to the hosts of its egress", namespace=place)
            problem = rule.problem(message, "spec", "egress")
            yield Cause("rule-out-of-reach", problem, proof(facts), fix)
        if rule.kind not in ("DestinationRule", "VirtualService"):
            continue
        if rule.spec.get("exportTo") and facts.would_keep(
            exchanged(facts, rule, with_spec(rule, exportTo=None))
        ):
            own = facts.client.namespace
            message = said(
                "its exportTo keeps it from clients in namespace {namespace}", namespace=own
            )
            fix = said("add {namespace} to its exportTo, or leave that out", namespace=own)
            problem = rule.problem(message, "spec", "exportTo")
            yield Cause("rule-out-of-reach", problem, proof(facts), fix)
        elif not virtual_services.is_for_mesh(rule) and facts.would_keep(
            exchanged(facts, rule, with_spec(rule, gateways=None))
        ):
            message = said("it is bound to gateways only, so no sidecar follows it")
            fix = said("add mesh to its gateways, which stands for all sidecars")
            problem = rule.problem(message, "spec", "gateways")
            yield Cause("rule-out-of-reach", problem, proof(facts), fix)
        elif rule.kind == "DestinationRule" and rule.namespace != place:
            full = hosts.resolve(str(rule.spec.get("host", "")), rule.namespace)
            moved = with_spec(rule, host=full)
            metadata = {**rule.metadata, "namespace": place}
            moved = moved.with_data({**moved.data, "metadata": metadata})
            if facts.would_keep(exchanged(facts, rule, moved)):
                message = said(
                    "it does not hold from namespace {namespace}", namespace=rule.namespace
                )
                problem = rule.problem(message, "metadata", "namespace")
                fix = said("move it to {namespace}", namespace=place)
                yield Cause("rule-out-of-reach", problem, proof(facts), fix)


def unmet(facts: Facts) -> Iterator[str]:
    """Say which http rule before the one that takes the request would do what is expected."""
    for step in facts.trace.steps:
        item, number = step.origin.item, step.origin.number
        rules = list(item.spec.get("http") or ())
        if step.tried.takes or number >= len(rules):
            continue
        rules[number] = {name: value for name, value in rules[number].items() if name != "match"}
        if facts.would_keep(exchanged(facts, item, with_spec(item, http=rules))):
            differs = [
                said("{field} is {value!r}", field=".".join(each.path), value=each.found)
                for each in step.tried.failed
            ]
            yield said(
                "rule #{number} would give what is expected, and does not match: {fields}",
                number=number,
                fields=joined(said(", "), differs),
            )


def earlier_rule_takes_it(facts: Facts) -> Iterator[Cause]:
    """A later http rule is meant for the request, and one before it takes it."""
    trace = facts.trace
    if trace.chosen is None:
        return
    taken = trace.chosen.origin
    rules = taken.item.spec.get("http") or []
    for number in range(taken.number + 1, len(rules)):
        matches = rules[number].get("match") or []
        # What takes every request is meant for the rest of them.
        if not matches or any(takes_everything(match or {}) for match in matches):
            continue
        order = [rules[number], *rules[:number], *rules[number + 1 :]]
        if facts.would_keep(exchanged(facts, taken.item, with_spec(taken.item, http=order))):
            rules_of = {"taking": taken.number, "meant": number}
            message = said("rule #{taking} takes the request before rule #{meant} can", **rules_of)
            fix = said("put rule #{meant} before rule #{taking}", **rules_of)
            place = taken.item.problem(message, *taken.path)
            yield Cause("earlier-rule-takes-it", place, proof(facts), fix)
            return


def fault_in_force(facts: Facts) -> Iterator[Cause]:
    """The rule that takes the request aborts some of them."""
    chosen = facts.trace.chosen
    if chosen is None or not (fault := chosen.tried.http.get("fault") or {}).get("abort"):
        return
    item, number = chosen.origin.item, chosen.origin.number
    rules = list(item.spec.get("http") or ())
    rules[number] = {name: value for name, value in rules[number].items() if name != "fault"}
    status = fault["abort"].get("httpStatus") or 0
    came = facts.came(status)
    if not came or not facts.would_keep(exchanged(facts, item, with_spec(item, http=rules))):
        return
    percent = (fault["abort"].get("percentage") or {}).get("value", 0)
    message = said(
        "a fault is in force: {percent:g} % of the requests are answered {status}",
        percent=percent,
        status=status,
    )
    place = item.problem(message, *chosen.origin.path, "fault", "abort")
    evidence = (*came, *proof(facts))
    yield Cause("fault-in-force", place, evidence, said("take the fault out of that rule"))


def _hosts(rule: Object) -> list[str]:
    if rule.kind == "DestinationRule":
        return [str(rule.spec.get("host", ""))]
    return list(map(str, rule.spec.get("hosts") or ())) if rule.kind == "VirtualService" else []
