"""Somebody who looks at the live page of ``meshdemo ui``: its addresses, and the news that come."""

from __future__ import annotations

import http.client
import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class Answer:
    """What somebody got."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


@dataclass
class Page:
    """Somebody who has the address."""

    url: str

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    @property
    def token(self) -> str:
        return self.url.rpartition("=")[2]

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.host, timeout=30)

    def ask(self, method: str, path: str, body: str | None = None, **headers: str) -> Answer:
        connection = self.connect()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        answer = connection.getresponse()
        found = Answer(answer.status, answer.headers, answer.read())
        connection.close()
        return found

    def get(self, path: str = "/", **headers: str) -> Answer:
        return self.ask("GET", f"{path}?token={self.token}", **headers)

    def post(self, path: str, document: Any, **headers: str) -> Answer:
        sent = {"content-type": "application/json", "x-meshdemo-token": self.token, **headers}
        return self.ask("POST", path, json.dumps(document), **sent)

    @contextmanager
    def news(self) -> Iterator[Iterator[tuple[str, Any]]]:
        """Open the stream of events."""
        connection = self.connect()
        connection.request("GET", f"/events?token={self.token}")
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        try:
            yield _events(answer)
        finally:
            answer.close()
            connection.close()


def _events(answer: http.client.HTTPResponse) -> Iterator[tuple[str, Any]]:
    name = ""
    while line := answer.readline().decode():
        kind, _, text = line.rstrip("\n").partition(": ")
        if kind == "event":
            name = text
        elif kind == "data":
            yield name, json.loads(text)


def told(said: str | list[str]) -> str:
    """Give in English what a page was told: a sentence comes in each language, a name does not."""
    return said if isinstance(said, str) else said[0]


def until(
    news: Iterator[tuple[str, Any]], enough: Callable[[str, Any], bool]
) -> list[tuple[str, Any]]:
    found = []
    for event in news:
        found.append(event)
        if enough(*event):
            return found
    raise AssertionError(found)


def total(least: int) -> Callable[[str, Any], bool]:
    return lambda name, data: name == "counts" and data["total"] >= least


def received(least: int) -> Callable[[str, Any], bool]:
    return lambda name, data: name == "counts" and data["received"] >= least
