"""Causes of the measurement as a whole: they come last, where nothing else explains it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.diagnosis.cause import Cause
from meshdemo.errors import Problem
from meshdemo.language import said
from meshdemo.verdict import judging
from meshdemo.verdict.judgement import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.diagnosis.facts import Facts
    from meshdemo.verdict.expectation import Expectation

ROUTED = "app-default-v2"
"""The walkthrough's VirtualService, whose split ``meshdemo route`` changes."""


def not_live(facts: Facts) -> Iterator[Cause]:
    """The client's sidecar did not have the rules yet, or had not accepted them."""
    if facts.not_live:
        message = said("the test client's sidecar does not have the rules that are applied")
        fix = said("wait longer for it, with --wait; meshdemo status shows what is wrong")
        yield Cause("configuration-not-live", Problem(message), (facts.not_live,), fix)


def rules_say_otherwise(facts: Facts) -> Iterator[Cause]:
    """The rules promise something else than is expected, and that is what came."""
    promised = facts.promise
    if promised is None or facts.is_promised or facts.verdict.outcome is not Outcome.NOT_MET:
        return
    total = facts.tally.total
    rule = judging.rule_for(promised, facts.verdict.rule.precision, requests=total)
    if judging.judge(rule, facts.tally).outcome is Outcome.NOT_MET:
        return
    shares = {"promised": promised, "expected": facts.expectation}
    message = said("the rules promise {promised}, and {expected} is expected", **shares)
    chosen = facts.trace.chosen
    if chosen:
        place = chosen.origin.item.problem(message, *chosen.origin.path, "route")
    else:
        place = Problem(message)
    fix = said("change the weights, or: meshdemo verify --expect {promised}", promised=promised)
    if chosen and chosen.origin.item.name == ROUTED and _can_be_routed(facts, promised):
        split = " ".join(f"{name}={share * 100}" for name, share in facts.expectation.shares)
        fix = said(
            "meshdemo route {split}, or: meshdemo verify --expect {promised}",
            split=split,
            promised=promised,
        )
    evidence = (said("the {total:,} answers fit what the rules promise", total=total),)
    yield Cause("rules-say-otherwise", place, evidence, fix)


def _can_be_routed(facts: Facts, promised: Expectation) -> bool:
    """Tell whether ``meshdemo route`` takes what is expected: whole weights for known versions."""
    expected = facts.expectation
    return (
        set(expected.versions) <= set(promised.versions)
        and not (expected.kinds or expected.rest)
        and all((share * 100).denominator == 1 for _, share in expected.shares)
    )


def answers_from_elsewhere(facts: Facts) -> Iterator[Cause]:
    """What answers is not the app."""
    strange = {kind: n for kind, n in facts.tally.others.items() if kind.startswith("unknown")}
    dialled = facts.trace.dialled
    if not strange:
        return
    count = sum(strange.values())
    total, found = facts.tally.total, next(iter(strange))
    evidence = (said("{count:,} of {total:,}: {found}", count=count, total=total, found=found),)
    if dialled is None:
        message = said(
            "{host} is no service of the mesh: something outside answers", host=facts.trace.called
        )
        yield Cause("answers-from-elsewhere", Problem(message), evidence, said("correct --url"))
        return
    other = next(
        (d for d in facts.trace.destinations if d.service and d.target.host != dialled.host), None
    )
    chosen = facts.trace.chosen
    if other and chosen:
        message = said(
            "the rule sends requests for {host} to {other}",
            host=dialled.host,
            other=other.target.host,
        )
        place = chosen.origin.item.problem(message, *chosen.origin.path, "route")
        fix = said("correct the rule's destination")
        yield Cause("answers-from-elsewhere", place, evidence, fix)


def sample_cut_short(facts: Facts) -> Iterator[Cause]:
    """What came fits what is expected, and is too little to prove it."""
    if facts.verdict.outcome is not Outcome.INCONCLUSIVE or facts.sample.disturbed:
        return
    judged = facts.verdict.judgements
    if not facts.tally.total or not facts.is_promised or not all(each.ok for each in judged):
        return
    message = said("the answers fit what is expected, and are too few to prove it")
    evidence = (
        said(
            "{total:,} answers came, and the rules promise {promised}",
            total=facts.tally.total,
            promised=facts.promise,
        ),
    )
    fix = said("allow more with --timeout")
    if facts.sample.complete:
        fix = said("allow more with --max-requests, or leave out --requests")
    yield Cause("sample-cut-short", Problem(message), evidence, fix)


def analyzer_finds(facts: Facts) -> Iterator[Cause]:
    """Istio's own analyzer finds something odd about a rule that acts: no more than a guess."""
    for found in facts.analyze():
        evidence = (said("istioctl analyze says so ({code})", code=found.code),)
        yield Cause("analyzer-finds", found, evidence, said("correct the rule"), verified=False)
