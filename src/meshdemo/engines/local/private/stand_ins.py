"""Stand-ins of pods, all served in one event loop of this process: a socket for each port of a pod.

What comes to them is remembered by its request id, so that whoever sent it can ask who got it.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

import httptools
from msgspec import Struct

from meshdemo.engines.local.apps.echo import Echo, join_repeated
from meshdemo.engines.local.apps.messages import Request, Response
from meshdemo.engines.local.model import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Mapping, Sequence
    from typing import Any

    from typing_extensions import Self

    from meshdemo.engines.local.model import PlannedPod
    from meshdemo.engines.local.private.event_loop import EventLoop

POD_HEADER = "x-echo-pod"
"""The header of an answer that names the pod."""
ARRIVAL = "x-echo-arrival"
"""The header of an answer that says which of all arrivals it is the answer to."""
REQUEST_ID = "x-request-id"
WAITING = 512
"""Connections that may wait to be accepted."""


class Behaviour(Struct, frozen=True):
    """How a stand-in answers."""

    status: int = 200
    delay: float = 0.0
    """Seconds."""
    failing: bool = False
    """Whether its ports refuse connections."""


class Arrived(Struct, frozen=True):
    """A request as it came to a pod."""

    pod: str
    namespace: str
    labels: Mapping[str, str]
    method: str
    path: str
    """With its query."""
    host: str
    headers: Mapping[str, str]

    @property
    def version(self) -> str:
        return self.labels.get("version", "")


class _Place(NamedTuple):
    """What is served on one socket."""

    pod: PlannedPod
    echo: Echo
    behaviour: Behaviour


def sockets(count: int) -> list[socket.socket]:
    """Take so many free ports on loopback; each refuses connections until it is served."""
    found = []
    for _ in range(count):
        # Named as TCP, because asyncio turns Nagle's algorithm off only then.
        each = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        each.bind((LOOPBACK, 0))
        found.append(each)
    return found


@dataclass
class StandIns:
    """All stand-ins of a mesh. A context manager: they answer as long as it lasts."""

    loop: EventLoop
    pods: Sequence[PlannedPod]
    sockets: Sequence[socket.socket]
    behaviours: Mapping[tuple[str, str], Behaviour] = field(default_factory=dict)
    """By the pod's namespace and name; one that is not named answers 200 at once."""
    arrived: list[Arrived] = field(default_factory=list)
    """What came, in turn."""

    def __post_init__(self) -> None:
        self._connections: set[_Connection] = set()
        self._servers: list[asyncio.Server] = []

    def __enter__(self) -> Self:
        by_port = {each.getsockname()[1]: each for each in self.sockets}
        served = []
        for pod in self.pods:
            behaviour = self.behaviours.get((pod.namespace, pod.name), Behaviour())
            version = pod.labels.get("version", "")
            echo = Echo(pod.name, pod.labels.get("app", ""), version, version)
            for port in pod.ports if not behaviour.failing else ():
                place = _Place(pod, echo, behaviour)
                served.append(self._serve(by_port[port.app], place))
        self.loop.run(_all_of(served))
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.run(self._end())
        for each in self.sockets:
            each.close()

    async def _serve(self, at: socket.socket, place: _Place) -> None:
        at.listen(WAITING)
        at.setblocking(False)  # noqa: FBT003 - so in socket
        make = partial(_Connection, place, self.arrived, self._connections)
        self._servers.append(await asyncio.get_running_loop().create_server(make, sock=at))

    async def _end(self) -> None:
        """End all connections, with what is under way: nobody waits for an answer any more."""
        for server in self._servers:
            server.close()
        for connection in list(self._connections):
            connection.transport.abort()
        # A turn of the loop for what was aborted, and one for what that cancels.
        await asyncio.sleep(0)
        await asyncio.sleep(0)


async def _all_of(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    for work in works:
        await work


class _Connection(asyncio.Protocol):
    """One connection of an Envoy: requests one after the other, each answered before the next."""

    transport: asyncio.Transport

    def __init__(self, place: _Place, arrived: list[Arrived], every: set[_Connection]) -> None:
        self._place, self._arrived, self._every = place, arrived, every
        self._parser = httptools.HttpRequestParser(self)
        self._target = b""
        self._headers: list[tuple[str, str]] = []
        self._answer: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type checker
        self.transport = transport
        self._every.add(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.transport.abort()  # an echo speaks nothing else
        except httptools.HttpParserError:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._every.discard(self)
        if self._answer:
            self._answer.cancel()

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._target, self._headers = b"", []

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_message_complete(self) -> None:
        path, _, query = self._target.decode("latin-1").partition("?")
        method = self._parser.get_method().decode()
        request = Request(method, path, query, tuple(self._headers))
        number = self._note(request)
        loop = asyncio.get_running_loop()
        self._answer = loop.create_task(self._reply(request, number))

    def _note(self, request: Request) -> int:
        """Remember a request, and give its number among all."""
        pod, headers = self._place.pod, join_repeated(request.headers)
        self._arrived.append(
            Arrived(
                pod.name,
                pod.namespace,
                pod.labels,
                request.method,
                request.target,
                headers.get("host", ""),
                headers,
            )
        )
        return len(self._arrived) - 1

    async def _reply(self, request: Request, number: int) -> None:
        behaviour = self._place.behaviour
        if behaviour.delay:
            await asyncio.sleep(behaviour.delay)
        response = await self._place.echo.answer(request)
        if response is None:
            self.transport.abort()
            return
        status = response.status if behaviour.status == HTTPStatus.OK else behaviour.status
        marks = ((POD_HEADER, self._place.pod.name), (ARRIVAL, str(number)))
        response = Response(
            response.body, status, response.content_type, (*marks, *response.headers)
        )
        self.transport.write(_written(response, request.method))


def _written(response: Response, method: str) -> bytes:
    has_body = response.status not in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
    lines = [
        f"HTTP/1.1 {response.status} -",
        f"content-type: {response.content_type}",
        *(f"{name}: {value}" for name, value in response.headers),
    ]
    if has_body:
        lines.append(f"content-length: {len(response.body)}")
    head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    return head + response.body if has_body and method != "HEAD" else head
