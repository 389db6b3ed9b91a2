"""verify: wait until the rules are live, measure once, judge.

Waiting and measuring are two phases with a duration each. Waiting decides nothing; and the
measurement is never repeated until it passes. What failed on the measuring side, or changed
meanwhile, is not the fault of the mesh: then nothing is proved.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from meshdemo.errors import EnvironmentFailed, MeshdemoError, NothingAnswers, TimedOut
from meshdemo.language import said
from meshdemo.objects import model
from meshdemo.rules.undecided import Undecided, undecided
from meshdemo.verdict import judging
from meshdemo.verdict.judgement import Outcome
from meshdemo.verdict.measurement import Measurement, take
from meshdemo.verdict.precision import DEFAULT_PRECISION
from meshdemo.verdict.tally import Tally
from meshdemo.verdict.traffic import Request, Sample
from meshdemo.verdict.version_source import BODY, LINE
from meshdemo.walkthrough import pod_selection
from meshdemo.walkthrough.changes_while_measuring import Snapshot, disturbance
from meshdemo.walkthrough.events import Measuring, Note, Waiting
from meshdemo.walkthrough.request_context import RequestContext

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from meshdemo.diagnosis.cause import Cause
    from meshdemo.engines.protocol import Engine
    from meshdemo.engines.results import Where
    from meshdemo.objects.model import Object
    from meshdemo.rules.acting import Acting
    from meshdemo.verdict.expectation import Expectation
    from meshdemo.verdict.judging import Verdict
    from meshdemo.verdict.precision import Precision
    from meshdemo.verdict.traffic import Reply
    from meshdemo.verdict.version_source import VersionSource
    from meshdemo.walkthrough.events import Story

    Keep: TypeAlias = Callable[[Reply, str], None]
    """Keeps a reply, with the version that it is counted for; empty if it is for none."""


class Question(Struct, frozen=True):
    """What is to be proved."""

    expectation: Expectation | None = None
    """None means what the applied rules promise."""
    request: Request = field(default_factory=Request)
    """Without a URL it is about the walkthrough's app, or else the only Service."""
    precision: Precision = DEFAULT_PRECISION
    source: VersionSource | None = None
    """Where an answer says which version gave it; None means where it usually does."""
    requests: int | None = None
    """Exactly so many; None means as many as it takes."""
    max_requests: int | None = None
    """At most so many; None means as many as the question is worth."""
    wait: float = 10.0
    """Seconds that the rules may take to be live."""
    timeout: float = 300.0
    """Seconds that the requests may take all together."""
    names_rules: bool = False
    """Whether the rules in force are to be named, too; it takes a moment."""
    keep: Keep | None = None
    """Gets each reply of the measurement before it is counted."""


class Convergence(Struct, frozen=True):
    """The wait for the rules before the measurement; it decides nothing."""

    seconds: float
    cause: str = ""
    """Why the rules were not live when the measurement began; empty if they were."""
    silent: bool = False
    """Whether it is only that nothing answers: the rules themselves are live."""

    @property
    def live(self) -> bool:
        return not self.cause


class Measured(Struct, frozen=True):
    """The verdict, and all that it rests on."""

    where: Where
    expectation: Expectation
    promised: bool
    """Whether the rules said what to expect, and not the user."""
    sample: Sample
    tally: Tally
    verdict: Verdict
    convergence: Convergence
    sender: str = ""
    """The pod that sent, if it was another one than the test client."""
    rules: tuple[Acting, ...] = ()
    """The rules that acted on the requests, where they were asked for."""
    causes: tuple[Cause, ...] = ()
    """Why it is not met, where that is proved."""


def measure(engine: Engine, question: Question) -> Story[Measured]:
    """Prove or refute an expectation by counting answers. Nothing is started for it."""
    client = pod_selection.require_client(engine)
    context = RequestContext.of(engine, question.request, client)
    context = context.patient(question.timeout)
    request, rules = context.request, model.traffic_rules(context.objects)
    if not client.injected and rules:
        yield pod_selection.missing_sidecar(client)
    expectation = question.expectation or _promised(engine, context)
    if question.expectation is None and (beside := context.unaccounted()):
        text = said(
            "the promise does not account for what touches the request: {objects}",
            objects=", ".join(beside),
        )
        yield Note(text, warning=True)
    before = Snapshot.of(context)
    yield Waiting("until the rules are live")
    convergence = _converge(engine, rules, question.wait)
    if not convergence.live:
        yield Note(
            said(
                "measured although the rules were not live after {seconds:.1f} s: {cause}",
                seconds=convergence.seconds,
                cause=convergence.cause,
            ),
            warning=True,
        )
    rule = judging.rule_for(
        expectation, question.precision, requests=question.requests, most=question.max_requests
    )
    known = pod_selection.versions_of(request.url, client.namespace, context.objects, context.pods)
    source = question.source or (LINE if request.is_tcp else BODY)
    counts = Tally.of(sorted({*expectation.versions, *known}), expectation.kinds, source)
    measurement = Measurement(rule, counts)
    add = _keeping(question.keep, measurement) if question.keep else measurement.add
    yield Measuring(counts, question.requests, rule)
    # Where it is said how many there shall be, they go out as one.
    enough = measurement.enough if question.requests is None else None
    replies = engine.send(request, rule.most, question.timeout, enough)
    sample = take(request, replies, rule.most, add, enough)
    _require_sending(engine, sample)
    sample = replace(sample, disturbed=disturbance(engine, sample, before))
    measured = Measured(
        where=engine.where,
        expectation=expectation,
        promised=question.expectation is None,
        sample=sample,
        tally=counts,
        verdict=measurement.verdict(sample),
        convergence=convergence,
        sender=client.name if engine.sender.selector else "",
        rules=_acting(engine, context) if question.names_rules else (),
    )
    if measured.verdict.outcome is Outcome.MET or sample.disturbed:
        return measured
    from meshdemo.walkthrough import causes  # noqa: PLC0415 - what is met pays nothing for it

    # Where one cannot look any more the verdict stands as it is.
    with suppress(MeshdemoError):
        measured = replace(measured, causes=causes.of_verdict(engine, context, measured))
    return measured


def _acting(engine: Engine, context: RequestContext) -> tuple[Acting, ...]:
    from meshdemo.walkthrough import causes  # noqa: PLC0415 - only who is asked for places

    return causes.located(engine, context).acting()


def _keeping(keep: Keep, measurement: Measurement) -> Callable[[Reply], None]:
    def add(reply: Reply) -> None:
        keep(reply, measurement.tally.version_of(reply))
        measurement.add(reply)

    return add


def _promised(engine: Engine, context: RequestContext) -> Expectation:
    """Say what the rules promise, if the client follows no others than those that one sees."""
    try:
        expectation = context.promised()
    except Undecided as error:
        from meshdemo.walkthrough import causes  # noqa: PLC0415 - only where there is no promise

        with suppress(MeshdemoError):
            error.problems = tuple(causes.of_no_promise(engine, context))
        raise
    if context.sender.injected and (unseen := context.strangers(engine.mesh_status().followed)):
        raise undecided(
            "the test client's sidecar follows {rules} for it, which may not be read",
            rules=", ".join(unseen),
        )
    return expectation


def addressed(engine: Engine, question: Question) -> Question:
    """Give the question with the URL that is meant where none was said."""
    request = pod_selection.addressed(question.request, engine.where.namespace, engine.objects())
    return replace(question, request=request)


def expected(engine: Engine, question: Question) -> Expectation:
    """Say what a measurement will be judged by."""
    if question.expectation:
        return question.expectation
    return RequestContext.of(
        engine, question.request, pod_selection.require_client(engine)
    ).promised()


def _require_sending(engine: Engine, sample: Sample) -> None:
    """Refuse to judge a mesh by a test client that is down: then nothing was sent into it."""
    if any(not reply.error for reply in sample.replies):
        return
    client = pod_selection.require_client(engine)
    if client.is_ready and not client.message:
        return
    message = said(
        "the test client {pod} cannot send: {why}",
        pod=client.name,
        why=client.message or said("it is not ready"),
    )
    raise EnvironmentFailed(message, hint=pod_selection.TYPE_UP)


def _converge(engine: Engine, rules: Sequence[Object], wait: float) -> Convergence:
    """Wait until the rules are live; a rule that can never be is not a reason not to measure."""
    began, cause, silent = time.monotonic(), "", False
    try:
        engine.wait_ready(rules, wait)
    except (TimedOut, EnvironmentFailed) as error:
        cause, silent = error.message, isinstance(error, NothingAnswers)
    return Convergence(time.monotonic() - began, cause, silent)
