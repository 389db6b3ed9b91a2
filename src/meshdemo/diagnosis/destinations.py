"""Causes in where the requests are sent: what is missing there, or not ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.diagnosis.cause import Cause
from meshdemo.diagnosis.sidecar_words import NO_CONNECTION, NO_HEALTHY
from meshdemo.errors import Problem
from meshdemo.language import joined, said

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meshdemo.diagnosis.facts import Facts
    from meshdemo.engines.results import Pod
    from meshdemo.objects.model import Object
    from meshdemo.rules.request_trace import Destination

UNAVAILABLE = 503
REFUSED = "refused"
NOT_FOUND = 404


def missing_destination(facts: Facts) -> Iterator[Cause]:
    """A rule sends to a subset, or a host, that is not there: Envoy's 503 NC."""
    if (came := facts.came(UNAVAILABLE)) is None:
        return
    for destination in facts.trace.destinations:
        if not destination.refusal:
            continue
        target = destination.target
        if destination.service and destination.service.port(target.port) is None:
            message = said("{host} has no port {port}", host=target.host, port=target.port)
            place = _place(facts, destination, message, "port")
            there = ", ".join(str(each.number) for each in destination.service.ports)
            fix = said("name a port that is there: {ports}", ports=there)
            yield Cause("destination-unknown", place, came, fix)
        elif destination.service and _lacks_subset(destination):
            named = {"subset": target.subset, "host": target.host}
            message = said('no DestinationRule for {host} has the subset "{subset}"', **named)
            known = [s.get("name") for s in destination.rule.subsets] if destination.rule else []
            there = said("there is no DestinationRule for it")
            if known:
                there = said("its subsets are {names}", names=", ".join(map(str, known)))
            evidence = (*came, there)
            fix = said('add the subset "{subset}" to a DestinationRule for {host}', **named)
            place = _place(facts, destination, message, "subset")
            yield Cause("subset-missing", place, evidence, fix)
        elif destination.service is None:
            message = said("{host} is sent to, and no service has that host", host=target.host)
            place = _place(facts, destination, message, "host")
            called = facts.trace.called
            fix = said("name a service that is there, such as {host}", host=called)
            yield Cause("destination-unknown", place, came, fix)


def _lacks_subset(destination: Destination) -> bool:
    name, rule = destination.target.subset, destination.rule
    return bool(name) and (rule is None or rule.subset(name) is None)


def without_pods(facts: Facts) -> Iterator[Cause]:
    """No pod is behind a subset: Envoy's 503 UH."""
    if (came := facts.came(UNAVAILABLE)) is None:
        return
    for destination in facts.trace.destinations:
        service = destination.service
        if destination.refusal or service is None or service.endpoints or facts.behind(destination):
            continue
        if destination.target.passes_through:
            continue
        selected = [p for p in facts.pods if service.selects(p.namespace, p.labels)]
        evidence, makers = [*came], list(_makers(facts, destination))
        if not selected and not makers and (named := _service_of(facts, destination)):
            yield _of_selector(named, came)
            continue
        for name, value in destination.labels.items() if not makers else ():
            has = sorted({pod.labels.get(name, "none") for pod in selected})
            if selected and value not in has:
                evidence.append(
                    said(
                        "it wants {label}: {wanted}, and the pods have {found}",
                        label=name,
                        wanted=value,
                        found=", ".join(has),
                    )
                )
        if makers:
            yield from (_without_its_pods(facts, item, came) for item in makers)
            continue
        subset, host = destination.target.subset, destination.target.host
        message = said("the selector of {host} selects no pod", host=host)
        if subset:
            message = said(
                'the subset "{subset}" of {host} selects no pod', subset=subset, host=host
            )
        fix = said("correct its labels, or start pods that have them")
        yield Cause("no-pods", _subset_place(facts, destination, message), tuple(evidence), fix)


def _of_selector(service: Object, came: tuple[str, ...]) -> Cause:
    """Name a Service that has no pods at all: subsets are parts of them."""
    wanted = ",".join(f"{name}={value}" for name, value in service.spec["selector"].items())
    message = said("the selector of {host} selects no pod", host=service.title)
    evidence = (*came, said("it is {labels}, and no pod there has that", labels=wanted))
    fix = said("correct its labels, or start pods that have them")
    return Cause("no-pods", service.problem(message, "spec", "selector"), evidence, fix)


def _makers(facts: Facts, destination: Destination) -> Iterator[Object]:
    """Give the workloads whose pods would be behind a destination."""
    for item in facts.objects:
        if item.makes_pods:
            labels = (item.pod_template.get("metadata") or {}).get("labels") or {}
            if destination.takes(item.namespace, labels):
                yield item


def _without_its_pods(facts: Facts, maker: Object, came: tuple[str, ...]) -> Cause:
    """Name the workload that ought to have pods: labels are not what is wrong."""
    if maker.spec.get("replicas") == 0 or f"{maker.kind} {maker.name}" in facts.scaled_to_zero():
        message = said("{workload} is scaled to 0", workload=maker.title)
        fix = said(
            "give it pods, as by: kubectl scale {kind} {name} -n {namespace} --replicas 1",
            kind=maker.kind.lower(),
            name=maker.name,
            namespace=maker.namespace,
        )
        place = maker.problem(message, "spec", "replicas")
        return Cause("no-pods", place, (*came, said("it has no pod")), fix)
    place = maker.problem(said("{workload} has no pod now", workload=maker.title))
    evidence = (*came, said("the labels of its pods are those that are wanted"))
    fix = said("wait until it has, and see why if it does not: meshdemo status")
    return Cause("no-pods", place, evidence, fix)


def pods_not_ready(facts: Facts) -> Iterator[Cause]:
    """A pod that is to answer is not ready, or crashes."""
    # Errors that the app itself answers with are no sign of it.
    failed = facts.saying(NO_HEALTHY, NO_CONNECTION) or any(r.error for r in facts.sample.replies)
    for destination in facts.trace.destinations:
        behind = facts.behind(destination)
        for pod in behind:
            if pod.is_ready or not (failed or _makes_short(facts, pod, destination, behind)):
                continue
            message = said("pod {pod} is not ready ({ready})", pod=pod.name, ready=pod.ready)
            evidence = (*pod.message.splitlines(), *_last_words(facts, pod))
            evidence = tuple(line for line in evidence if line.strip())
            owner = facts.owner(pod)
            place = owner.problem(message) if owner else Problem(message)
            fix = f"meshdemo logs {pod.name}"
            yield Cause(
                "pod-not-ready", place, evidence or (said("it is {phase}", phase=pod.phase),), fix
            )


def _makes_short(facts: Facts, pod: Pod, destination: Destination, behind: Sequence[Pod]) -> bool:
    """Tell whether a version lacks answers for want of this pod: in a subset others stand in."""
    version = pod.labels.get("version")
    others = [each for each in behind if each.is_ready and each.labels.get("version") == version]
    return version in facts.short_versions and not (destination.target.subset and others)


def _last_words(facts: Facts, pod: Pod) -> Iterator[str]:
    """Give the last lines of what has crashed there, unless they are told already."""
    for container in pod.containers:
        if container.restarts and not container.ready:
            lines = [line for line in facts.last_lines(pod, container.name) if line.strip()]
            if lines and lines[-1].strip() not in pod.message:
                yield said("the last lines of {container}:", container=container.name)
                yield from lines


def app_without_sidecar(facts: Facts) -> Iterator[Cause]:
    """The client's sidecar speaks mTLS to a pod that has none to understand it."""
    came = facts.came(UNAVAILABLE)
    # Where nothing listens it is no matter of TLS.
    if not came or facts.saying(NO_CONNECTION) <= facts.saying(REFUSED):
        return
    for destination in facts.trace.destinations:
        mode = (destination.policy.get("tls") or {}).get("mode")
        bare = [pod.name for pod in facts.behind(destination) if not pod.injected]
        if mode != "ISTIO_MUTUAL" or not bare:
            continue
        message = said(
            "{pods} has no sidecar, and ISTIO_MUTUAL needs one there", pods=", ".join(bare)
        )
        place = _subset_place(facts, destination, message)
        yield Cause("app-without-sidecar", place, came, "meshdemo inject")


def no_rule_matches(facts: Facts) -> Iterator[Cause]:
    """No http rule takes the request: Envoy's 404 NR."""
    dialled, came = facts.trace.dialled, facts.came(NOT_FOUND)
    near = facts.trace.closest
    if (
        came is None
        or facts.trace.chosen
        or dialled is None
        or dialled.rule is None
        or near is None
    ):
        return
    nearest, origin = near
    differs = [
        said("{field} is {value!r}", field=".".join(each.path), value=each.found)
        for each in nearest.differing
    ]
    message = said(
        "no http rule of {rule} matches the request; closest is this one", rule=dialled.rule.title
    )
    place = origin.item.problem(message, *origin.path, "match")
    evidence = (*came, said("what differs: {fields}", fields=joined(said(", "), differs)))
    fix = said("correct the match, or add a rule without any")
    yield Cause("no-rule-matches", place, evidence, fix)


def _place(facts: Facts, destination: Destination, message: str, field: str) -> Problem:
    """Give the place of a destination in the rule that names it."""
    chosen = facts.trace.chosen
    if chosen is None:
        return Problem(message)
    routes = chosen.tried.http.get("route") or []
    number = next((n for n, each in enumerate(routes) if each is destination.route), 0)
    path = (*chosen.origin.path, "route", number, "destination", field)
    return chosen.origin.item.problem(message, *path)


def _subset_place(facts: Facts, destination: Destination, message: str) -> Problem:
    """Give the place of a subset in its DestinationRule, or else of the Service."""
    rule = destination.rule
    for item in facts.objects:
        if rule and item.kind == "DestinationRule" and rule.has(item):
            for number, each in enumerate(item.spec.get("subsets") or ()):
                if each.get("name") == destination.target.subset:
                    return item.problem(message, "spec", "subsets", number)
    named = _service_of(facts, destination)
    return named.problem(message, "spec", "selector") if named else Problem(message)


def _service_of(facts: Facts, destination: Destination) -> Object | None:
    """Find the Service that a destination is, where it has a selector."""
    service = destination.service
    for item in facts.objects:
        key = item.namespace, item.name
        if service and item.kind == "Service" and key == (service.namespace, service.name):
            return item if item.spec.get("selector") else None
    return None
