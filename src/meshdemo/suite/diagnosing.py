"""Why a route test failed: the rule that decided, the cause, and the request told to its end."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from meshdemo.diagnosis import diagnose
from meshdemo.diagnosis.facts import Facts
from meshdemo.engines.results import Arrival, Observed, Pod, Where
from meshdemo.errors import InputError, Problem
from meshdemo.language import joined, said
from meshdemo.rules import request_trace, rule_words
from meshdemo.suite import lacking
from meshdemo.suite.live_mesh import LiveMesh
from meshdemo.verdict.expectation import Expectation
from meshdemo.verdict.judging import judge, rule_for
from meshdemo.verdict.tally import Tally
from meshdemo.verdict.traffic import Sample, status_kind
from meshdemo.walkthrough.explain import Arrived as AppSaw
from meshdemo.walkthrough.explain import Explained

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshdemo.diagnosis.cause import Cause
    from meshdemo.engines.local.model import PlannedPod
    from meshdemo.rules.request_trace import Trace
    from meshdemo.suite.answers import Answer
    from meshdemo.suite.model import Expect, Source
    from meshdemo.suite.private_mesh import PrivateMesh
    from meshdemo.verdict.traffic import Request

SENDER = "testclient"
_ALL = Fraction(1)
OTHERWISE = "rules-say-otherwise"
"""The cause whose fix names a command for a mesh that is up."""


def traced(mesh: PrivateMesh | LiveMesh, request: Request, source: Source) -> Trace | None:
    """Follow a request through the rules; None where that cannot be done."""
    path = mesh.path_of(request, source)
    try:
        return request_trace.trace_path(path, mesh.written)
    except InputError:
        return None


def place_of(trace: Trace | None) -> Problem | None:
    """Say which http rule takes a request; where none does, which VirtualService decides."""
    if trace is None:
        return None
    if step := trace.chosen:
        return step.origin.item.problem(said("this rule takes the request"), *step.origin.path)
    if trace.closest:
        near, origin = trace.closest
        lacks = ", ".join(".".join(each.path) for each in near.differing)
        message = said(
            "no rule takes the request; this one is closest, but for {lacks}", lacks=lacks
        )
        return origin.item.problem(message, *origin.path)
    if trace.claims:
        return trace.claims[0].rule.problem(trace.claims[0].why)
    return None


def told(
    mesh: PrivateMesh | LiveMesh,
    request: Request,
    expect: Expect,
    answers: Sequence[Answer],
    trace: Trace | None,
) -> tuple[str, Problem | None]:
    """Say what the rules do with a request, and what they do not, and where that stands.

    Empty where that is not known. Where the app asked another service it is told of that request.
    """
    asker = ""
    if trace and (hop := lacking.second_hop(mesh, request, trace)):
        trace, asker = hop
    rule = _in_words(trace, asker)
    lacks = list(lacking.words(expect, answers, trace, mesh)) if trace and answers else []
    if rule and lacks:
        rule = said("{rule}, and {lacks}", rule=rule, lacks=joined(said("; "), lacks))
    return rule, place_of(trace)


def _in_words(trace: Trace | None, asker: str) -> str:
    """Say which http rule takes the request, or what another pod asks for, and what it does."""
    step = trace.chosen if trace else None
    if step is None:
        place = place_of(trace)
        return place.message if place else (trace.undecided if trace else "")
    http, item = dict(step.tried.http), step.origin.item
    own = rule_words.answer({n: part for n, part in http.items() if n != "route"}, item)
    does = [*([own] if own else []), *rule_words.actions(http, item)]
    named = {"number": step.origin.number, "rule": item.title}
    takes = said("http[{number}] of {rule} takes the request", **named)
    if asker:
        takes = said("http[{number}] of {rule} takes what {asker} asks for", asker=asker, **named)
    return joined(said(": "), [takes, joined(said(", "), does)]) if does else takes


def fix_of(cause: Cause | None) -> str:
    """Say what to do about a cause."""
    if cause is None:
        return ""
    return (
        said("change the rule, or what the test expects") if cause.name == OTHERWISE else cause.fix
    )


def cause_of(
    mesh: PrivateMesh | LiveMesh, expect: Expect, answers: Sequence[Answer], source: Source
) -> Cause | None:
    """Name the cause that facts prove, for a version, a status or shares that did not come."""
    expectation = _expectation(expect)
    if expectation is None:
        return None
    replies = tuple(answer.reply for answer in answers)
    tally = Tally.of([*mesh.versions, *expectation.versions], expectation.kinds)
    for reply in replies:
        tally.add(reply)
    rule = rule_for(expectation, requests=len(replies))
    found = diagnose(
        Facts(
            judge(rule, tally),
            expectation,
            Sample(answers[0].request, len(replies), replies, answers[0].seconds),
            tally,
            "",
            sender(mesh, source),
            tuple(mesh.objects),
            pods(mesh),
            mesh.client(source),
            url_is="request.url",
        )
    )
    return found[0] if found else None


def _expectation(expect: Expect) -> Expectation | None:
    if expect.shares:
        return expect.shares
    if len(expect.versions) == 1:
        return Expectation.of({expect.versions[0]: _ALL})
    if len(expect.statuses) == 1 and expect.statuses[0] != 200:  # noqa: PLR2004 - then it is a version's
        return Expectation.of({status_kind(expect.statuses[0]): _ALL})
    return None


def explained(
    mesh: PrivateMesh | LiveMesh, answer: Answer, source: Source, trace: Trace | None
) -> Explained | None:
    """Tell one request from end to end."""
    if isinstance(mesh, LiveMesh):
        return mesh.told(answer)
    if trace is None:
        return None
    arrived = answer.arrived
    arrivals = mesh.arrivals(answer)
    account = mesh.account(answer)
    return Explained(
        where=Where("local", "", mesh.namespace),
        sender=sender(mesh, source),
        request=answer.request,
        trace=trace,
        pods=pods(mesh),
        unaccounted=(),
        unseen="",
        observed=Observed(
            answer.reply,
            answer.seconds,
            account,
            hidden="" if account else "its proxy wrote no line of it",
            arrivals=tuple(Arrival(each.pod, account) for each in arrivals) if account else None,
        ),
        arrived=AppSaw(
            arrived.pod,
            arrived.version,
            arrived.method,
            arrived.path,
            arrived.host,
            arrived.headers,
        )
        if arrived
        else None,
    )


def sender(mesh: PrivateMesh | LiveMesh, source: Source) -> Pod:
    """Give the pod that sends."""
    if isinstance(mesh, LiveMesh):
        return mesh.sender(source)
    client = mesh.client(source)
    name = f"gateway {source.gateway}" if source.gateway else client.labels.get("app", SENDER)
    return Pod(name, client.namespace, dict(client.labels), (), injected=True, phase="Running")


def pods(mesh: PrivateMesh | LiveMesh) -> tuple[Pod, ...]:
    """Give the pods; a stand-in as if it had a sidecar, for that it has none nobody sees."""
    if isinstance(mesh, LiveMesh):
        return mesh.pods
    return tuple(_pod(each) for each in mesh.pods)


def _pod(planned: PlannedPod) -> Pod:
    return Pod(
        planned.name,
        planned.namespace,
        dict(planned.labels),
        (),
        injected=True,
        phase="Running",
        addresses=tuple(f"127.0.0.1:{port.entry}" for port in planned.ports),
        workload=planned.workload,
        workload_kind=planned.workload_kind,
    )
