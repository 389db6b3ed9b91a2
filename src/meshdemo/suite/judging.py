"""Whether what came back is what a test expects. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.rules import hosts
from meshdemo.verdict.judgement import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meshdemo.suite.answers import Answer
    from meshdemo.suite.model import Expect, Header, Text

NO_POD = "no pod answered"
UNTOLD = "the app that answered does not tell what it saw of the request"


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
                each.field, f"not {each.wanted}", each.found, each.known and not each.ok, each.known
            )
            for each in _findings(expect.none_of, answer, namespace)
        ]
    return tuple(found)


def _findings(expect: Expect, answer: Answer, namespace: str) -> Iterator[Finding]:
    reply, came = answer.reply, _outcome(answer)
    yield from _answerer(expect, answer, came, namespace)
    if expect.locations:
        yield _text("location", "Location", expect.locations, reply.header("location"), came)
    yield from _at_app(expect, answer, came)
    for header in expect.response_headers:
        given = [value for name, value in reply.headers if name.lower() == header.name]
        seen = ", ".join(given) if given else None
        yield _header("responseHeaders", "response header", header, seen, came, known=True)
    if expect.seconds:
        right = any(low <= answer.seconds <= high for low, high in expect.seconds)
        wanted = _either(tuple(f"{low:g} to {high:g}" for low, high in expect.seconds))
        yield Finding("seconds", f"{wanted} s", f"{answer.seconds:.2f} s", right)
    for name in expect.mirrored_to:
        copied = answer.copied_to
        right = any(same_service(name, host, namespace) for host in copied)
        yield Finding("mirroredTo", f"a copy to {name}", _copies(answer), right)
    if expect.bodies:
        yield _text("body", "body", expect.bodies, reply.body, came)


def _at_app(expect: Expect, answer: Answer, came: str) -> Iterator[Finding]:
    """Judge what the app saw of the request, if it tells."""
    arrived = answer.arrived
    found = []
    if expect.paths:
        seen = arrived.path if arrived else None
        found.append(_text("path", "path", expect.paths, seen, came))
    for header in expect.request_headers:
        seen = arrived.headers.get(header.name) if arrived else None
        there = arrived is not None
        found.append(_header("requestHeaders", "request header", header, seen, came, known=there))
    if answer.is_untold:
        found = [Finding(each.field, each.wanted, UNTOLD, ok=False, known=False) for each in found]
    yield from found


def _answerer(expect: Expect, answer: Answer, came: str, namespace: str) -> Iterator[Finding]:
    """Judge who answered, and with which status."""
    reply = answer.reply
    if expect.versions:
        version = answer.version
        said = f"version {version}" if version else came
        yield Finding(
            "version", f"version {_either(expect.versions)}", said, version in expect.versions
        )
    if expect.statuses:
        wanted = f"status {_either(expect.statuses)}"
        said = f"status {reply.status}" if reply.status else came
        yield Finding("status", wanted, said, reply.status in expect.statuses)
    if expect.services:
        names = [short_name(host) for host in answer.services]
        right = any(same_service(n, h, namespace) for n in expect.services for h in answer.services)
        said = f"service {', '.join(names)}" if names else came
        yield Finding("service", f"service {_either(expect.services)}", said, right)


def same_service(name: str, host: str, namespace: str) -> bool:
    """Tell whether a service is called by a name: as rules or requests do, or by its first part."""
    if "." not in name and hosts.namespace_of(host):
        return host.partition(".")[0] == name.lower()
    return host in (hosts.full_name(name, namespace), hosts.dialled(name, namespace), name.lower())


def _outcome(answer: Answer) -> str:
    """Say in a few words what came back."""
    reply = answer.reply
    if reply.error:
        return f"no answer ({reply.error})"
    if answer.arrived:
        version = f" ({answer.version})" if answer.version else ""
        return f"status {reply.status} from {answer.arrived.pod}{version}"
    return f"status {reply.status} from the proxy itself"


def _copies(answer: Answer) -> str:
    if answer.copied_to:
        return f"a copy to {', '.join(map(short_name, answer.copied_to))}"
    back = ", ".join(
        f"{short_name(each.host)} ({each.subset or 'no subset'})" for each in answer.copied_back
    )
    if back:
        return f"no copy but to {back}, where the answer came from"
    twice = answer.times > 1
    return f"no copy: the pod that answered got it {answer.times} times" if twice else "no copy"


def _text(field: str, title: str, wanted: Sequence[Text], found: str | None, came: str) -> Finding:
    right = found is not None and any(each.holds(found) for each in wanted)
    said = f"{title} {_shown(found)}" if found is not None else f"no {title}: {came}"
    return Finding(field, f"{title} {_either(wanted)}", said, right)


def _header(
    field: str, title: str, wanted: Header, found: str | None, came: str, *, known: bool
) -> Finding:
    name = wanted.name
    says = f"{title} {name}: {_either(wanted.values)}" if wanted.values else f"no {title} {name}"
    if not known:
        return Finding(field, says, f"{NO_POD}: {came}", ok=False)
    said = f"{title} {name}: {_shown(found)}" if found is not None else f"no {title} {name}"
    return Finding(field, says, said, wanted.holds(found))


def _either(values: Sequence[object]) -> str:
    return " or ".join(map(str, values))


def _shown(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 80 else f"{flat[:77]}..."  # noqa: PLR2004 - a line of a terminal


def short_name(host: str) -> str:
    """Write a service without what all of them end with."""
    return host.removesuffix(f".{hosts.DOMAIN}").removesuffix(".default")
