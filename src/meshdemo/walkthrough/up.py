"""up: the whole walkthrough in the article's order, or the same for the user's own objects.

The pods are injected before they are applied, so that each starts once. The answers are counted
before the rules, after each of them, and at last judged.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from meshdemo.engines.options import Injection
from meshdemo.engines.results import Applied
from meshdemo.engines.test_client import CLIENT
from meshdemo.errors import InputError
from meshdemo.objects import model
from meshdemo.rules.rule_words import in_words
from meshdemo.system.plural import counted
from meshdemo.verdict import expectation
from meshdemo.verdict.judgement import Outcome
from meshdemo.verdict.measurement import take
from meshdemo.verdict.tally import Tally
from meshdemo.verdict.traffic import Request
from meshdemo.walkthrough import (
    client,
    deploy,
    pod_selection,
    route,
    sidecars,
    steps,
    strict_check,
    verify,
)
from meshdemo.walkthrough.events import Accepted, Counted, Finished, Measuring, Note
from meshdemo.walkthrough.readiness_recheck import recheck
from meshdemo.walkthrough.request_context import RequestContext
from meshdemo.walkthrough.splits import HOST, Splitting

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meshdemo.engines.protocol import Engine
    from meshdemo.engines.results import Change
    from meshdemo.objects.model import Object
    from meshdemo.walkthrough.events import Story
    from meshdemo.walkthrough.plan import Plan
    from meshdemo.walkthrough.steps import Step
    from meshdemo.walkthrough.verify import Measured

EXPECTED = "v2=100%"
VERSIONS = ("v1", "v2")


class Up(Struct, frozen=True):
    """Where the walkthrough ended."""

    changes: tuple[Change, ...]
    measured: Measured | None = None
    """None if nothing was to be verified."""
    own: bool = False
    """Whether it was about the user's own objects."""


def up(engine: Engine, plan: Plan) -> Story[Up]:
    """Go through all steps. Again, it changes nothing and only proves that all is there."""
    plan = plan.of_revision(engine)
    objects = plan.read(engine)
    yield from plan.skip.notes()
    plan = plan.joined(objects)
    rules = model.traffic_rules(model.in_apply_order(objects))
    others = [item for item in objects if item.kind not in model.RULE_KINDS]
    strict_check.require_no_warnings(engine, plan, objects)
    checked = engine.apply(model.in_apply_order(objects), dry_run=True)
    yield Accepted(Applied((), checked.warnings, checked.notes))
    yield steps.INSTALL.started(plan)
    began = time.monotonic()
    checks = yield from deploy.install(engine, plan.mesh)
    yield Finished(
        "install",
        checks[-1].detail or checks[-1].name if checks else "there",
        time.monotonic() - began,
    )
    if checked.untried:
        _try_again(engine, objects)
    changes = yield from _deploy(engine, plan, others)
    if plan.is_own:
        new = {(change.kind, change.name) for change in changes if change.action == "created"}
        if client.has_joined(objects) and ("Deployment", CLIENT) in new:
            yield Note(f"{CLIENT} is the walkthrough's test client, added because you have none")
        yield from deploy.analyzed(engine, client.others(objects))
        changes += yield from _apply_own_rules(engine, plan, rules)
        yield from recheck(engine, objects, plan.settings.timeout)
        return Up(changes, (yield from _verify_own(engine, plan)), own=True)
    changes += yield from _route(engine, plan, rules)
    yield from recheck(engine, objects, plan.settings.timeout)
    measured = (yield from _verify(engine, plan)) if plan.verify else None
    return Up(changes, measured)


def _try_again(engine: Engine, objects: Sequence[Object]) -> None:
    """Have everything tried once more, now that the mesh brought the kinds that were missing."""
    try:
        engine.apply(model.in_apply_order(objects), dry_run=True)
    except InputError as error:
        message = "the Istio that was just installed refuses objects, and none was applied"
        raise InputError(message, error.problems) from error


def _deploy(engine: Engine, plan: Plan, objects: Sequence[Object]) -> Story[tuple[Change, ...]]:
    yield steps.INJECT.started(plan)
    began = time.monotonic()
    injected = engine.inject(objects, plan.injection or Injection.KUBE_INJECT, plan.mesh.revision)
    count = sum(item.makes_pods for item in injected)
    yield Finished(
        "inject",
        f"{plan.injection.value if plan.injection else ''}, {counted(count, 'workload')}",
        time.monotonic() - began,
    )
    yield (steps.OWN_DEPLOY if plan.is_own else steps.DEPLOY).started(plan)
    began = time.monotonic()
    ordered = model.in_apply_order(injected)
    applied = deploy.made_true(engine, ordered, plan.settings.timeout)
    pods = yield from recheck(engine, injected, plan.settings.timeout)
    yield Finished("deploy", deploy.readiness(pods), time.monotonic() - began)
    yield from sidecars.notes(injected, pods, plan.injection or Injection.KUBE_INJECT)
    return applied.changes


def _route(engine: Engine, plan: Plan, rules: Sequence[Object]) -> Story[tuple[Change, ...]]:
    """Apply the walkthrough's rules, one by one where it can be shown what each of them does.

    What the rules that are in force already have hidden cannot be shown any more.
    """
    existing = engine.objects()
    splitting = Splitting.of(engine, HOST, existing)
    splitting.refuse_rivals(splitting.made)
    in_force = {item.key for item in model.traffic_rules(existing)}
    shows = plan.verify and not any(
        item.kind == "VirtualService" for item in rules if item.key in in_force
    )
    changes: tuple[Change, ...] = ()
    if shows and not in_force:
        yield from _look(engine, plan, steps.BEFORE, "before the rules")
    for batch in [[rule] for rule in rules] if shows else [rules]:
        changes += yield from _apply_rules(engine, plan, batch)
        yield from _changed(changes, batch, existing, plan)
        if shows:
            kind = batch[0].kind
            then = steps.STILL if kind == "DestinationRule" else None
            yield from _look(engine, plan, then, f"after the {kind}")
    return changes


def _apply_rules(engine: Engine, plan: Plan, rules: Sequence[Object]) -> Story[tuple[Change, ...]]:
    for rule in rules:
        step = steps.SUBSETS if rule.kind == "DestinationRule" else steps.ROUTE
        yield step.started(plan)
    began = time.monotonic()
    applied = deploy.made_true(engine, rules, plan.settings.timeout)
    seconds = time.monotonic() - began
    done = ", ".join(f"{c.kind} {c.name} {c.action}" for c in applied.changes)
    yield Finished("route", f"{done}, live", seconds)
    return applied.changes


def _changed(
    changes: Sequence[Change], rules: Sequence[Object], before: Sequence[Object], plan: Plan
) -> Iterator[Note]:
    """Say what each rule was that says something else now: it may have been somebody's work."""
    changed = {(c.kind, c.namespace, c.name) for c in changes if c.action == "configured"}
    old = {item.key: "; ".join(in_words(item)) for item in before}
    for rule in rules:
        now, was = "; ".join(in_words(rule)), old.get(rule.key)
        if was and was != now and (rule.kind, rule.namespace, rule.name) in changed:
            does = "changed" if plan.is_own else "set back"
            text = f"{rule.title} is {does} to: {now} (it was: {was})"
            yield Note(text, warning=not plan.is_own)


def _look(engine: Engine, plan: Plan, step: Step | None, title: str) -> Story[None]:
    if step:
        yield step.started(plan)
    counts = Tally.of(VERSIONS)
    yield Measuring(counts, plan.look)
    request = Request()
    replies = engine.send(request, plan.look, plan.settings.timeout)
    sample = take(request, replies, plan.look, counts.add)
    if sample.broken_off:
        yield Note(f"the count {title} broke off: {sample.broken_off}", warning=True)
    yield Counted(title, counts, sample.seconds)


def _verify(engine: Engine, plan: Plan) -> Story[Measured]:
    """Prove 100 % v2; without sidecars, what a mesh without rules does."""
    client = engine.sender.find(engine.pods())
    # Where there is no client at all, the measurement says so.
    has_sidecar = client is None or client.injected
    question = verify.Question(
        expectation=expectation.parse(EXPECTED) if has_sidecar else None,
        requests=plan.requests,
        wait=plan.wait,
        timeout=plan.settings.timeout,
        names_rules=plan.settings.output == "json",
    )
    promise = verify.expected(engine, question)
    yield steps.VERIFY.started(steps.proving(plan, promise))
    return (yield from _measure(engine, question))


def _apply_own_rules(
    engine: Engine, plan: Plan, rules: Sequence[Object]
) -> Story[tuple[Change, ...]]:
    if not rules:
        return ()
    yield steps.OWN_ROUTE.started(plan)
    existing = engine.objects()
    began = time.monotonic()
    applied = deploy.made_true(engine, rules, plan.settings.timeout)
    seconds = time.monotonic() - began
    idle = route.overruled(engine, rules, engine.pods())
    live = f"{counted(len(rules) - len(idle), 'rule')} live"
    yield Finished("route", "; not followed: ".join([live, *idle]), seconds)
    yield from _changed(applied.changes, rules, existing, plan)
    return applied.changes


def _verify_own(engine: Engine, plan: Plan) -> Story[Measured | None]:
    """Prove what the rules promise, if that can be said; it is not a fault if it cannot."""
    if not plan.verify:
        return None
    sender = engine.sender.find(engine.pods())
    if sender is None:
        yield Note(f"not verified: {CLIENT} has no pod")
        return None
    request = Request(url="")
    try:
        request = pod_selection.addressed(request, engine.where.namespace, engine.objects())
        promise = RequestContext.of(engine, request, sender).promised()
    except InputError as error:
        url = request.url or "URL"
        how = f"say what to expect: meshdemo verify --url {url} --expect v1=90%,v2=10%"
        yield Note(f"not verified: {error.message}; {how}")
        return None
    plan = steps.proving(replace(plan, request=request), promise)
    yield steps.OWN_VERIFY.started(plan)
    question = verify.Question(
        request=request,
        requests=plan.requests,
        wait=plan.wait,
        timeout=plan.settings.timeout,
        names_rules=plan.settings.output == "json",
    )
    return (yield from _measure(engine, question))


def _measure(engine: Engine, question: verify.Question) -> Story[Measured]:
    began = time.monotonic()
    measured = yield from verify.measure(engine, question)
    outcome = measured.verdict.outcome
    yield Finished(
        "verify",
        f"{measured.expectation} {outcome.value}",
        time.monotonic() - began,
        ok=outcome is Outcome.MET,
    )
    return measured
