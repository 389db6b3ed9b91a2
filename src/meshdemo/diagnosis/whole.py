"""Causes of the measurement as a whole: they come last, where nothing else explains it."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from meshdemo.diagnosis import other_rules, sidecar_words
from meshdemo.diagnosis.cause import Cause
from meshdemo.errors import Problem
from meshdemo.language import said
from meshdemo.rules import patience
from meshdemo.rules.virtual_services import ANSWERS
from meshdemo.verdict import judging
from meshdemo.verdict.expectation import ERROR, Expectation
from meshdemo.verdict.judgement import Outcome
from meshdemo.verdict.tally import UNKNOWN
from meshdemo.verdict.traffic import NO_SUCH_HOST, TIMED_OUT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meshdemo.diagnosis.facts import Facts
    from meshdemo.engines.results import Pod
    from meshdemo.language import Sentence

BAD_GATEWAY = 502
ROUTED = "app-default-v2"
"""The walkthrough's VirtualService, whose split ``meshdemo route`` changes."""


def not_live(facts: Facts) -> Iterator[Cause]:
    """The client's sidecar did not have the rules yet, or had not accepted them."""
    if facts.not_live:
        message = said("the test client's sidecar does not have the rules that are applied")
        known = facts.sync()
        fix = said("wait longer for it, with --wait; meshdemo status shows what is wrong")
        evidence = [facts.not_live, *known.behind, *filter(None, [known.hidden])]
        if known.behind:
            fix = _taking(facts)
        elif known.is_level and (filters := _filters(facts)):
            evidence.append(said("istiod says: it has taken all that it was sent"))
            fix = said("see what {filters} makes of the rules", filters=filters)
        yield Cause("configuration-not-live", Problem(message), tuple(evidence), fix)


def not_accepted(facts: Facts) -> Iterator[Cause]:
    """The rules are live, but not all that goes with them, and the sidecar decides otherwise."""
    if not _is_decided_otherwise(facts) or not (behind := facts.sync().behind):
        return
    message = said("the test client's sidecar does not have all of its configuration")
    yield Cause("configuration-not-live", Problem(message), behind, _taking(facts))


def _taking(facts: Facts) -> Sentence:
    """Say what to look at where a sidecar does not take its configuration."""
    if filters := _filters(facts):
        return said(
            "correct what Envoy rejects, which {filters} may have made; where it lacks istiod, "
            "meshdemo doctor tells whether that is well",
            filters=filters,
        )
    return said(
        "correct what Envoy rejects; where it lacks istiod, meshdemo doctor tells whether that is "
        "well"
    )


def _filters(facts: Facts) -> str:
    return ", ".join(item.title for item in facts.objects if item.kind == "EnvoyFilter")


def called_host_is_unknown(facts: Facts) -> Iterator[Cause]:
    """Nothing has the host that is called, and no answer came."""
    trace = facts.trace
    if trace.dialled or not trace.called or facts.tally.answered or not facts.tally.total:
        return
    # A sidecar that lets out nothing unknown answers 502, as that of the local engine does.
    if not all(r.error == NO_SUCH_HOST or r.status == BAD_GATEWAY for r in facts.sample.replies):
        return
    total, found = facts.tally.total, next(iter(facts.tally.others))
    message = said("{host} is called, and no service has that host", host=trace.called)
    evidence = facts.shown(total, found)
    fix = said("correct {url_is}", url_is=facts.url_is)
    if trace.similar:
        names = ", ".join(trace.similar)
        fix = said("correct {url_is}: there is {names}", url_is=facts.url_is, names=names)
    yield Cause("unknown-host", Problem(message), evidence, fix)


def given_up(facts: Facts) -> Iterator[Cause]:
    """Some requests were given up, which is our doing and no sidecar's: an app may be slow."""
    count = sum(reply.error == TIMED_OUT for reply in facts.sample.replies)
    if not count:
        return
    limit = facts.sample.request.time_limit
    message = said("requests were given up after {seconds:g} s, without an answer", seconds=limit)
    total = facts.tally.total
    evidence = [said("{count:,} of {total:,} requests", count=count, total=total)]
    if rules := patience.by_rules(facts.trace):
        evidence.append(said("by the rules they may take {seconds:g} s", seconds=rules))
    pods = [pod.name for each in facts.trace.destinations for pod in facts.behind(each)]
    fix = said("see why no answer comes")
    if pods:
        fix = said("see why no answer comes: meshdemo logs {pod}", pod=pods[0])
    yield Cause("given-up", Problem(message), tuple(evidence), fix)


def _is_decided_otherwise(facts: Facts) -> bool:
    """Tell whether answers came that are a sidecar's doing, and not what the rules say."""
    if facts.tally.missed:
        words = facts.saying(sidecar_words.NO_HEALTHY, sidecar_words.NO_CONNECTION)
        # Without a route, or a cluster for it, Envoy answers with nothing in it.
        return bool(words) or any(
            reply.status in (404, 503) and not reply.body for reply in facts.sample.replies
        )
    return facts.promise is not None and not _fits(facts, facts.promise)


def rules_say_otherwise(facts: Facts) -> Iterator[Cause]:
    """The rules promise something else than is expected, and that is what came."""
    promised = facts.promise
    total = facts.tally.total
    if promised is None or facts.is_promised or not total:
        return
    if not _fits(facts, promised):
        return
    shares = {"promised": promised, "expected": facts.expectation}
    message = said("the rules promise {promised}, and {expected} is expected", **shares)
    chosen = facts.trace.chosen
    place = Problem(message)
    fix = said("change the rules, or: meshdemo verify --expect {promised}", promised=promised)
    if chosen:
        own = next((name for name in ANSWERS if name in chosen.tried.http), "")
        place = chosen.origin.item.problem(message, *chosen.origin.path, own or "route")
        if not own:
            fix = said(
                "change the weights, or: meshdemo verify --expect {promised}", promised=promised
            )
    if chosen and chosen.origin.item.name == ROUTED and _can_be_routed(facts, promised):
        split = " ".join(f"{name}={share * 100}" for name, share in facts.expectation.shares)
        fix = said(
            "meshdemo route {split}, or: meshdemo verify --expect {promised}",
            split=split,
            promised=promised,
        )
    evidence = (
        said("the {total:,} answers fit what the rules promise", total=total),
        *other_rules.unmet(facts),
        *(
            said("{rule} does not decide: {why}", rule=claim.rule.title, why=claim.why)
            for claim in (() if chosen else facts.trace.claims)
        ),
    )
    yield Cause("rules-say-otherwise", place, evidence, fix)


def _fits(facts: Facts, promised: Expectation) -> bool:
    """Tell whether the answers do not contradict a promise."""
    rule = judging.rule_for(promised, facts.verdict.rule.precision, requests=facts.tally.total)
    return judging.judge(rule, facts.tally).outcome is not Outcome.NOT_MET


def _can_be_routed(facts: Facts, promised: Expectation) -> bool:
    """Tell whether ``meshdemo route`` takes what is expected: whole weights for known versions."""
    expected = facts.expectation
    return (
        {name for name, _ in expected.shares} <= set(promised.versions)
        and not expected.rest
        and all((share * 100).denominator == 1 for _, share in expected.shares)
    )


def answers_from_outside(facts: Facts) -> Iterator[Cause]:
    """Nothing in the mesh has the host, and something answers."""
    if facts.trace.dialled is None and facts.unknown:
        message = said(
            "{host} is no service of the mesh: something outside answers", host=facts.trace.called
        )
        count = sum(n for kind, n in facts.tally.others.items() if kind.startswith(UNKNOWN))
        evidence = facts.shown(count, facts.unknown)
        fix = said("correct {url_is}", url_is=facts.url_is)
        yield Cause("answers-from-elsewhere", Problem(message), evidence, fix)


def answers_from_another_service(facts: Facts) -> Iterator[Cause]:
    """A rule leads to another Service, and that its pods answered is what is wrong."""
    trace, replies = facts.trace, facts.sample.replies
    dialled, chosen = trace.dialled, trace.chosen
    if dialled is None or dialled.service is None or chosen is None or trace.own_answers:
        return
    away = [d for d in trace.destinations if d.service and d.target.host != dialled.host]
    if not away:
        return
    share = sum((each.share for each in away), Fraction(0))
    # Where a part goes there, what failed need not be an answer of that Service's pods.
    failed = (reply.error or reply.status >= sidecar_words.SERVER_ERROR for reply in replies)
    if share < 1 and any(failed):
        return
    expected = set(facts.expectation.versions)
    there = _versions(pod for each in away for pod in facts.behind(each))
    meant = _versions(p for p in facts.pods if dialled.service.selects(p.namespace, p.labels))
    # Where pods there have an expected version it is right to ask them.
    if expected & there or not expected & meant:
        return
    if not facts.tally.missed or (share < 1 and not _fits(facts, Expectation.of({ERROR: share}))):
        return
    named = {"host": dialled.host, "other": away[0].target.host}
    message = said("the rule sends requests for {host} to {other}", **named)
    place = chosen.origin.item.problem(message, *chosen.origin.path, "route")
    fix = said("correct the rule's destination")
    evidence = facts.shown(facts.tally.missed, next(iter(facts.tally.others)))
    yield Cause("answers-from-elsewhere", place, evidence, fix)


def _versions(pods: Iterable[Pod]) -> set[str]:
    return {pod.labels["version"] for pod in pods if "version" in pod.labels}


def sample_cut_short(facts: Facts) -> Iterator[Cause]:
    """What came fits what is expected, and is too little to prove it.

    Of a measurement that broke off the evidence says why, and the way on.
    """
    if facts.verdict.outcome is not Outcome.INCONCLUSIVE or not facts.sample.complete:
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
    fix = said("allow more with --max-requests, or leave out --requests")
    yield Cause("sample-cut-short", Problem(message), evidence, fix)


def analyzer_finds(facts: Facts) -> Iterator[Cause]:
    """Istio's own analyzer finds something odd about a rule that acts: no more than a guess."""
    for found in facts.analyze():
        evidence = (said("istioctl analyze says so ({code})", code=found.code),)
        yield Cause("analyzer-finds", found, evidence, said("correct the rule"), verified=False)
