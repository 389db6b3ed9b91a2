"""Who may ask: this machine's own pages, with the token. Pure.

Anybody's page in the same browser can send requests to loopback, and after DNS rebinding read the
answers too. The name that was called (Host), the page that calls (Origin, Sec-Fetch-Site) and a
token that is in our URL alone tell them from ours.
"""

from __future__ import annotations

import hmac
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from msgspec import Struct

from meshdemo.language import said

if TYPE_CHECKING:
    from collections.abc import Sequence

HOST = "127.0.0.1"
HTTP, HTTP_PORT = "http://", 80
TOKEN_HEADER = "x-meshdemo-token"  # noqa: S105 - the header's name
JSON = "application/json"
OWN_SITES = ("", "none", "same-origin")
"""What a browser says of a page's site: none is an address that was typed."""


class Asked(Struct, frozen=True):
    """A request as it came."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    """Names in lower case."""

    def header(self, name: str) -> str:
        """Give a header's value; empty where there is none, or not one alone."""
        found = self._all(name)
        return found[0] if len(found) == 1 else ""

    def has(self, name: str) -> bool:
        return bool(self._all(name))

    def _all(self, name: str) -> Sequence[str]:
        return [value for known, value in self.headers if known == name]


class Refused(Exception):
    """Somebody gets nothing but this status, and why."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


class Door(Struct, frozen=True):
    """What is asked of everybody."""

    port: int
    token: str

    @property
    def url(self) -> str:
        """The page's address, which whoever has it may use."""
        return f"{HTTP}{HOST}:{self.port}/?token={self.token}"

    def let_in(self, asked: Asked) -> None:
        """Do nothing for one of ours, and raise Refused for others.

        What changes anything is a POST of JSON whose token is in a header: a form can send neither.
        """
        names = (HOST, "localhost")
        hosts = [f"{name}:{self.port}" for name in names]
        hosts += names if self.port == HTTP_PORT else ()  # which browsers leave out
        if asked.header("host") not in hosts:
            raise Refused(HTTPStatus.FORBIDDEN, said("this name is not ours"))
        foreign = asked.has("origin") and asked.header("origin") not in map(HTTP.__add__, hosts)
        if foreign or asked.header("sec-fetch-site") not in OWN_SITES:
            raise Refused(HTTPStatus.FORBIDDEN, said("pages of others get nothing"))
        if not hmac.compare_digest(self._token_of(asked).encode(), self.token.encode()):
            why = said("the token is missing or wrong: open the address that was printed")
            raise Refused(HTTPStatus.FORBIDDEN, why)
        if asked.method == "POST" and asked.header("content-type").partition(";")[0] != JSON:
            why = said("it must be {kind}", kind=JSON)
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, why)

    def _token_of(self, asked: Asked) -> str:
        if asked.method == "POST":
            return asked.header(TOKEN_HEADER)
        return parse_qs(asked.query).get("token", [""])[0]
