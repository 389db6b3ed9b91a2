"""What the built-in apps share: serving on the loopback addresses of their pod's ports.

An app is one coroutine that turns a Request into a Response. HTTP is uvicorn's business.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, ClassVar

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from meshdemo.engines.local.apps.messages import Answer, Handler, Request, Response, text

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["Answer", "Handler", "Request", "Response", "serve", "text"]

LISTEN = "MESHDEMO_LISTEN"
"""Names the variable that says where to listen, as in ``80=127.0.0.1:20001,...``: the port
inside the pod, and its place on loopback."""

KEEP_ALIVE = 2 * 60 * 60
"""Seconds that an idle connection stays open: longer than the hour after which Envoy gives one
up, because an app that hangs up first breaks the request that Envoy is just sending."""
FINISH_SECONDS = 1
"""Seconds that requests under way get to finish after SIGTERM."""
FLUSH_PAUSE = 0.1
"""Seconds that an access line may wait for others, which costs a write for all instead of each."""

LINE_LIMIT = 64 * 1024
"""So many bytes without the end of a line are left to HTTP, which refuses them."""
_REQUEST_LINE = re.compile(rb"[^ ]+ .* HTTP/[0-9](\.[0-9])?\r?")

_BODILESS = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})

# ASGI's types, as its specification has them.
_Message = dict[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]


def serve(handler: Handler, answer: Answer | None = None) -> None:
    """Run an app until SIGTERM, on the addresses that the environment names.

    With ``answer`` a connection whose first line is no HTTP gets an answer to each of its lines.
    Exits with a status other than 0 and one line on stderr if it cannot listen there.
    """
    _Protocol.answers = (answer,) if answer else ()
    config = uvicorn.Config(
        _Application(handler, AccessLog()),
        http=_Protocol,
        loop="asyncio",
        ws="none",
        lifespan="off",
        interface="asgi3",
        workers=1,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=FINISH_SECONDS,
    )
    server = uvicorn.Server(config)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        # Raising an exception here would break off whatever runs, half an event loop for instance.
        server.should_exit = True

    # For SIGTERM before and after uvicorn handles it: as it ends, it raises it again.
    signal.signal(signal.SIGTERM, stop)
    server.run([listen(*address) for address in addresses(os.environ.get(LISTEN))])


class AccessLog:
    """One short line a request on stdout, for ``meshdemo logs``."""

    def __init__(self) -> None:
        self._due = False

    def add(self, request: Request, outcome: object) -> None:
        """Write a line, within ``FLUSH_PAUSE`` seconds."""
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_later(FLUSH_PAUSE, self._flush)
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        try:
            sys.stdout.write(f'{now} "{request.method} {request.target}" {outcome}\n')
        except OSError:
            self._give_up()

    def _flush(self) -> None:
        self._due = False
        try:
            sys.stdout.flush()
        except OSError:
            self._give_up()

    def _give_up(self) -> None:
        # Whoever read our lines is gone. Serving goes on without, and at exit Python flushes
        # what is left to somewhere that takes it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Protocol(HttpToolsProtocol):
    """uvicorn's own, whose connections are known by their client: ASGI cannot hang up.

    It uses only what asyncio promises of a protocol, and no inner part of uvicorn's.
    """

    by_client: ClassVar[dict[tuple[str, int], asyncio.Transport]] = {}
    answers: ClassVar[tuple[Answer, ...]] = ()
    """How a line is answered; empty where all is HTTP."""
    client_address: tuple[str, int]
    begun: bytes | None = b""
    """What came before the first line was whole; None as soon as HTTP is spoken."""
    speaks_lines = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # so in uvicorn
        self.client_address = _host_and_port(transport.get_extra_info("peername"))
        self.by_client[self.client_address] = transport
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if not self.answers or self.begun is None:
            super().data_received(data)
            return
        self.begun += data
        if not self.speaks_lines:
            line, end, _ = self.begun.partition(b"\n")
            self.speaks_lines = bool(end) and not _REQUEST_LINE.fullmatch(line)
            if (end and not self.speaks_lines) or (not end and len(line) > LINE_LIMIT):
                data, self.begun = self.begun, None
                super().data_received(data)
                return
        if self.speaks_lines:
            *lines, self.begun = self.begun.split(b"\n")
            for line in lines:
                said = self.answers[0](line.decode(errors="replace").rstrip("\r"))
                self.transport.write(f"{said}\n".encode())

    def connection_lost(self, exc: Exception | None) -> None:
        self.by_client.pop(self.client_address, None)
        super().connection_lost(exc)


def _host_and_port(address: Sequence[Any] | None) -> tuple[str, int]:
    """Shorten an address; the one of a connection that has ended already is unknown."""
    return (address[0], address[1]) if address else ("", 0)


@dataclass(frozen=True, slots=True)
class _Application:
    """A handler as an ASGI application."""

    handler: Handler
    log: AccessLog

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        request = _request(scope)
        try:
            response = await self.handler(request)
        except asyncio.CancelledError:
            response = None  # the app ends, and FINISH_SECONDS are over
        self.log.add(request, response.status if response else "no answer")
        if response is None:
            if transport := _Protocol.by_client.get(_host_and_port(scope["client"])):
                transport.abort()
            await _disconnected(receive)
            return
        body = b"" if response.status in _BODILESS else response.body
        await send(
            {
                "type": "http.response.start",
                "status": response.status,
                "headers": _headers(response),
            }
        )
        await send({"type": "http.response.body", "body": body})


async def _disconnected(receive: _Receive) -> None:
    """Wait until the connection is closed: uvicorn would answer for an app that returns before.

    At the end of the loop asyncio cancels us a second time, one turn before it is closed.
    """
    message: _Message = {}
    while message.get("type") != "http.disconnect":  # else it is the rest of the request's body
        with suppress(asyncio.CancelledError):
            message = await receive()


def _request(scope: _Message) -> Request:
    return Request(
        method=scope["method"],
        path=scope["raw_path"].decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=tuple((n.decode("latin-1"), v.decode("latin-1")) for n, v in scope["headers"]),
    )


def _headers(response: Response) -> list[tuple[bytes, bytes]]:
    headers = [(name.encode(), value.encode("latin-1")) for name, value in response.headers]
    if response.status in _BODILESS:
        return headers
    return [
        (b"content-type", response.content_type.encode()),
        (b"content-length", b"%d" % len(response.body)),
        *headers,
    ]


def addresses(places: str | None) -> list[tuple[str, int]]:
    """Read the addresses of ``LISTEN``; none if it is empty, as for a pod without ports."""
    if places is None:
        sys.exit(f"{LISTEN} is not set")
    try:
        pairs = [place.partition("=")[2].rpartition(":") for place in places.split(",") if place]
        return [(str(ip_address(host)), int(port)) for host, _, port in pairs]
    except ValueError as error:
        sys.exit(f"{LISTEN}={places!r} is not like 80=127.0.0.1:20001,...: {error}")


def listen(host: str, port: int) -> socket.socket:
    """Listen on a place on loopback, or end the program."""
    if not ip_address(host).is_loopback:
        sys.exit(f"will not listen on {host}:{port}, which is not on loopback")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, because asyncio turns Nagle's algorithm off only then (python/cpython, in
    # base_events._set_nodelay); with it, each answer would wait 40 ms for an acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        sys.exit(f"cannot listen on {host}:{port}: {error.strerror}")
    return listener
