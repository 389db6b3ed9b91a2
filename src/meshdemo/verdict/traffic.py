"""What the test client sends, and what comes back: requests, replies, the sample, the tally."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct

from meshdemo.errors import InputError, Problem
from meshdemo.language import said

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_URL = "http://app/env/version"
TCP = "tcp://"
HELLO = "hello"
"""The line that a request to tcp:// says: Istio's own tcp-echo answers it, with its name before."""
LINE_LIMIT = 64 * 1024
"""How many bytes of a line are read."""
TIME_LIMIT = 10.0
"""Seconds that one request may take, from connecting to the end of the answer, if nothing else is
said; then it is given up."""
CONNECTION_REFUSED = "connection refused"
"""What ``Reply.error`` says, as the three below: the same on every engine, for replies are counted
by it."""
CONNECTION_RESET = "connection reset"
TIMED_OUT = "timed out"
"""The request was given up by who sent it; what a sidecar gives up is answered 504."""
NO_SUCH_HOST = "no such host"

VERSION_NAME = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
"""What a version looks like: a label's value, as Kubernetes allows it."""

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""What a method and the name of a header are made of (RFC 9110, 5.6.2)."""
_AUTHORITY = re.compile(r"(\[[^\[\]@]+\]|[^:\[\]@]+)(:[0-9]*)?")
"""What follows http:// is a host, with or without a port; an IPv6 address is in brackets."""
_ADDRESS = re.compile(r"[^/?#]+:[0-9]+")
_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\.?$){_LABEL}(\.{_LABEL})*\.?")
"""A host as DNS has it."""
_FRAMING = ("content-length", "transfer-encoding")
"""Headers that announce a body: a request here has none."""
_URL_HINT = said("as in http://app/env/version")
_TCP_HINT = said("as in tcp://app:9000")


class Request(Struct, frozen=True):
    """One request, as the test client sends it: by HTTP, or to tcp:// a line that says hello."""

    url: str = DEFAULT_URL
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    wants_headers: bool = False
    """Whether the headers of its answer are to be kept, too."""
    time_limit: float = TIME_LIMIT
    """Seconds after which it is given up."""

    @property
    def title(self) -> str:
        """How reports call it."""
        return self.url if self.is_tcp else f"{self.method} {self.url}"

    @property
    def whole_seconds(self) -> int:
        """Its time limit for what takes no fractions, rounded down: it is to stay below others."""
        return max(1, int(self.time_limit))

    def header(self, name: str) -> str | None:
        """Give the value of a header, by its name in any case; None if there is none."""
        return _named(self.headers, name)

    @property
    def is_tcp(self) -> bool:
        """Tell whether it is a connection in which no HTTP is spoken."""
        return self.url.lower().startswith(TCP)


class Reply(Struct, frozen=True):
    """What one request got: an HTTP answer or a line, or in ``error`` why there was none."""

    status: int = 0
    """200 for a line, too: it is the answer that was asked for."""
    body: str = ""
    error: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    """Those of the answer, where the request wants them."""
    began: float | None = None
    """When the request began, in seconds since the epoch; None where that is not known."""
    seconds: float | None = None
    """How long it took, from connecting to the end of the answer."""

    def __eq__(self, other: object) -> bool:
        """Compare what came, whenever it did."""
        return isinstance(other, Reply) and self._said == other._said

    def __hash__(self) -> int:
        return hash(self._said)

    @property
    def _said(self) -> tuple[object, ...]:
        return self.status, self.body, self.error, self.headers

    def header(self, name: str) -> str | None:
        """Give the value of a header, by its name in any case; None if there is none."""
        return _named(self.headers, name)


class Sample(Struct, frozen=True):
    """What came back from the requests of one measurement, never filtered."""

    request: Request
    wanted: int
    """How many requests were to be sent: as many as were, where they decided."""
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


def check(request: Request) -> None:
    """Raise InputError, with all that is wrong, if this is not a request that can be sent."""
    problems = [
        *(_address_problems(request) if request.is_tcp else _url_problems(request.url)),
        *_method_problems(request.method),
        *(problem for name, value in request.headers for problem in _header_problems(name, value)),
    ]
    if problems:
        raise InputError(said("the request cannot be sent"), problems)


def _address_problems(request: Request) -> Iterator[Problem]:
    """Judge a URL of the form tcp://HOST:PORT, and that nothing is said that only HTTP has."""
    address = request.url[len(TCP) :].removesuffix("/")
    wrong = list(_url_problems(f"http://{address}", request.url, _TCP_HINT))
    if not wrong and not _ADDRESS.fullmatch(address):
        why = said("it needs a host and a port, and no path")
        message = said("{url!r} cannot be asked for: {why}", url=request.url, why=why)
        wrong = [Problem(message, field="url", hint=_TCP_HINT)]
    yield from wrong
    for name, given in (("method", request.method != "GET"), ("header", bool(request.headers))):
        if given:
            message = said("a connection to tcp:// has no {field}", field=name)
            yield Problem(message, field=name, hint=said("leave it out"))


def _url_problems(url: str, written: str = "", hint: str = _URL_HINT) -> Iterator[Problem]:
    wrong = ""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        wrong = str(error)
    else:
        if parts.scheme != "http":
            wrong = said("it does not begin with http:// or tcp://")
        elif not _AUTHORITY.fullmatch(parts.netloc):
            wrong = said("a host, with or without a port, is to follow http://")
        elif not (_NAME.fullmatch(host) or _is_ipv6(host)):
            wrong = said("no host can be called {host}", host=host)
        elif port == 0:
            wrong = said("there is no port 0")
        elif not url.isascii() or not url.isprintable() or " " in url:
            wrong = said("whatever is not printable ASCII is to be written as %XX")
    if wrong:
        message = said("{url!r} cannot be asked for: {why}", url=written or url, why=wrong)
        yield Problem(message, field="url", hint=hint)


def _is_ipv6(host: str) -> bool:
    if ":" not in host:
        return False
    from ipaddress import IPv6Address  # noqa: PLC0415 - next to nobody writes one

    try:
        return bool(IPv6Address(host))
    except ValueError:
        return False


def _method_problems(method: str) -> Iterator[Problem]:
    if not TOKEN.fullmatch(method):
        message = said("{method!r} is not a valid HTTP method", method=method)
        yield Problem(message, field="method", hint=said("as in GET or POST"))


def _header_problems(name: str, value: str) -> Iterator[Problem]:
    if not TOKEN.fullmatch(name):
        message = said("no header can be called {name!r}", name=name)
        yield Problem(message, field="header", hint=said("as in 'x-user: anna'"))
    elif not value.replace("\t", " ").isprintable():
        message = said(
            "the value of {name} is not a line of text: {value!r}", name=name, value=value
        )
        yield Problem(message, field="header")
    elif name.lower() in _FRAMING and value.strip() != "0":
        message = said("{name} announces a body, and none is sent", name=name)
        yield Problem(message, field="header")


def status_kind(status: int) -> str:
    """Name the kind of answers that have this status."""
    return f"HTTP {status}"


def _named(headers: tuple[tuple[str, str], ...], name: str) -> str | None:
    return next((v for n, v in headers if n.lower() == name.lower()), None)
