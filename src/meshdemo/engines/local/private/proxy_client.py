"""Requests to a proxy on loopback, sent from an event loop on connections that are kept."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httptools
from msgspec.structs import replace

from meshdemo.engines.local import requests
from meshdemo.engines.local.model import LOOPBACK
from meshdemo.verdict.traffic import CONNECTION_RESET, TIMED_OUT, Reply

if TYPE_CHECKING:
    from meshdemo.verdict.traffic import Request


class ProxyClient:
    """Whoever sends to one proxy. All of it happens in the loop."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[_Connection] = []

    async def send(self, request: Request, body: str = "") -> Reply:
        """Send a request once, and give what came back, with the seconds that it took."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        message = requests.written(request, body)
        try:
            connection = await self._connected()
        except OSError as error:
            return Reply(error=requests.error_name(error), seconds=loop.time() - began)
        overdue = loop.call_later(request.time_limit, connection.give_up)
        try:
            return await connection.exchange(message, request.method, began)
        finally:
            overdue.cancel()
            if connection.is_free:
                self._idle.append(connection)
            else:
                connection.transport.abort()

    async def _connected(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.transport.is_closing():
                return connection
        loop = asyncio.get_running_loop()
        _, made = await loop.create_connection(_Connection, LOOPBACK, self._port)
        return made

    async def close(self) -> None:
        """Close what is kept."""
        for connection in self._idle:
            connection.transport.abort()


class _Connection(asyncio.Protocol):
    """One connection: a request at a time. The methods that begin with on_ are the parser's."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.Future[Reply] | None = None
        self._forget()
        self.is_free = False
        """Whether another request may follow the one before."""

    async def exchange(self, message: bytes, method: str, began: float) -> Reply:
        """Send a request, and give its answer."""
        self._method, self._began = method, began
        self._forget()
        self._parser = httptools.HttpResponseParser(self)
        self._waiting = self._loop.create_future()
        self.is_free = False
        self.transport.write(message)
        return await self._waiting

    def give_up(self) -> None:
        """End a request that takes too long."""
        self._end(Reply(error=TIMED_OUT))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type checker
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self._waiting is None:
            self.transport.abort()  # nobody has asked for it
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._complete()
        except httptools.HttpParserError:
            self._end(Reply(error=requests.NOT_HTTP))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self.is_free = False
        if self._headers_done and not self._is_framed:
            self._complete()
        self._end(Reply(error=CONNECTION_RESET))

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._headers_done:  # else it is a trailer
            self._headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        self._headers_done = True
        if self._method == "HEAD":  # the parser does not know, and would wait for a body
            self._complete()

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() < 200:  # noqa: PLR2004 - an answer with 1xx is none yet
            self._forget()
        else:
            self._complete()

    @property
    def _is_framed(self) -> bool:
        names = {name.lower() for name, _ in self._headers}
        return bool(names & {"content-length", "transfer-encoding"})

    def _forget(self) -> None:
        self._headers: list[tuple[str, str]] = []
        self._headers_done = False
        self._body: list[bytes] = []

    def _complete(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self.is_free = self._parser.should_keep_alive()
            text = b"".join(self._body).decode(errors="replace")
            status = self._parser.get_status_code()
            self._end(Reply(status, text, headers=tuple(self._headers)))

    def _end(self, reply: Reply) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(replace(reply, seconds=self._loop.time() - self._began))
