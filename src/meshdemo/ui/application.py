"""The page's server as an ASGI application: few addresses, and nothing that a GET changes."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from http import HTTPStatus
from io import BytesIO, TextIOWrapper
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from meshdemo.errors import InputError, MeshdemoError
from meshdemo.language import joined, said, spoken
from meshdemo.report import speaking
from meshdemo.report.terminal import Terminal
from meshdemo.ui import page
from meshdemo.ui.changing import Move
from meshdemo.ui.connections import ADMITTED
from meshdemo.ui.door import JSON, Asked, Refused
from meshdemo.ui.encoding import encoded
from meshdemo.ui.live import MOST_A_SECOND, Busy
from meshdemo.verdict import traffic
from meshdemo.verdict.traffic import Request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from concurrent.futures import Future

    from meshdemo.engines.protocol import Engine
    from meshdemo.ui.door import Door
    from meshdemo.ui.live import Live
    from meshdemo.ui.pages import Pages
    from meshdemo.ui.recording import Recording

    # ASGI's types, as its specification has them.
    Message = dict[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

LONGEST_BODY = 16 * 1024
POSTS_A_SECOND = 10
EXPLAIN_SECONDS = 15.0
JOB_SECONDS = 45.0
"""How long a page waits for what it asked to be done; it is done to its end also then."""
HTML, TEXT, EVENTS = "text/html; charset=utf-8", "text/plain; charset=utf-8", "text/event-stream"
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class Steered(Struct, frozen=True, forbid_unknown_fields=True):
    """What a page wants of the traffic."""

    on: bool
    rate: int


class Meant(Struct, frozen=True, forbid_unknown_fields=True):
    """A request that a page wants sent."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()

    def request(self) -> Request:
        """Give it as one that can be sent. Raises InputError."""
        found = Request(self.url, self.method.upper(), self.headers)
        traffic.check(found)
        if found.is_tcp:
            raise InputError(said("the page is about HTTP requests, and tcp:// is none"))
        return found


class Answer(Struct, frozen=True):
    """What somebody gets."""

    body: bytes
    kind: str = JSON
    status: HTTPStatus = HTTPStatus.OK
    headers: dict[str, str] = {}


DONE = Answer(b"{}")


class Application:
    """Serves whoever the door lets in."""

    def __init__(
        self, door: Door, live: Live, pages: Pages, recording: Recording, language: str
    ) -> None:
        self._door, self._live, self._pages = door, live, pages
        self._recording, self._language = recording, language
        self._allowed, self._counted = float(POSTS_A_SECOND), time.monotonic()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        asked = Asked(
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            headers=tuple((n.decode("latin-1"), v.decode("latin-1")) for n, v in scope["headers"]),
        )
        try:
            self._door.let_in(asked)
            scope["state"][ADMITTED] = True
            if (asked.method, asked.path) == ("GET", "/events"):
                await self._stream(receive, send)
                return
            answer = await self._answer(asked, receive)
        except Refused as refused:
            answer = self._refusal(asked, refused)
        await _give(send, answer)

    def _refusal(self, asked: Asked, refused: Refused) -> Answer:
        """Say why: to a page's script in each language, to who typed an address in the run's."""
        if asked.method == "POST":
            return Answer(encoded({"why": refused.why}), JSON, refused.status)
        text = spoken(refused.why, self._language)
        return Answer(f"{text}\n".encode(), TEXT, refused.status)

    async def _answer(self, asked: Asked, receive: Receive) -> Answer:
        posts = {"/traffic": self._steer, "/request": self._send, "/explain": self._explain}
        if self._live.may_change:
            posts |= {"/preview": self._preview, "/change": self._change}
        wanted = "POST" if asked.path in posts else "GET"
        if asked.path not in ("/", "/events", "/recording", "/export", *posts):
            raise Refused(HTTPStatus.NOT_FOUND, said("nothing is here"))
        if asked.method != wanted:
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, said("{method} alone", method=wanted))
        if wanted == "GET":
            return self._shown(asked.path)
        self._may_post()
        body = await _body(receive)
        try:
            return await posts[asked.path](body)
        except msgspec.DecodeError as error:
            why = said("it cannot be read: {error}", error=error)
            raise Refused(HTTPStatus.BAD_REQUEST, why) from error
        except MeshdemoError as error:
            raise Refused(HTTPStatus.BAD_REQUEST, _told(error)) from error
        except (Busy, asyncio.TimeoutError) as error:
            why = said("too much is under way: try again")
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, why) from error

    def _shown(self, path: str) -> Answer:
        if path == "/":
            policy = {"content-security-policy": page.policy()}
            return Answer(page.page(self._language), HTML, headers=policy)
        recording = self._recording.document()
        if path == "/recording":
            return Answer(encoded(recording))
        as_file = {"content-disposition": "attachment; filename=meshdemo.html"}
        return Answer(page.exported(recording, self._language), HTML, headers=as_file)

    async def _steer(self, body: bytes) -> Answer:
        wanted = msgspec.json.decode(body, type=Steered)
        if not 1 <= wanted.rate <= MOST_A_SECOND:
            raise InputError(said("a rate is 1 to {most} requests a second", most=MOST_A_SECOND))
        self._live.steer(replace(self._live.traffic, on=wanted.on, rate=wanted.rate))
        return DONE

    async def _send(self, body: bytes) -> Answer:
        request = msgspec.json.decode(body, type=Meant).request()
        self._live.steer(replace(self._live.traffic, request=request))
        return DONE

    async def _explain(self, body: bytes) -> Answer:
        request = msgspec.json.decode(body, type=Meant).request()
        text = await _done(self._live.ask(lambda engine: explained(engine, request)))
        return Answer(encoded({"text": text}))

    async def _preview(self, body: bytes) -> Answer:
        move = msgspec.json.decode(body, type=Move)
        return Answer(encoded(await _done(self._live.preview(move))))

    async def _change(self, body: bytes) -> Answer:
        move = msgspec.json.decode(body, type=Move)
        return Answer(encoded(await _done(self._live.change(move))))

    def _may_post(self) -> None:
        """Count a POST. Raises Refused where there are too many, or pages can only look."""
        if self._live.traffic.fixed:
            why = said("this page is to look at: it was started with --read-only")
            raise Refused(HTTPStatus.FORBIDDEN, why)
        now = time.monotonic()
        gained = (now - self._counted) * POSTS_A_SECOND
        self._allowed, self._counted = min(self._allowed + gained, float(POSTS_A_SECOND)), now
        if self._allowed < 1:
            why = said("at most {most} a second", most=POSTS_A_SECOND)
            raise Refused(HTTPStatus.TOO_MANY_REQUESTS, why)
        self._allowed -= 1

    async def _stream(self, receive: Receive, send: Send) -> None:
        """Send news until the page goes, or we do. Raises Refused before anything is sent."""
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            async with aclosing(self._pages.news()) as news:
                first = await anext(news)
                await send(_start(HTTPStatus.OK, EVENTS, {}))
                await send({"type": "http.response.body", "body": first, "more_body": True})
                async for text in news:
                    if gone.done():
                        return
                    await send({"type": "http.response.body", "body": text, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()


async def _done(job: Future[Any]) -> Any:  # noqa: ANN401 - whatever the job gives
    return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(job)), JOB_SECONDS)


def explained(engine: Engine, request: Request) -> str:
    """Tell one request from end to end, as ``meshdemo explain`` does."""
    from meshdemo.report import explanation  # noqa: PLC0415 - only who asks for it pays for it
    from meshdemo.walkthrough.explain import explain  # noqa: PLC0415 - as above

    story = explain(engine, request, (), EXPLAIN_SECONDS)
    while True:
        try:
            next(story)
        except StopIteration as end:
            report = explanation.explained(end.value)
            break
    stream = TextIOWrapper(BytesIO(), encoding="utf-8", write_through=True)
    report.show(Terminal(stream, {"NO_COLOR": "1"}))
    stream.seek(0)
    return stream.read()


def _told(error: MeshdemoError) -> str:
    problems = map(speaking.of_problem, getattr(error, "problems", ()))
    return joined(said("; "), [error.message, *problems, *([error.hint] if error.hint else [])])


def _start(status: HTTPStatus, kind: str, headers: dict[str, str]) -> Message:
    named = {"content-type": kind, **HEADERS, **headers}
    return {
        "type": "http.response.start",
        "status": int(status),
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
    }


async def _give(send: Send, answer: Answer) -> None:
    length = {"content-length": str(len(answer.body))}
    await send(_start(answer.status, answer.kind, {**answer.headers, **length}))
    await send({"type": "http.response.body", "body": answer.body})


async def _body(receive: Receive) -> bytes:
    """Read a request's body. Raises Refused where it is too long."""
    found = bytearray()
    more = True
    while more:
        message = await receive()
        found += message.get("body", b"")
        more = message.get("more_body", False)
        if len(found) > LONGEST_BODY:
            why = said("at most {most} bytes", most=LONGEST_BODY)
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, why)
    return bytes(found)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
