"""What becomes of a request in one state: who answers, with which share, and what is seen of it."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from meshdemo.engines.local.private.stand_ins import POD_HEADER
from meshdemo.errors import BrokenOff, InputError
from meshdemo.rules import hosts, policy_words, request_trace, rule_words, traffic_policies
from meshdemo.suite import diagnosing
from meshdemo.suite.sources import Unanswerable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from meshdemo.engines.local.model import PlannedPod
    from meshdemo.engines.local.private.stand_ins import Arrived
    from meshdemo.errors import Problem
    from meshdemo.objects.model import Object
    from meshdemo.rules.request_trace import Trace
    from meshdemo.suite.answers import Answer
    from meshdemo.suite.changes.probing import Probe
    from meshdemo.suite.private_mesh import PrivateMesh
    from meshdemo.verdict.traffic import Reply

Shares = dict["Outcome", Fraction]

COUNT = 400
"""Requests that must bear out the shares that the rules say."""
DEVIATIONS = 5
"""How far off a count may be, in standard deviations: by chance it is once in a million times."""
LOOKED_AT = 30
"""Answers of which it is looked what was seen, where several destinations may get the request."""
DECLARED = ("timeout", "retries", "mirror", "mirrors", "mirrorPercentage", "corsPolicy")
"""Parts of a rule that answers of sound pods do not show: they are told by what the rules say."""
NOT_COMPARED = (
    *("accept-encoding", "connection", "content-length", "content-type", "date", "host"),
    *(
        "location",
        "server",
        "set-cookie",
        "user-agent",
        "x-request-id",
        "traceparent",
        "tracestate",
    ),
)
NOT_COMPARED_PREFIXES = ("x-envoy-", "x-b3-", "x-echo-", "x-forwarded-")


class Outcome(Struct, frozen=True, order=True):
    """What a request may end in: a pod of a service, or an answer of the proxy's own."""

    service: str = ""
    version: str = ""
    answer: str = ""
    """A status, or why there was none; empty where a pod answered."""


UNKNOWN = Outcome(answer="unknown to the mesh")
"""No rule and no Service has the name: on a cluster such a request leaves the mesh, unless a
Sidecar keeps it."""


class Behaviour(Struct, frozen=True):
    """All that is compared of a request."""

    shares: tuple[tuple[Outcome, Fraction], ...]
    facts: tuple[tuple[Outcome, tuple[tuple[str, str], ...]], ...] = ()
    """What was seen where the request ended in something, each by the name of what it is."""
    declared: tuple[str, ...] = ()
    """What the rule says of timeouts, retries, faults, copies and the like, in words."""
    place: Problem | None = None
    """Where the rule stands that takes it."""
    trace: Trace | None = None
    """The way it takes through the rules; None where that cannot be told."""


def fingerprint(found: Trace | None, original: Mapping[Any, Object]) -> Any:  # noqa: ANN401 - only compared
    """Give what rules decide about a request; None where that cannot be told.

    Requests for which it is the same in both states, and the same as for another one that was sent,
    need not be sent.
    """
    if found is None or found.undecided:
        return None
    step = found.chosen
    match = repr(step.tried.match) if step else ""
    places = [
        (each.target, each.share, repr(sorted(each.labels.items())), repr(each.route))
        for each in found.destinations
    ]
    http = {name: part for name, part in step.tried.http.items() if name != "match"} if step else {}
    return repr((found.dialled is None, http, match, places, found.own_answers)), declared(
        found, original
    )


def traced(mesh: PrivateMesh, probe: Probe) -> Trace | None:
    """Follow a request through the rules; None where that cannot be done.

    Of the http rules that are tried only the last one is kept: there may be thousands.
    """
    try:
        source = mesh.source_of(probe.request, probe.source)
        path = mesh.path_of(probe.request, source)
        found = request_trace.trace_path(path, mesh.written)
    except InputError:
        return None
    return replace(found, steps=found.steps[-1:])


def of(
    mesh: PrivateMesh,
    probe: Probe,
    found: Trace | None,
    original: Mapping[Any, Object],
    timeout: float,
) -> Behaviour:
    """Send a request, more often where the rules share it out, and give what becomes of it.

    ``original`` are the rules as they were written, by their keys.
    """
    if found and found.called and found.dialled is None and not probe.source.gateway:
        return Behaviour(((UNKNOWN, Fraction(1)),), trace=found)
    try:
        answer = mesh.ask(probe.request, probe.source)
    except Unanswerable as error:
        return Behaviour(((Outcome(answer=error.message), Fraction(1)),))
    first = _outcome(mesh, answer.reply)
    seen = {first: _facts(answer)}
    shares: Shares = {first: Fraction(1)}
    chosen = found.chosen if found else None
    promised = _promised(mesh, found) if chosen else _any_pod(mesh, first)
    if len(promised) > 1:
        for _ in range(LOOKED_AT):
            other = mesh.ask(probe.request, probe.source)
            seen.setdefault(_outcome(mesh, other.reply), _facts(other))
        # Which pod a hash or a connection chooses depends on addresses, which are others each time.
        is_shared = found and chosen and not _is_sticky(found)
        shares = _counted(mesh, probe, promised, timeout) if is_shared else promised
    place = diagnosing.place_of(found)
    return Behaviour(
        tuple(sorted(shares.items())),
        tuple(sorted(seen.items())),
        declared(found, original),
        place,
        found,
    )


def declared(found: Trace | None, original: Mapping[Any, Object]) -> tuple[str, ...]:
    """Say what rules say of a request that is not seen in its answer."""
    step = found.chosen if found else None
    words: list[str] = []
    if step:
        own = original.get(step.origin.item.key)
        written = (own.spec.get("http") or []) if own else []
        http = written[step.origin.number] if step.origin.number < len(written) else {}
        taken = step.tried.http  # with what a delegate's rule takes over
        parts = {name: taken[name] for name in DECLARED if name in taken}
        if delay := (http.get("fault") or {}).get("delay"):
            parts["fault"] = {"delay": delay}  # aborts are seen
        words += rule_words.actions(parts, step.origin.item)
    for each in found.destinations if found else ():
        words += policy_words.policy_words(each.policy)
    return tuple(dict.fromkeys(words))


def _outcome(mesh: PrivateMesh, reply: Reply) -> Outcome:
    if arrived := mesh.answering(reply):
        return _of_pod(mesh, arrived)
    return Outcome(answer=str(reply.status) if reply.status else f"no answer ({reply.error})")


def _is_sticky(found: Trace) -> bool:
    return any(
        traffic_policies.consistent_hash(each.policy) is not None for each in found.destinations
    )


def _any_pod(mesh: PrivateMesh, outcome: Outcome) -> Shares:
    """Give what any pod of a service may answer, where no rule says which of them is called."""
    shares: Shares = {}
    for pod in mesh.pods if outcome.service else ():
        other = _of_pod(mesh, pod)
        if other.service == outcome.service:
            _add(shares, other, Fraction(1))
    total = sum(shares.values())
    return {other: share / total for other, share in shares.items()}


def _short(services: Iterable[str]) -> str:
    return ", ".join(host.removesuffix(f".{hosts.DOMAIN}") for host in services)


def _facts(answer: Answer) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(_seen(answer)))


def _seen(answer: Answer) -> Iterator[tuple[str, str]]:
    """Give what app and client saw, but for what differs from request to request."""
    if location := answer.reply.header("location"):
        yield "Location", location
    for name, value in answer.reply.headers:
        if _is_compared(name):
            yield f"response header {name.lower()}", value
    if arrived := answer.arrived:
        yield "path", arrived.path
        yield "host", arrived.host
        for name, value in arrived.headers.items():
            if _is_compared(name):
                yield f"request header {name}", value
    elif not answer.reply.header(POD_HEADER):
        yield "body", answer.reply.body


def _is_compared(name: str) -> bool:
    return name.lower() not in NOT_COMPARED and not name.lower().startswith(NOT_COMPARED_PREFIXES)


def _promised(mesh: PrivateMesh, found: Trace | None) -> Shares:
    """Give the shares that the rules say; nothing where they say none."""
    if found is None or found.undecided:
        return {}
    shares: Shares = {}
    left = Fraction(1)
    for own in found.own_answers:
        _add(shares, Outcome(answer=str(own.status)), own.share)
        left -= own.share
    for each in found.destinations:
        pods = each.behind(mesh.pods)
        for pod in pods:
            _add(shares, _of_pod(mesh, pod), left * each.share / len(pods))
        if not pods:
            _add(shares, Outcome(answer="503"), left * each.share)
    return {outcome: share for outcome, share in shares.items() if share}


def _add(shares: Shares, outcome: Outcome, share: Fraction) -> None:
    shares[outcome] = shares.get(outcome, Fraction(0)) + share


def _of_pod(mesh: PrivateMesh, pod: PlannedPod | Arrived) -> Outcome:
    return Outcome(_short(mesh.services_of(pod)), pod.labels.get("version", ""))


def _counted(mesh: PrivateMesh, probe: Probe, promised: Shares, timeout: float) -> Shares:
    """Give the shares that the rules say if answers bear them out, else those of the answers."""
    counts: Counter[Outcome] = Counter()
    try:
        for reply in mesh.send(probe.request, probe.source, COUNT, timeout):
            counts[_outcome(mesh, reply)] += 1
    except BrokenOff:
        return promised
    total = counts.total()
    if all(_fits(counts[each], promised.get(each), total) for each in {*counts, *promised}):
        return promised
    return {outcome: Fraction(round(100 * n / total), 100) for outcome, n in counts.items()}


def _fits(count: int, share: Fraction | None, total: int) -> bool:
    if share is None:
        return count == 0
    wanted = float(share) * total
    return abs(count - wanted) <= DEVIATIONS * math.sqrt(wanted * (1 - float(share))) + 0.5
