"""What a connection costs us at most: who sends no request, or has no token, holds none for long.

Everybody on this machine can connect to loopback. uvicorn bounds requests and not connections, and
waits for a request's head for as long as it takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio

MOST_CONNECTIONS = 64
"""Twice as many as pages, and with all else that is open well below 256, macOS' usual limit."""
ACCEPTED_AT_ONCE = 16
"""asyncio accepts so many before it hands the first one on; they count for nobody until then."""
WAITING_CONNECTIONS = 128
"""How many the system holds for us, which costs us no descriptor."""
HEAD_SECONDS = 5
"""How long a request's head may take, from the connection or the answer before it."""
LONGEST_HEAD = 64 * 1024
ADMITTED = "admitted"
"""The key of a request's ``state`` (ASGI) by which the application says that it has the token."""


class Connection(HttpToolsProtocol):
    """One for which there is always room, at the cost of whoever has waited longest for nothing."""

    _clock: asyncio.TimerHandle | None = None
    _since = 0.0
    _received = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()
        there: set[Any] = {each for each in self.connections if not each.transport.is_closing()}
        if len(there) > MOST_CONNECTIONS:
            # This one is among them: where all others are at work it is refused.
            spare = (each for each in there if not each.is_at_work())
            min(spare, key=lambda each: each._since).transport.abort()  # noqa: SLF001 - our own

    def is_at_work(self) -> bool:
        """Say whether it has a request with the token under way."""
        cycle: Any = self.cycle  # None before the first request
        return bool(cycle and not cycle.response_complete and ADMITTED in self.scope["state"])

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._received += len(data)
        if self._clock and self._received > LONGEST_HEAD:
            self.transport.abort()

    def on_headers_complete(self) -> None:
        self._stop_clock()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete and not self.transport.is_closing():
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._stop_clock()
        self._since, self._received = self.loop.time(), 0
        self._clock = self.loop.call_later(self.timeout_keep_alive, self.transport.abort)

    def _stop_clock(self) -> None:
        if self._clock:
            self._clock.cancel()
        self._clock = None
