"""What the test client sends, and what comes back: requests, replies, the sample, the tally."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from meshdemo.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DEFAULT_URL = "http://app/env/version"
TIME_LIMIT = 10
"""Seconds that one request may take, from connecting to the end of the answer."""
CONNECTION_REFUSED = "connection refused"
"""What ``Reply.error`` says, as the three below: the same on every engine, for replies are counted
by it."""
CONNECTION_RESET = "connection reset"
TIMED_OUT = "timed out"
NO_SUCH_HOST = "no such host"

VERSION_NAME = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
"""What a version looks like: a label's value, as Kubernetes allows it."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""What a method and the name of a header are made of (RFC 9110, 5.6.2)."""
_AUTHORITY = re.compile(r"(\[[^\[\]@]+\]|[^:\[\]@]+)(:[0-9]*)?")
"""What follows http:// is a host, with or without a port; an IPv6 address is in brackets."""
_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\.?$){_LABEL}(\.{_LABEL})*\.?")
"""A host as DNS has it."""
_FRAMING = ("content-length", "transfer-encoding")
"""Headers that announce a body: a request here has none."""
_URL_HINT = "as in http://app/env/version"

_MOST_KINDS = 20
"""How many kinds of other answers are told apart; an app may answer each time something else."""
_SHOWN = 40
"""How many characters of an unknown answer or an error are shown."""
_REST = "anything else"


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, as the test client sends it."""

    url: str = DEFAULT_URL
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """What one request got: an HTTP answer, or in ``error`` why there was none."""

    status: int = 0
    body: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """What came back from the requests of one measurement, never filtered."""

    request: Request
    wanted: int
    """How many requests were to be sent."""
    replies: tuple[Reply, ...]
    seconds: float
    """How long the requests took."""
    broken_off: str = ""
    """Why replies are missing, where that is known."""
    disturbed: str = ""
    """What changed meanwhile, so that the replies are not all from one mesh."""

    @property
    def complete(self) -> bool:
        """Tell whether each request has its reply, be it an error."""
        return len(self.replies) >= self.wanted and not self.broken_off


@dataclass(slots=True)
class Tally:
    """A sample counted by answer; it may be filled while the replies come in.

    Every reply counts: ``others`` holds errors and unknown answers by what they were.
    """

    versions: dict[str, int]
    """How often each known version answered, also those that never did."""
    others: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, versions: Iterable[str]) -> Tally:
        """Start a tally that knows these versions."""
        return cls(dict.fromkeys(versions, 0))

    @property
    def answered(self) -> int:
        """How many replies came from a known version."""
        return sum(self.versions.values())

    @property
    def missed(self) -> int:
        """How many replies did not."""
        return sum(self.others.values())

    @property
    def total(self) -> int:
        """How many replies there are: the denominator of every share."""
        return self.answered + self.missed

    def add(self, reply: Reply) -> None:
        """Count one reply."""
        version = version_of(reply)
        if version in self.versions:
            self.versions[version] += 1
            return
        kind = _kind(reply, version)
        if kind not in self.others and len(self.others) >= _MOST_KINDS:
            kind = _REST
        self.others[kind] = self.others.get(kind, 0) + 1


def check(request: Request) -> None:
    """Raise InputError, with all that is wrong, if this is not a request that can be sent."""
    problems = [
        *_url_problems(request.url),
        *_method_problems(request.method),
        *(problem for name, value in request.headers for problem in _header_problems(name, value)),
    ]
    if problems:
        raise InputError("the request cannot be sent", problems)


def _url_problems(url: str) -> Iterator[Problem]:
    wrong = ""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        wrong = str(error)
    else:
        if parts.scheme != "http":
            wrong = "it does not begin with http://"
        elif not _AUTHORITY.fullmatch(parts.netloc):
            wrong = "a host, with or without a port, is to follow http://"
        elif not (_NAME.fullmatch(host) or _is_ipv6(host)):
            wrong = f"no host can be called {host}"
        elif port == 0:
            wrong = "there is no port 0"
        elif not url.isascii() or not url.isprintable() or " " in url:
            wrong = "whatever is not printable ASCII is to be written as %XX"
    if wrong:
        yield Problem(f"{url!r} cannot be asked for: {wrong}", field="url", hint=_URL_HINT)


def _is_ipv6(host: str) -> bool:
    if ":" not in host:
        return False
    from ipaddress import IPv6Address  # noqa: PLC0415 - next to nobody writes one

    try:
        return bool(IPv6Address(host))
    except ValueError:
        return False


def _method_problems(method: str) -> Iterator[Problem]:
    if not _TOKEN.fullmatch(method):
        yield Problem(
            f"{method!r} is not a valid HTTP method", field="method", hint="as in GET or POST"
        )


def _header_problems(name: str, value: str) -> Iterator[Problem]:
    if not _TOKEN.fullmatch(name):
        hint = "as in 'x-user: anna'"
        yield Problem(f"no header can be called {name!r}", field="header", hint=hint)
    elif not value.replace("\t", " ").isprintable():
        yield Problem(f"the value of {name} is not a line of text: {value!r}", field="header")
    elif name.lower() in _FRAMING and value.strip() != "0":
        yield Problem(f"{name} announces a body, and none is sent", field="header")


def version_of(reply: Reply) -> str:
    """Read which version a reply says it comes from; empty if it says none.

    It is the whole body, or the field ``version`` of a JSON body, of an answer with status 200.
    """
    if reply.error or reply.status != 200:  # noqa: PLR2004 - HTTP's OK needs no other name
        return ""
    text = reply.body.strip()
    if text.startswith("{"):
        text = _version_field(text)
    return text if VERSION_NAME.fullmatch(text) else ""


def _version_field(text: str) -> str:
    try:
        version = json.loads(text).get("version")
    except (ValueError, RecursionError):  # not JSON, or nested without end
        return ""
    return version if isinstance(version, str) else ""


def _kind(reply: Reply, version: str) -> str:
    """Name an answer that no known version gave. No name of a kind is a possible version."""
    if reply.error:
        return f"no answer: {_shorten(reply.error)}"
    if reply.status != 200:  # noqa: PLR2004 - HTTP's OK needs no other name
        return f"HTTP {reply.status}" if reply.status else "no answer"
    return f"unknown answer '{_shorten(version or reply.body)}'"


def _shorten(text: str) -> str:
    # Only what may be shown is looked at: a body can be large.
    flat = " ".join(text[: 8 * _SHOWN].split())
    flat = "".join(character if character.isprintable() else "?" for character in flat)
    return flat if len(flat) <= _SHOWN else f"{flat[: _SHOWN - 3]}..."
