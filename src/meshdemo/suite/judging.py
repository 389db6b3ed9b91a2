"""Whether what came back is what a test expects. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.language import joined, said
from meshdemo.rules import hosts
from meshdemo.verdict.judgement import Outcome
from meshdemo.verdict.traffic import TIMED_OUT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meshdemo.suite.answers import Answer
    from meshdemo.suite.model import Expect, Header, Text

COPIES_UNTOLD = said("the client's sidecar does not tell of copies")
UNTOLD = said("the app that answered does not tell what it saw of the request")


class Finding(Struct, frozen=True):
    """One thing that is expected, and what was found."""

    field: str
    wanted: str
    found: str
    ok: bool
    known: bool = True
    """Whether it could be looked at; what is not known is not ok, and contradicts nothing."""


def outcome(found: Sequence[Finding]) -> Outcome:
    """Say what findings come to."""
    if all(each.ok for each in found):
        return Outcome.MET
    is_wrong = any(each.known and not each.ok for each in found)
    return Outcome.NOT_MET if is_wrong else Outcome.INCONCLUSIVE


def findings(expect: Expect, answer: Answer, namespace: str) -> tuple[Finding, ...]:
    """Judge one answer by all that is expected of it, but for shares."""
    found = list(_findings(expect, answer, namespace))
    if expect.none_of:
        found += [
            Finding(
                each.field, negated(each.wanted), each.found, each.known and not each.ok, each.known
            )
            for each in _findings(expect.none_of, answer, namespace)
        ]
    return tuple(found)


def negated(wanted: str) -> str:
    """Say that this is not to come."""
    return said("not {wanted}", wanted=wanted)


def _findings(expect: Expect, answer: Answer, namespace: str) -> Iterator[Finding]:
    reply, came = answer.reply, _outcome(answer)
    yield from _answerer(expect, answer, came, namespace)
    if expect.locations:
        yield _text("location", said("Location"), expect.locations, reply.header("location"), came)
    yield from _at_app(expect, answer, came)
    for header in expect.response_headers:
        given = [value for name, value in reply.headers if name.lower() == header.name]
        seen = ", ".join(given) if given else None
        yield _header("responseHeaders", said("response header"), header, seen, came, known=True)
    if expect.seconds:
        right = any(low <= answer.seconds <= high for low, high in expect.seconds)
        wanted = _either([said("{low:g} to {high:g}", low=a, high=b) for a, b in expect.seconds])
        took = said("{seconds:.2f} s", seconds=answer.seconds)
        yield Finding("seconds", said("{wanted} s", wanted=wanted), took, right)
    for name in expect.mirrored_to:
        copied = answer.copied_to
        right = any(same_service(name, host, namespace) for host in copied)
        known = right or not answer.copies_hidden
        came_of_it = _copies(answer) if known else answer.copies_hidden
        wanted = said("a copy to {name}", name=name)
        yield Finding("mirroredTo", wanted, came_of_it, right, known)
    if expect.bodies:
        yield _text("body", said("body"), expect.bodies, reply.body, came)


def _at_app(expect: Expect, answer: Answer, came: str) -> Iterator[Finding]:
    """Judge what the app saw of the request, if it tells."""
    arrived = answer.arrived
    found = []
    if expect.paths:
        seen = arrived.path if arrived else None
        found.append(_text("path", said("path"), expect.paths, seen, came))
    for header in expect.request_headers:
        seen = arrived.headers.get(header.name) if arrived else None
        title, there = said("request header"), arrived is not None
        found.append(_header("requestHeaders", title, header, seen, came, known=there))
    if answer.is_untold:
        found = [Finding(each.field, each.wanted, UNTOLD, ok=False, known=False) for each in found]
    yield from found


def _answerer(expect: Expect, answer: Answer, came: str, namespace: str) -> Iterator[Finding]:
    """Judge who answered, and with which status."""
    reply = answer.reply
    if expect.versions:
        wanted = said("version {version}", version=_either(expect.versions))
        got = said("version {version}", version=answer.version) if answer.version else came
        yield Finding("version", wanted, got, answer.version in expect.versions)
    if expect.statuses:
        wanted = said("status {status}", status=_either(expect.statuses))
        got = said("status {status}", status=reply.status) if reply.status else came
        yield Finding("status", wanted, got, reply.status in expect.statuses)
    if expect.services:
        wanted = said("service {service}", service=_either(expect.services))
        names = ", ".join(map(short_name, answer.services))
        got = said("service {service}", service=names) if names else came
        right = any(same_service(n, h, namespace) for n in expect.services for h in answer.services)
        yield Finding("service", wanted, got, right)


def same_service(name: str, host: str, namespace: str) -> bool:
    """Tell whether a service is called by a name: as rules or requests do, or by its first part."""
    if "." not in name and hosts.namespace_of(host):
        return host.partition(".")[0] == name.lower()
    return host in (hosts.full_name(name, namespace), hosts.dialled(name, namespace), name.lower())


def _outcome(answer: Answer) -> str:
    """Say in a few words what came back."""
    reply = answer.reply
    if reply.error == TIMED_OUT:
        return said("given up after {seconds:g} s", seconds=answer.request.time_limit)
    if reply.error:
        return said("no answer ({error})", error=reply.error)
    if answer.arrived:
        version = f" ({answer.version})" if answer.version else ""
        by = f"{answer.arrived.pod}{version}"
        return said("status {status} from {pod}", status=reply.status, pod=by)
    return said("status {status} from the proxy itself", status=reply.status)


def _copies(answer: Answer) -> str:
    if answer.copied_to:
        return said("a copy to {name}", name=", ".join(map(short_name, answer.copied_to)))
    if answer.copied_back:
        names = ((short_name(each.host), each.subset) for each in answer.copied_back)
        none = said("no subset")
        back = [said("{host} ({subset})", host=host, subset=name or none) for host, name in names]
        back_there = joined(said(", "), back)
        return said("no copy but to {names}, where the answer came from", names=back_there)
    if answer.times > 1:
        return said("no copy: the pod that answered got it {times} times", times=answer.times)
    return said("no copy")


def _text(field: str, title: str, wanted: Sequence[Text], found: str | None, came: str) -> Finding:
    right = found is not None and any(each.holds(found) for each in wanted)
    wants = said("{title} {value}", title=title, value=_either(wanted))
    if found is None:
        return Finding(field, wants, said("no {title}: {came}", title=title, came=came), right)
    return Finding(field, wants, said("{title} {value}", title=title, value=_shown(found)), right)


def _header(
    field: str, title: str, wanted: Header, found: str | None, came: str, *, known: bool
) -> Finding:
    named = said("{title} {value}", title=title, value=wanted.name)
    none = said("no {title}", title=named)
    wants = _with_value(named, _either(wanted.values)) if wanted.values else none
    if not known:
        return Finding(field, wants, said("no pod answered: {came}", came=came), ok=False)
    got = none if found is None else _with_value(named, _shown(found))
    return Finding(field, wants, got, wanted.holds(found))


def _with_value(named: str, value: str) -> str:
    return said("{name}: {value}", name=named, value=value)


def _either(values: Sequence[object]) -> str:
    texts = [each if isinstance(each, str) else str(each) for each in values]
    return joined(said(" or "), texts)


def _shown(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 80 else f"{flat[:77]}..."  # noqa: PLR2004 - a line of a terminal


def short_name(host: str) -> str:
    """Write a service without what all of them end with."""
    return host.removesuffix(f".{hosts.DOMAIN}").removesuffix(".default")
