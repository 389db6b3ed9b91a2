"""Serving the page on loopback until somebody ends it."""

from __future__ import annotations

import asyncio
import secrets
import socket
from typing import TYPE_CHECKING

import uvicorn

from meshdemo.errors import EnvironmentFailed, advice
from meshdemo.language import said
from meshdemo.ui.application import Application
from meshdemo.ui.connections import (
    ACCEPTED_AT_ONCE,
    HEAD_SECONDS,
    WAITING_CONNECTIONS,
    Connection,
)
from meshdemo.ui.door import HOST, Door
from meshdemo.ui.live import USUAL_RATE, Live, Traffic
from meshdemo.ui.pages import Pages
from meshdemo.ui.recording import Recording

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshdemo.engines.protocol import Engine
    from meshdemo.ui.scene import Scene
    from meshdemo.walkthrough.plan import Plan

GOODBYE_SECONDS = 0.1
"""How long open pages have to hear that it is over."""


class Serving:
    """The page's server. It listens as soon as it is made, so its address can be told."""

    def __init__(
        self,
        engine: Engine,
        scene: Scene,
        port: int = 0,
        *,
        read_only: bool = False,
        plan: Plan | None = None,
        language: str = "en",
    ) -> None:
        """Listen on a port of loopback, 0 for one that is free.

        Pages change the rules by the ``plan``; without it, or with ``read_only``, they do not.
        Raises EnvironmentFailed where nobody can listen.
        """
        self._listener = _listen(port)
        door = Door(self._listener.getsockname()[1], secrets.token_urlsafe(24))
        self.url = door.url
        pages, recording = Pages(), Recording()
        traffic = Traffic(on=True, rate=USUAL_RATE, request=scene.context.request, fixed=read_only)
        plan = None if read_only else plan

        def publish(name: str, told: object) -> None:
            recording.take(name, told)
            pages.publish(name, told)

        self._live = Live(engine, scene, traffic, publish, lambda: len(pages) > 0, plan)
        self._live.failed = self.end
        application = Application(door, self._live, pages, recording, language)
        self._server = _Server(_config(application), pages)

    def run(
        self,
        warn: Callable[[str], None] | None = None,
        *,
        head_seconds: int = HEAD_SECONDS,
    ) -> None:
        """Serve until ``end`` is called or a signal comes, which is raised again then.

        What the server itself fails at is said once to ``warn``, else logged with its traceback.
        Who sends no whole head of a request for ``head_seconds`` is cut off.
        """
        self._server.warn = warn
        self._server.config.timeout_keep_alive = head_seconds
        try:
            self._live.start()
            self._server.run([self._listener])
        finally:
            self._live.stop()
            self._listener.close()
        if self._live.failure:
            raise self._live.failure

    def end(self) -> None:
        """End it, from any thread."""
        self._server.should_exit = True


class _Server(uvicorn.Server):
    """One whose streams end when it does; by itself it waits for them."""

    def __init__(self, config: uvicorn.Config, pages: Pages) -> None:
        super().__init__(config)
        self.warn: Callable[[str], None] | None = None
        self._pages = pages
        self._warned: set[str] = set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        loop = asyncio.get_running_loop()
        self._pages.open(loop)
        if self.warn:
            loop.set_exception_handler(self._failed)
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(WAITING_CONNECTIONS)  # asyncio said as many as it accepts at once

    def _failed(self, _: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        problem = f"{context['message']}: {context.get('exception')}"
        if self.warn and problem not in self._warned:
            self.warn(problem)
        self._warned.add(problem)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._pages.close()
        await asyncio.sleep(GOODBYE_SECONDS)
        await super().shutdown(sockets)


def _config(application: Application) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        http=Connection,
        loop="asyncio",
        ws="none",
        lifespan="off",
        interface="asgi3",
        workers=1,
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=ACCEPTED_AT_ONCE,
        timeout_graceful_shutdown=0,
    )


def _listen(port: int) -> socket.socket:
    # Named as TCP, because asyncio turns Nagle's algorithm off only then.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()
    except OSError as error:
        listener.close()
        place = f"{HOST}:{port}"
        message = said("nobody can listen on {place}: {why}", place=place, why=error.strerror)
        free = said("Take another --port, or none: then it is one that is free.")
        hint = advice(error) or free
        raise EnvironmentFailed(message, hint=hint) from error
    return listener
