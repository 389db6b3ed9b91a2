"""Turns the text of options into values; what makes no sense is a usage error."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from meshdemo.errors import InputError, UsageError
from meshdemo.settings import is_namespace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from meshdemo.engines.choice import Choice
    from meshdemo.verdict.traffic import Request
    from meshdemo.verdict.version_source import VersionSource
    from meshdemo.walkthrough.images import ImageChoice
    from meshdemo.walkthrough.standing_in import StandIns

LONGEST_TIMEOUT = 168 * 3600.0
"""In seconds: more than anybody waits, and less than what a system call can be told to wait."""
LEAST_SHARE = 0.0001
"""0.01 %: to find it takes tens of thousands of answers."""
_NUMBER = re.compile(r"[0-9]{1,3}(\.[0-9]{1,6})?|\.[0-9]{1,6}")


def namespace(name: str | None, option: str = "-n") -> str | None:
    """Read the name of a namespace."""
    if name is None or is_namespace(name):
        return name
    hint = 'At most 63 lower-case letters, digits and "-", with a letter or digit at both ends.'
    raise UsageError(f"{option}: {name!r} is not a valid name of a namespace", hint=hint)


def seconds(text: str, option: str) -> float:
    """Read a duration as kubectl does: ``90s``, ``5m``, ``1m30s``; a bare number is seconds."""
    from meshdemo.objects import durations

    is_number = re.fullmatch(r"\d+\.?\d*|\.\d+", text, re.ASCII)
    value = float(text) if is_number else durations.seconds(text)
    if value is None or value < 0:
        hint = "Write it as 90s, 5m, 1m30s or as a number of seconds."
        raise UsageError(f"{option}: {text!r} is not a valid duration", hint=hint)
    if value > LONGEST_TIMEOUT:
        raise UsageError(f"{option}: that is too long", hint="As in 5m; 168h, a week, at most.")
    return float(value)


def limit(text: str, option: str) -> float:
    """Read a duration that something may take; in none nothing can be done."""
    value = seconds(text, option)
    if value <= 0:
        raise UsageError(f"{option}: {text!r} is not longer than zero", hint="As in 90s or 5m.")
    return value


def positive(number: int | None, option: str) -> int | None:
    """Give a count back, if it is 1 or more. Raises UsageError, which names the option."""
    if number is not None and number < 1:
        raise UsageError(f"{option}: {number} is not 1 or more")
    return number


def share(text: str, option: str, most: int) -> Fraction:
    """Read a part of all answers in per cent, more than 0: ``5``, ``0.5%``. Raises UsageError."""
    from fractions import Fraction

    number = text.strip().removesuffix("%").strip()
    if not _NUMBER.fullmatch(number):
        raise UsageError(f"{option}: {text!r} is not a percentage", hint="As in 5 or 0.5%")
    found = Fraction(number) / 100
    if not LEAST_SHARE <= found <= Fraction(most, 100):
        hint = f"As in 5 or 0.5%; {100 * LEAST_SHARE:g} to {most} % make sense."
        raise UsageError(f"{option}: {text!r} cannot be kept", hint=hint)
    return found


def request(
    url: str | None, method: str, headers: Sequence[str], source: VersionSource | None
) -> Request:
    """Put a request together; one without a URL is about what is there. Raises InputError.

    ``source`` is where its answer is to say which version gave it, if not where it usually does.
    """
    from meshdemo.verdict import traffic

    found = sent(traffic.DEFAULT_URL if url is None else url, method, headers)
    by_header = bool(source and source.header)
    if found.is_tcp and by_header:
        raise UsageError("--by header:NAME: what comes by tcp:// has no headers")
    if found.method == "CONNECT" or (found.method == "HEAD" and not by_header):
        message = f"--method: an answer to {found.method} has no body, so it names no version"
        hint = "Take a method whose answers have one, as GET or POST; or --by header:NAME"
        raise UsageError(message, hint=hint)
    return replace(found, url=url or "", wants_headers=by_header)


def sent(url: str, method: str, headers: Sequence[str]) -> Request:
    """Put a request together that can be sent. Raises InputError."""
    from meshdemo.verdict import traffic

    given = tuple(_header(header) for header in headers)
    found = traffic.Request(url, method.upper(), given)
    try:
        traffic.check(found)
    except InputError as error:
        named = [replace(problem, field=f"--{problem.field}") for problem in error.problems]
        raise InputError(error.message, named) from None
    return found


def image_choice(images: Sequence[str] | None, registry: str) -> ImageChoice:
    """Read which images to take in place of those in the manifests."""
    from meshdemo.walkthrough.images import ImageChoice

    chosen = {}
    for text in images or ():
        name, equals, image = text.partition("=")
        if not (name and equals and image):
            hint = "As in app=registry.example/flaskapp"
            raise UsageError(f"--image: {text!r} is not NAME=IMAGE", hint=hint)
        chosen[name] = image
    return ImageChoice(chosen, registry.rstrip("/"))


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise UsageError(f"--header: {text!r} is not a valid header", hint="As in 'x-user: anna'")
    return name.strip(" \t"), value.strip(" \t")


def stand_ins(words: Sequence[str] | None, files: Sequence[str] | None, choice: Choice) -> StandIns:
    """Read which images have a stand-in; a cluster has no use for one."""
    from meshdemo.engines.protocol import CLUSTER
    from meshdemo.walkthrough.standing_in import StandIns

    found = StandIns(tuple(words or ()))
    if found.words and choice.engine == CLUSTER:
        hint = "Leave it out, or say --engine local."
        raise UsageError("--stand-in: a cluster runs the images themselves", hint=hint)
    found.refuse_without_files(files or ())
    return found
