"""What an app gets and gives: one HTTP request, and its answer."""

from __future__ import annotations

import urllib.parse
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, without its body, which no app reads."""

    method: str
    path: str
    """As it was sent: neither decoded nor normalised."""
    query: str
    headers: tuple[tuple[str, str], ...]
    """Names in lower case, in the order of sending, repeated ones as often as they came."""

    @property
    def target(self) -> str:
        """Give the path with the query."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def parameters(self) -> dict[str, str]:
        """Give the query's parameters, of repeated ones the last."""
        return dict(urllib.parse.parse_qsl(self.query, keep_blank_values=True))


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP answer."""

    body: bytes
    status: int = HTTPStatus.OK
    content_type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


def text(words: str, status: int = HTTPStatus.OK) -> Response:
    """Make an answer of plain text."""
    return Response(words.encode(), status)


Handler = Callable[[Request], Awaitable["Response | None"]]
"""What an app is. No response means that the connection is closed without an answer."""
Answer = Callable[[str], str]
"""What an app answers to a line, where no HTTP is spoken."""
