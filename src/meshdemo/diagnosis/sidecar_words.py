"""Causes that the client's sidecar names itself: in answers in place of a pod, and when asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.diagnosis.cause import Cause
from meshdemo.errors import Problem
from meshdemo.language import said
from meshdemo.rules import hosts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.diagnosis.facts import Facts
    from meshdemo.engines.results import Pod
    from meshdemo.objects.model import Object

SERVER_ERROR = 500
"""An HTTP status from here on is that of a server, or of a sidecar, that has failed."""
OVERFLOW = "reset reason: overflow"
NO_CONNECTION = "upstream connect error"
NO_HEALTHY = "no healthy upstream"
DENIED = "RBAC: access denied"
TIMEOUT = "upstream request timeout"
WITH_TEXT = "{count:,} answers were {status} with '{text}' ({flag})"
"""What such answers are told by."""


def pool_is_full(facts: Facts) -> Iterator[Cause]:
    """A connection pool let no more requests through: Envoy's 503 UO."""
    if count := facts.saying(OVERFLOW):
        message = said("the connection pool is full, and turns requests away")
        place = _policy_place(facts, message, "connectionPool")
        if place:
            evidence = (said(WITH_TEXT, count=count, status=503, text=OVERFLOW, flag="UO"),)
            fix = said("raise its limits, or expect the 503s: --expect v1=...%,503=...%")
            yield Cause("pool-is-full", place, evidence, fix)


def pods_ejected(facts: Facts) -> Iterator[Cause]:
    """Outlier detection leaves out pods that are there: with them all Envoy's 503 UH."""
    for destination in facts.trace.destinations:
        target = destination.target
        cluster = f"outbound|{target.port}|{target.subset}|{target.host}"
        out = [each.address for each in facts.ejected if each.cluster == cluster]
        count = facts.saying(NO_HEALTHY)
        # Where others go on in their place, only a version that is short is their doing.
        if not out or not (count or _are_of_short_versions(facts, out)):
            continue
        message = said("outlier detection has ejected {addresses}", addresses=", ".join(out))
        place = _policy_place(facts, message, "outlierDetection")
        if place is None:
            continue
        evidence = [said("the client's sidecar says so of {cluster}", cluster=cluster)]
        if count:
            evidence.append(said(WITH_TEXT, count=count, status=503, text=NO_HEALTHY, flag="UH"))
        fix = said("mend what made the pods fail, or eject fewer: maxEjectionPercent")
        yield Cause("pods-ejected", place, tuple(evidence), fix)


def _are_of_short_versions(facts: Facts, addresses: list[str]) -> bool:
    hosts = {address.rpartition(":")[0].strip("[]") for address in addresses}
    pods = [pod for pod in facts.pods if hosts.intersection(pod.addresses)]
    return any(pod.labels.get("version") in facts.short_versions for pod in pods)


def denied(facts: Facts) -> Iterator[Cause]:
    """The sidecar of a pod let requests not through: Envoy's 403 UAEX."""
    if not (count := facts.saying(DENIED)):
        return
    pods = [pod for each in facts.trace.destinations for pod in facts.behind(each)]
    policies = [item for item in facts.objects if item.kind == "AuthorizationPolicy"]
    found = [item for item in policies if any(_holds_for(item, pod, facts) for pod in pods)]
    message = said("an AuthorizationPolicy denies the requests")
    place = found[0].problem(message, "spec") if len(found) == 1 else Problem(message)
    evidence = [said(WITH_TEXT, count=count, status=403, text=DENIED, flag="UAEX")]
    if len(found) > 1:
        titles = ", ".join(item.title for item in found)
        evidence.append(said("those that hold for its pods: {policies}", policies=titles))
    fix = said("let it allow this client, or expect the 403s: --expect v1=...%,403=...%")
    yield Cause("denied-by-policy", place, tuple(evidence), fix)


def _holds_for(policy: Object, pod: Pod, facts: Facts) -> bool:
    wanted = (policy.spec.get("selector") or {}).get("matchLabels") or {}
    return policy.namespace in (pod.namespace, facts.client.root_namespace) and hosts.within(
        wanted, pod.labels
    )


def timed_out(facts: Facts) -> Iterator[Cause]:
    """A rule's timeout was over before the pod had answered: Envoy's 504 UT."""
    chosen = facts.trace.chosen
    count = facts.saying(TIMEOUT)
    if not count or chosen is None:
        return
    http, origin = chosen.tried.http, chosen.origin
    for field in ("timeout", "retries"):
        value = http.get(field) or {}
        limit = value if field == "timeout" else (value or {}).get("perTryTimeout")
        if limit:
            message = said("the pods did not answer within {limit}", limit=limit)
            retries = (http.get("retries") or {}).get("attempts") or 0
            if field == "retries" and retries:
                message = said(
                    "the pods did not answer within {limit}, nor in {retries} retries",
                    limit=limit,
                    retries=retries,
                )
            place = origin.item.problem(message, *origin.path, field)
            evidence = (said(WITH_TEXT, count=count, status=504, text=TIMEOUT, flag="UT"),)
            fix = said("allow more time, or make the app quicker")
            yield Cause("timed-out", place, evidence, fix)
            return


def retries_used_up(facts: Facts) -> Iterator[Cause]:
    """Requests failed although they were tried again: Envoy's URX."""
    chosen = facts.trace.chosen
    attempts = (chosen.tried.http.get("retries") or {}).get("attempts") if chosen else None
    if not attempts or chosen is None:
        return
    evidence = tuple(_tried_in_vain(facts, attempts))
    if not evidence:
        return
    message = said("requests fail although they are tried {attempts} more times", attempts=attempts)
    place = chosen.origin.item.problem(message, *chosen.origin.path, "retries")
    pods = [pod.name for each in facts.trace.destinations for pod in facts.behind(each)]
    fix = said("see why the pods fail")
    if pods:
        fix = said("see why the pods fail: meshdemo logs {pod}", pod=pods[0])
    yield Cause("retries-used-up", place, evidence, fix)


def _tried_in_vain(facts: Facts, attempts: int) -> Iterator[str]:
    """Say how one knows: by the access log, or else by one more of these requests."""
    if count := facts.flags.get("URX", 0):
        yield said(
            "{count:,} of {total:,} requests have the flag URX in the access log",
            count=count,
            total=facts.tally.total,
        )
    elif any(reply.status >= SERVER_ERROR for reply in facts.sample.replies):
        seen = facts.tries_again()
        retries = (seen.account.retries or 0) if seen and seen.account else 0
        if seen and retries >= attempts and seen.reply.status >= SERVER_ERROR:
            yield said(
                "one more request was tried {retries} more times, by its sidecar's log, and the "
                "last answer was {status}",
                retries=retries,
                status=seen.reply.status,
            )


def _policy_place(facts: Facts, message: str, field: str) -> Problem | None:
    """Find the policy that says something, of the rules that are followed."""
    followed = [each.rule for each in facts.trace.destinations if each.rule]
    subsets = {each.target.subset for each in facts.trace.destinations}
    for item in facts.objects:
        if item.kind != "DestinationRule" or not any(rule.has(item) for rule in followed):
            continue
        for number, subset in enumerate(item.spec.get("subsets") or ()):
            if subset.get("name") in subsets and field in (subset.get("trafficPolicy") or {}):
                return item.problem(message, "spec", "subsets", number, "trafficPolicy", field)
        if field in (item.spec.get("trafficPolicy") or {}):
            return item.problem(message, "spec", "trafficPolicy", field)
    return None
