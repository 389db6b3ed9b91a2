"""Reading what a test expects, and refusing what nothing can meet."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

from meshdemo.errors import InputError
from meshdemo.suite.model import Expect, Header, Text
from meshdemo.verdict import expectation, traffic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.errors import Problem
    from meshdemo.objects.place import Place
    from meshdemo.verdict.expectation import Expectation

OF_MANY = ("shares", "pods")
"""What many requests are sent for; all else is said of one."""
COUNTED = ("margin", "not")
"""What may stand beside them."""
REDIRECTS = range(300, 400)
CREATED = 201
"""The one status beside those of redirects whose answers have a Location."""


def expected(place: Place, problems: list[Problem]) -> Expect:
    """Read what is expected, of the right shape; what makes no sense goes to ``problems``."""
    found = _read(place, problems)
    problems += _contradictions(place, found)
    return found


def _read(place: Place, problems: list[Problem]) -> Expect:
    margin = place["margin"]
    return Expect(
        versions=tuple(row.text for row in several(place["version"])),
        shares=_shares(place["shares"], problems),
        margin=Fraction(str(margin.value)) / 100 if margin.there else None,
        pods=int(place["pods"].number) if place["pods"].there else 0,
        statuses=tuple(int(row.number) for row in several(place["status"])),
        locations=_texts(place["location"], problems),
        services=tuple(row.text for row in several(place["service"])),
        paths=_texts(place["path"], problems),
        request_headers=tuple(_headers(place["requestHeaders"], problems)),
        response_headers=tuple(_headers(place["responseHeaders"], problems)),
        seconds=tuple(_ranges(place["seconds"], problems)),
        mirrored_to=tuple(row.text for row in several(place["mirroredTo"])),
        bodies=_texts(place["body"], problems),
        none_of=expected(place["not"], problems) if place["not"].there else None,
    )


def several(place: Place) -> list[Place]:
    """Give the values of a field, of which there may be one or a list."""
    if isinstance(place.value, list):
        return place.rows
    return [place] if place.there else []


def _shares(place: Place, problems: list[Problem]) -> Expectation | None:
    if not place.there:
        return None
    said = [f"{name}={str(row.value).rstrip(' %')}" for name, row in place.entries.items()]
    try:
        return expectation.parse(said)
    except InputError as error:
        problems += [place.problem(each.message) for each in error.problems]
        return None


def _texts(place: Place, problems: list[Problem]) -> tuple[Text, ...]:
    return tuple(_text(row, problems) for row in several(place))


def _text(place: Place, problems: list[Problem]) -> Text:
    if place.is_text:
        return Text(place.text)
    ((kind, value),) = place.entries.items()
    if kind == "regex":
        try:
            re.compile(value.text)
        except re.error as error:
            problems.append(value.problem(f"it is no regular expression: {error}"))
    return Text(value.text, kind)


def _headers(place: Place, problems: list[Problem]) -> Iterator[Header]:
    for name, row in place.entries.items():
        if not traffic.TOKEN.fullmatch(name):
            problems.append(row.problem(f"no header can be called {name!r}"))
        yield Header(name.lower(), _texts(row, problems))


def _ranges(place: Place, problems: list[Problem]) -> Iterator[tuple[float, float]]:
    pairs = place.rows if place.rows and isinstance(place.rows[0].value, list) else [place]
    for pair in pairs if place.there else ():
        least, most = (row.number for row in pair.rows)
        if least > most:
            problems.append(pair.problem(f"at least {least:g} and at most {most:g} never holds"))
        yield float(least), float(most)


def _contradictions(place: Place, found: Expect) -> Iterator[Problem]:
    """Find what no answer can be at once."""
    if place["margin"].there and found.shares is None and not place["shares"].there:
        yield place["margin"].problem("a margin is of shares, and none are said")
    many = next((name for name in OF_MANY if place[name].there), "")
    if many:
        others = [name for name in place.entries if name not in (many, *COUNTED)]
        for name in others:
            hint = "make it a test of its own"
            yield place[name].problem(f"it is said of one answer, and {many} of many", hint)
    if place["pods"].there and place["not"].there:
        yield place["not"].problem("pods says all of it: leave it out")
    if place["shares"].there and place["not"].there:
        yield place["not"].problem("shares say all of the answers: leave it out")
    if (inner := found.none_of) and inner.shares and len(place.entries) > 1:
        yield place["not"]["shares"].problem(
            "it takes many answers, and the rest is said of one", "make it a test of its own"
        )
    has_location = any(each in REDIRECTS or each == CREATED for each in found.statuses)
    if found.locations and found.statuses and not has_location:
        said = " or ".join(map(str, found.statuses))
        yield place["location"].problem(f"an answer with status {said} has no Location")
    yield from _excluded(place, found)


def _excluded(place: Place, found: Expect) -> Iterator[Problem]:
    """Find what is expected, and must not be at the same time."""
    inner = found.none_of
    if inner is None:
        return
    for name, wanted, refused in (
        ("version", found.versions, inner.versions),
        ("status", found.statuses, inner.statuses),
        ("service", found.services, inner.services),
    ):
        if wanted and set(wanted) <= set(refused):
            yield place["not"][name].problem(f"it leaves nothing of the {name} that is expected")
