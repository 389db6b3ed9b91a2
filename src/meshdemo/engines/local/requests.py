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
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from meshdemo.errors import BrokenOff, EnvironmentFailed
from meshdemo.verdict import traffic
from meshdemo.verdict.traffic import (
    CONNECTION_REFUSED,
    CONNECTION_RESET,
    TIME_LIMIT,
    TIMED_OUT,
    Reply,
    Request,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SIDE_BY_SIDE = 32
"""How many requests are under way at once. Fewer leave Envoy waiting for us and us for Envoy; many
more would be a load test of the user's app."""
BODY_LIMIT = 64 * 1024
"""How many bytes of an answer's body are read."""

NOT_HTTP = "not an HTTP answer"

_OVERDUE_PAUSE = 0.25
"""Seconds between two looks for requests that take too long."""


@dataclass(frozen=True, slots=True)
class Connections:
    """How requests are spread over connections to the proxy."""

    side_by_side: int = SIDE_BY_SIDE
    """How many there are at once; with one, a request follows the answer to the one before."""
    fresh: bool = False
    """Whether each request gets a new one, or they are kept alive."""


def send(
    request: Request,
    count: int,
    proxy: str,
    connections: Connections = Connections(),
    *,
    timeout: float = math.inf,
    time_limit: float = TIME_LIMIT,
) -> Iterator[Reply]:
    """Send a request ``count`` times through the HTTP proxy, and give the replies as they come.

    Nothing is sent twice: a request that fails is a reply with an error. Redirects are not
    followed. Closing the iterator ends whatever is under way.
    Raises InputError at once if this is not a request that can be sent, and BrokenOff from the
    iterator if not all replies are there ``timeout`` seconds after the first was asked for, or if
    a request does not even come to the proxy: that says nothing about where it would have gone.
    """
    traffic.check(request)
    url = urllib.parse.urlsplit(proxy)
    address = url.hostname or "", url.port or http.client.HTTP_PORT
    return _Job(_as_sent(request), count, address, connections, time_limit).run(timeout)


@dataclass(frozen=True, slots=True)
class _Job:
    """What all senders share."""

    request: Request
    count: int
    proxy: tuple[str, int]
    connections: Connections
    time_limit: float
    replies: queue.SimpleQueue[Reply | Exception] = field(default_factory=queue.SimpleQueue)
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self, timeout: float) -> Iterator[Reply]:
        deadline = time.monotonic() + timeout
        left = threading.Semaphore(self.count)
        senders = [
            _Sender(self, left) for _ in range(min(self.connections.side_by_side, self.count))
        ]
        try:
            _start(senders)
            for _ in range(self.count):
                if (reply := self._next(senders, deadline)) is None:
                    raise BrokenOff(
                        f"{self.count:,} requests took longer than {timeout:g} s",
                        hint="Allow more with --timeout, or send fewer with --requests.",
                    )
                yield reply
        finally:
            self.stopped.set()
            for sender in senders:
                sender.cut()
            for sender in senders:
                if sender.is_alive():
                    sender.join()

    def _next(self, senders: list[_Sender], deadline: float) -> Reply | None:
        """Wait for a reply; None if it is not there in time."""
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
        return None


class _Sender(threading.Thread):
    """One connection, which takes one request after the other while there are any left."""

    def __init__(self, job: _Job, left: threading.Semaphore) -> None:
        super().__init__(daemon=True)
        self._job = job
        self._left = left
        self._connection = http.client.HTTPConnection(*job.proxy, timeout=job.time_limit)
        self._socket: socket.socket | None = None
        self._deadline = math.inf

    def run(self) -> None:
        try:
            while self._left.acquire(blocking=False) and not self._job.stopped.is_set():
                self._deadline = time.monotonic() + self._job.time_limit
                self._job.replies.put(self._exchange())
                self._deadline = math.inf
        except Exception as error:  # noqa: BLE001 - raised again where the replies are read
            self._job.replies.put(error)
        finally:
            self._connection.close()

    def cut(self) -> None:
        """End what is under way, from another thread."""
        if self._socket is not None:
            with suppress(OSError):  # it is closed already
                self._socket.shutdown(socket.SHUT_RDWR)

    def cut_if_late(self) -> None:
        """End what is under way if it has taken too long."""
        if time.monotonic() > self._deadline:
            self.cut()

    def _exchange(self) -> Reply:
        self._connect()
        try:
            # Asked after the socket is known: whoever stops us cuts those that are known by then.
            if self._job.stopped.is_set():
                raise ConnectionAbortedError
            _put(self._connection, self._job.request)
            self._connection.endheaders()
            return self._read(self._connection.getresponse())
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            late = time.monotonic() > self._deadline
            return Reply(error=TIMED_OUT if late else _name(error))

    def _connect(self) -> None:
        """Come to the proxy. Raises BrokenOff: what fails here never was in the mesh."""
        if self._job.connections.fresh:
            self._connection.close()
        if self._connection.sock is None:
            try:
                self._connection.connect()
            except OSError as error:
                raise _not_sent(self._job.proxy, error) from error
            self._socket = self._connection.sock

    def _read(self, response: http.client.HTTPResponse) -> Reply:
        body = response.read(BODY_LIMIT)
        if response.length and len(body) < BODY_LIMIT:
            # http.client raises this by itself only where it is asked for all of a body.
            raise http.client.IncompleteRead(body, response.length)
        if time.monotonic() > self._deadline:
            raise TimeoutError
        if not response.isclosed():
            self._connection.close()  # the rest of a long body is still to come
        return Reply(response.status, body.decode(errors="replace"))


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
    return BrokenOff(f"{where} cannot be reached: {_name(error)}", hint=hint)


def _name(error: Exception) -> str:
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


def _as_sent(request: Request) -> Request:
    """Write the URL as curl does: without fragment and default port."""
    parts = urllib.parse.urlsplit(request.url)
    authority = parts.netloc.removesuffix(":")
    if parts.port == http.client.HTTP_PORT:
        authority = authority.rpartition(":")[0]
    url = urllib.parse.urlunsplit(("http", authority, parts.path or "/", parts.query, ""))
    return replace(request, url=url)


def _put(connection: http.client.HTTPConnection, request: Request) -> None:
    """Write a request's head, in absolute form, as to a proxy; headers are the user's alone."""
    given = {name.lower() for name, _ in request.headers}
    connection.putrequest(
        request.method, request.url, skip_host="host" in given, skip_accept_encoding=True
    )
    if "user-agent" not in given:
        connection.putheader("User-Agent", "meshdemo")
    if request.method in {"POST", "PUT", "PATCH"} and "content-length" not in given:
        connection.putheader("Content-Length", "0")
    for name, value in request.headers:
        connection.putheader(name, value.encode())


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
