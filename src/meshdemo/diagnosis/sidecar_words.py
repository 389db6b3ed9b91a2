"""Causes that the client's sidecar names itself: in answers in place of a pod, and when asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.diagnosis.cause import Cause
from meshdemo.language import said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.diagnosis.facts import Facts
    from meshdemo.errors import Problem

OVERFLOW = "reset reason: overflow"
NO_HEALTHY = "no healthy upstream"
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
        if not out:
            continue
        message = said("outlier detection has ejected {addresses}", addresses=", ".join(out))
        place = _policy_place(facts, message, "outlierDetection")
        if place is None:
            continue
        evidence = [said("the client's sidecar says so of {cluster}", cluster=cluster)]
        if count := facts.saying(NO_HEALTHY):
            evidence.append(said(WITH_TEXT, count=count, status=503, text=NO_HEALTHY, flag="UH"))
        fix = said("mend what made the pods fail, or eject fewer: maxEjectionPercent")
        yield Cause("pods-ejected", place, tuple(evidence), fix)


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
    if not (count := facts.flags.get("URX", 0)) or chosen is None:
        return
    attempts = (chosen.tried.http.get("retries") or {}).get("attempts")
    if not attempts:
        return
    message = said("requests fail although they are tried {attempts} more times", attempts=attempts)
    place = chosen.origin.item.problem(message, *chosen.origin.path, "retries")
    evidence = (
        said(
            "{count:,} of {total:,} requests have the flag URX in the access log",
            count=count,
            total=facts.tally.total,
        ),
    )
    pods = [pod.name for each in facts.trace.destinations for pod in facts.behind(each)]
    fix = said("see why the pods fail")
    if pods:
        fix = said("see why the pods fail: meshdemo logs {pod}", pod=pods[0])
    yield Cause("retries-used-up", place, evidence, fix)


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
