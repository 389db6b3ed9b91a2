"""Causes that the client's sidecar names itself: in answers in place of a pod, and when asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.diagnosis.cause import Cause

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.diagnosis.facts import Facts
    from meshdemo.errors import Problem

OVERFLOW = "reset reason: overflow"
NO_HEALTHY = "no healthy upstream"
TIMEOUT = "upstream request timeout"


def pool_is_full(facts: Facts) -> Iterator[Cause]:
    """A connection pool let no more requests through: Envoy's 503 UO."""
    if count := facts.saying(OVERFLOW):
        message = "the connection pool is full, and turns requests away"
        place = _policy_place(facts, message, "connectionPool")
        if place:
            evidence = (f"{count:,} answers were 503 with '{OVERFLOW}' (UO)",)
            fix = "raise its limits, or expect the 503s: --expect v1=...%,503=...%"
            yield Cause("pool-is-full", place, evidence, fix)


def pods_ejected(facts: Facts) -> Iterator[Cause]:
    """Outlier detection leaves out pods that are there: with them all Envoy's 503 UH."""
    for destination in facts.trace.destinations:
        target = destination.target
        cluster = f"outbound|{target.port}|{target.subset}|{target.host}"
        out = [each.address for each in facts.ejected if each.cluster == cluster]
        if not out:
            continue
        message = f"outlier detection has ejected {', '.join(out)}"
        place = _policy_place(facts, message, "outlierDetection")
        if place is None:
            continue
        part = f"the client's sidecar says so of {cluster}"
        count = facts.saying(NO_HEALTHY)
        evidence = (
            (part, f"{count:,} answers were 503 with '{NO_HEALTHY}' (UH)") if count else (part,)
        )
        fix = "mend what made the pods fail, or eject fewer: maxEjectionPercent"
        yield Cause("pods-ejected", place, evidence, fix)


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
            message = f"the pods did not answer within {limit}"
            retries = (http.get("retries") or {}).get("attempts") or 0
            message += f", nor in {retries} retries" if field == "retries" and retries else ""
            place = origin.item.problem(message, *origin.path, field)
            evidence = (f"{count:,} answers were 504 with '{TIMEOUT}' (UT)",)
            yield Cause("timed-out", place, evidence, "allow more time, or make the app quicker")
            return


def retries_used_up(facts: Facts) -> Iterator[Cause]:
    """Requests failed although they were tried again: Envoy's URX."""
    chosen = facts.trace.chosen
    if not (count := facts.flags.get("URX", 0)) or chosen is None:
        return
    attempts = (chosen.tried.http.get("retries") or {}).get("attempts")
    if not attempts:
        return
    message = f"requests fail although they are tried {attempts} more times"
    place = chosen.origin.item.problem(message, *chosen.origin.path, "retries")
    evidence = (f"{count:,} of {facts.tally.total:,} requests have the flag URX in the access log",)
    pods = [pod.name for each in facts.trace.destinations for pod in facts.behind(each)]
    see = f": meshdemo logs {pods[0]}" if pods else ""
    yield Cause("retries-used-up", place, evidence, f"see why the pods fail{see}")


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
