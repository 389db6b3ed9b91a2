"""The test client's requests, sent through its pod's HTTP proxy, and the environment in it."""

from __future__ import annotations

import errno
import http.client
import math
import os
import queue
import socket
import threading
import time
import urllib.parse
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from meshdemo.engines.local import tcp_requests
from meshdemo.engines.test_client import out_of_time
from meshdemo.errors import BrokenOff, EnvironmentFailed, MeshdemoError
from meshdemo.verdict import traffic
from meshdemo.verdict.traffic import (
    CONNECTION_REFUSED,
    CONNECTION_RESET,
    TIMED_OUT,
    Reply,
    Request,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SIDE_BY_SIDE = 32
"""How many requests are under way at once. Fewer leave Envoy waiting for us and us for Envoy; many
more would be a load test of the user's app."""
AHEAD = 4
"""How many requests, for each connection, may be begun before the reply to the oldest has come."""
BODY_LIMIT = 64 * 1024
"""How many bytes of an answer's body are read."""

NOT_HTTP = "not an HTTP answer"

_OVERDUE_PAUSE = 0.25
"""Seconds between two looks for requests that take too long."""


class Connections(Struct, frozen=True):
    """How requests are spread over connections to the proxy."""

    side_by_side: int = SIDE_BY_SIDE
    """How many there are at once; with one, a request follows the answer to the one before."""
    fresh: bool = False
    """Whether each request gets a new one, or they are kept alive."""


def send(
    request: Request,
    count: int,
    proxy: str,
    connections: Connections = Connections(),  # noqa: B008 - it is frozen
    *,
    timeout: float = math.inf,
    enough: threading.Event | None = None,
) -> Iterator[Reply]:
    """Send a request ``count`` times through the HTTP proxy, and give the replies in their order.

    Nothing is sent twice: a request that fails is a reply with an error. Redirects are not
    followed. Once there is ``enough`` no other request begins, and the replies to those that did
    are the last ones. Closing the iterator ends whatever is under way.
    Raises InputError at once if this is not a request that can be sent, and BrokenOff from the
    iterator if not all replies are there ``timeout`` seconds after the first was asked for, or if
    a request does not even come to the proxy: that says nothing about where it would have gone.
    """
    traffic.check(request)
    url = urllib.parse.urlsplit(proxy)
    address = url.hostname or "", url.port or http.client.HTTP_PORT
    enough = enough or threading.Event()
    return _Job(as_sent(request), count, address, connections, enough).run(timeout)


class _Job(Struct, frozen=True):
    """What all senders share."""

    request: Request
    count: int
    proxy: tuple[str, int]
    connections: Connections
    enough: threading.Event
    """No other request begins once it is set."""
    replies: queue.SimpleQueue[tuple[int, Reply] | Exception] = field(
        default_factory=queue.SimpleQueue
    )
    stopped: threading.Event = field(default_factory=threading.Event)
    """Nobody waits for replies any more."""
    epoch: float = field(default_factory=lambda: time.time() - time.monotonic())
    """What makes the clock's monotonous time one since the epoch, all along the job."""

    def run(self, timeout: float) -> Iterator[Reply]:
        """Give the replies in the order of the requests.

        In the order in which they come, those of quick pods would be the first, and whoever stops
        in between would see more of them.
        """
        deadline = time.monotonic() + timeout
        side_by_side = min(self.connections.side_by_side, self.count)
        turns = _Turns(self, AHEAD * side_by_side)
        senders = [_Sender(self, turns) for _ in range(side_by_side)]
        early: dict[int, Reply] = {}
        try:
            _start(senders)
            while turns.more:
                try:
                    number, reply = self._next(senders, deadline)
                except MeshdemoError:
                    # These came, though one before them never will.
                    yield from (early[number] for number in sorted(early))
                    raise
                early[number] = reply
                while turns.given in early:
                    yield early.pop(turns.given)
                    turns.give()
        finally:
            self.stopped.set()
            turns.wake(side_by_side)
            for sender in senders:
                sender.cut()
            for sender in senders:
                if sender.is_alive():
                    sender.join()

    def _next(self, senders: list[_Sender], deadline: float) -> tuple[int, Reply]:
        """Wait for a reply to any request. Raises BrokenOff if none is there in time."""
        while (left := deadline - time.monotonic()) > 0:
            try:
                reply = self.replies.get(timeout=min(_OVERDUE_PAUSE, left))
            except queue.Empty:
                # A socket's timeout bounds each wait for bytes, not an answer that trickles.
                for sender in senders:
                    sender.cut_if_late()
                continue
            if isinstance(reply, Exception):
                raise reply
            return reply
        raise out_of_time()


class _Turns:
    """Whose turn it is: senders take the requests one by one, and none too far ahead."""

    def __init__(self, job: _Job, ahead: int) -> None:
        self._job = job
        self._ahead = threading.Semaphore(ahead)
        self._lock = threading.Lock()
        self._begun = 0
        self.given = 0
        """How many replies were given, and so the number of the next one."""

    @property
    def more(self) -> bool:
        """Whether there are replies to come beyond those that were given."""
        with self._lock:
            return self.given < self._begun or self._open()

    def take(self) -> int | None:
        """Wait for a turn, and give the number of its request; None if none is to begin."""
        self._ahead.acquire()
        with self._lock:
            if not self._open():
                return None
            self._begun += 1
            return self._begun - 1

    def give(self) -> None:
        """Count a reply that was given."""
        self.given += 1
        self.wake(1)

    def wake(self, senders: int) -> None:
        """Let so many more senders have their turn."""
        for _ in range(senders):
            self._ahead.release()

    def _open(self) -> bool:
        over = self._job.enough.is_set() or self._job.stopped.is_set()
        return self._begun < self._job.count and not over


class _Sender(threading.Thread):
    """One connection, which takes one request after the other while there are any left."""

    def __init__(self, job: _Job, turns: _Turns) -> None:
        super().__init__(daemon=True)
        self._job, self._turns = job, turns
        self._message = b"" if job.request.is_tcp else written(job.request)
        self._socket: socket.socket | None = None
        self._deadline = math.inf

    def run(self) -> None:
        try:
            while (number := self._turns.take()) is not None:
                began = time.monotonic()
                self._deadline = began + self._job.request.time_limit
                reply = self._exchange()
                self._deadline = math.inf
                took = time.monotonic() - began
                timed = replace(reply, began=self._job.epoch + began, seconds=took)
                self._job.replies.put((number, timed))
        except Exception as error:  # noqa: BLE001 - raised again where the replies are read
            self._job.replies.put(error)
        finally:
            self._close()

    def cut(self) -> None:
        """End what is under way, from another thread."""
        connection = self._socket
        if connection is not None:
            with suppress(OSError):  # it is closed already
                connection.shutdown(socket.SHUT_RDWR)

    def cut_if_late(self) -> None:
        """End what is under way if it has taken too long."""
        if time.monotonic() > self._deadline:
            self.cut()

    def _exchange(self) -> Reply:
        connection = self._connected()
        try:
            # Asked after the socket is known: whoever stops us cuts those that are known by then.
            if self._job.stopped.is_set():
                raise ConnectionAbortedError
            if self._job.request.is_tcp:
                return tcp_requests.converse(connection, self._job.request.url)
            connection.sendall(self._message)
            with http.client.HTTPResponse(connection, method=self._job.request.method) as response:
                response.begin()
                return self._read(response)
        except (OSError, http.client.HTTPException) as error:
            self._close()
            late = time.monotonic() > self._deadline
            return Reply(error=TIMED_OUT if late else error_name(error))

    def _connected(self) -> socket.socket:
        """Come to the proxy. Raises BrokenOff: what fails here never was in the mesh."""
        if self._job.connections.fresh or self._job.request.is_tcp:
            self._close()
        if self._socket is None:
            limit = self._job.request.time_limit
            try:
                self._socket = socket.create_connection(self._job.proxy, limit)
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as error:
                raise _not_sent(self._job.proxy, error) from error
        return self._socket

    def _close(self) -> None:
        connection, self._socket = self._socket, None
        if connection is not None:
            connection.close()

    def _read(self, response: http.client.HTTPResponse) -> Reply:
        body = response.read(BODY_LIMIT)
        if response.length and len(body) < BODY_LIMIT:
            # http.client raises this by itself only where it is asked for all of a body.
            raise http.client.IncompleteRead(body, response.length)
        if time.monotonic() > self._deadline:
            raise TimeoutError
        if response.will_close or not response.isclosed():
            self._close()  # or the rest of a long body is still to come
        headers = tuple(response.getheaders()) if self._job.request.wants_headers else ()
        return Reply(response.status, body.decode(errors="replace"), headers=headers)


def _start(senders: Sequence[_Sender]) -> None:
    try:
        for sender in senders:
            sender.start()
    except RuntimeError as error:  # Python's word for it
        message = f"no {len(senders)} threads can be started to send requests"
        raise EnvironmentFailed(message, hint="Allow more: ulimit -u and ulimit -v") from error


def _not_sent(proxy: tuple[str, int], error: OSError) -> BrokenOff:
    hint = "Is it up? meshdemo status"
    if error.errno in (errno.EMFILE, errno.ENFILE):
        hint = "Allow more open files: ulimit -n"
    elif error.errno == errno.EADDRNOTAVAIL:
        hint = "Send fewer with --requests: each takes a port of this machine for a minute."
    where = f"the pod's own proxy at {proxy[0]}:{proxy[1]}"
    return BrokenOff(f"{where} cannot be reached: {error_name(error)}", hint=hint)


def error_name(error: Exception) -> str:
    """Name a failure in few words that never change, because replies are counted by them."""
    if isinstance(error, ConnectionRefusedError):
        return CONNECTION_REFUSED
    if isinstance(error, TimeoutError):
        return TIMED_OUT
    # http.client reports a hang-up as RemoteDisconnected, within a body as IncompleteRead.
    if isinstance(error, ConnectionError | http.client.IncompleteRead):
        return CONNECTION_RESET
    if isinstance(error, OSError):
        return (error.strerror or "connection failed").lower()
    return NOT_HTTP


def as_sent(request: Request) -> Request:
    """Write the URL as curl does: without fragment and default port."""
    if request.is_tcp:
        return request
    parts = urllib.parse.urlsplit(request.url)
    authority = parts.netloc.removesuffix(":")
    if parts.port == http.client.HTTP_PORT:
        authority = authority.rpartition(":")[0]
    url = urllib.parse.urlunsplit((parts.scheme, authority, parts.path or "/", parts.query, ""))
    return replace(request, url=url)


def written(request: Request, body: str = "") -> bytes:
    """Write a request in absolute form, as to a proxy; headers are the user's alone.

    Raises ValueError for what would be more than one line.
    """
    given = {name.lower() for name, _ in request.headers}
    content = body.encode()
    own: list[tuple[str, str]] = []
    if "host" not in given:
        own.append(("Host", urllib.parse.urlsplit(request.url).netloc))
    if "user-agent" not in given:
        own.append(("User-Agent", "meshdemo"))
    needs_length = bool(content) or request.method in {"POST", "PUT", "PATCH"}
    if needs_length and "content-length" not in given:
        own.append(("Content-Length", str(len(content))))
    lines = [f"{request.method} {request.url} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in (*own, *request.headers)]
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError(f"{request.title} has a line break in its url or a header")
    return "\r\n".join((*lines, "", "")).encode() + content


def environment(
    proxy: str,
    container_env: Mapping[str, str],
    *,
    pod: str = "testclient",
    inherited: Mapping[str, str] = os.environ,
) -> dict[str, str]:
    """Give the environment of a command in the test client.

    It is the user's (``inherited``), so that their programs work, without their proxies and
    exceptions, under the container's own. HTTPS goes to the pod's proxy too: that refuses it,
    where otherwise it would leave the machine. A shell's prompt shows the pod.
    """
    clean = {n: v for n, v in inherited.items() if not n.lower().endswith("_proxy")}
    names = [f"{scheme}_proxy" for scheme in ("http", "https", "all")]
    proxies = {spelled: proxy for name in names for spelled in (name, name.upper())}
    return {**clean, "PS1": f"{pod}$ ", **container_env, **proxies}
