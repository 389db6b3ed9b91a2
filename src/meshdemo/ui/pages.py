"""The pages that are open, and the news for them as server-sent events.

Source: HTML's section 9.2, "Server-sent events".
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

from meshdemo.language import said
from meshdemo.ui.door import Refused
from meshdemo.ui.encoding import encoded

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

MOST_PAGES = 32
WAITING = 256
"""How much news waits for a page. One that is that far behind is cut off: it comes again, and gets
the whole state anew."""
STATES = ("scene", "levers", "presets", "counts", "traffic", "problem")
"""Events of which the last one tells all: whoever comes gets it first."""
OPENING = b"retry: 1000\n\n"
SILENCE = 15.0
"""Seconds after which a comment says that we are still there."""


class Pages:
    """News comes from one thread, and goes out in the server's."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[bytes | None]] = set()
        self._states: dict[str, bytes] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    def __len__(self) -> int:
        return len(self._queues)

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to hand out news in this loop."""
        self._loop = loop

    def close(self) -> None:
        """End all pages' streams, and take no other."""
        self._closed = True
        for queue in self._queues:
            _end(queue)

    def publish(self, event: str, document: object) -> None:
        """Hand news to every page, from any thread."""
        text = b"event: %b\ndata: %b\n\n" % (event.encode(), encoded(document))
        if self._loop is None:  # nobody can be there yet
            self._deliver(event, text)
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._deliver, event, text)

    def _deliver(self, event: str, text: bytes) -> None:
        if event in STATES:
            self._states[event] = text
        for queue in self._queues:
            try:
                queue.put_nowait(text)
            except asyncio.QueueFull:
                _end(queue)

    async def news(self) -> AsyncGenerator[bytes, None]:
        """Give what one page gets, until it is closed. Raises Refused."""
        with self._queue() as queue:
            yield OPENING
            while True:
                try:
                    text = await asyncio.wait_for(queue.get(), SILENCE)
                except asyncio.TimeoutError:
                    text = b": still here\n\n"
                if text is None:
                    return
                yield text

    @contextmanager
    def _queue(self) -> Iterator[asyncio.Queue[bytes | None]]:
        if self._closed or len(self) >= MOST_PAGES:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, said("so many pages are open already"))
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(WAITING)
        for name in STATES:
            if name in self._states:
                queue.put_nowait(self._states[name])
        self._queues.add(queue)
        try:
            yield queue
        finally:
            self._queues.discard(queue)


def _end(queue: asyncio.Queue[bytes | None]) -> None:
    """Have a stream end at once, whatever waits in it."""
    while not queue.empty():
        queue.get_nowait()
    queue.put_nowait(None)
