"""Whoever sends from the event loop reads answers as the sender in threads does."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from meshdemo.engines.local import requests
from meshdemo.engines.local.private.event_loop import EventLoop
from meshdemo.engines.local.private.proxy_client import ProxyClient
from meshdemo.engines.local.requests import Connections
from meshdemo.verdict.traffic import Reply, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 60.0
OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = b"Content-Length: 2\r\n\r\nhi"
CUT_OFF_HEAD = OK + b"Content-"
ANSWERS = {
    "with a length": OK + LENGTH,
    "with repeated and empty headers": OK + b"A: 1\r\nA: 2\r\nB:\r\n" + LENGTH,
    "with a header in latin-1": OK + b"A: \xe4\r\n" + LENGTH,
    "no UTF-8": OK + b"Content-Length: 2\r\n\r\n\xff\xfe",
    "in chunks, with a trailer": OK
    + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n1\r\n!\r\n0\r\nX-T: 1\r\n\r\n",
    "up to the end of the connection": OK + b"\r\nhi",
    "after one that is none yet": b"HTTP/1.1 100 Continue\r\n\r\n" + OK + LENGTH,
    "without a body": b"HTTP/1.1 204 No Content\r\n\r\n",
    "to HEAD": OK + b"Content-Length: 2\r\n\r\n",
    "cut off in its body": OK + b"Content-Length: 9\r\n\r\nhi",
    "none at all": b"",
    "not HTTP": b"SSH-2.0-OpenSSH\r\n\r\n",
    "of a proxy that closes": OK + b"Connection: close\r\n" + LENGTH,
}

ENDING = [
    ANSWERS[name]
    for name in ANSWERS
    if name.startswith(("up to", "cut off", "none at all", "not HTTP", "of a proxy that closes"))
]
ENDING.append(CUT_OFF_HEAD)
"""After these the server closes the connection."""


@pytest.fixture
def loop() -> Iterator[EventLoop]:
    with EventLoop() as found:
        yield found


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_is_read_as_the_sender_in_threads_reads_it(
    answer: bytes, loop: EventLoop
) -> None:
    method = "HEAD" if answer == ANSWERS["to HEAD"] else "GET"
    request = Request("http://app/", method, wants_headers=True)
    with served(answer) as (port, came):
        client = ProxyClient(port)
        found = [loop.run(client.send(request)) for _ in range(2)]
        url = f"http://127.0.0.1:{port}"
        expected = list(requests.send(request, 2, url, Connections(side_by_side=1)))
        loop.run(client.close())
    assert found == expected
    assert len(came) == 4
    assert len(set(came)) == 1, "both write a request alike"
    assert all(reply.seconds is not None for reply in found)


def test_an_answer_without_the_end_of_its_head_is_none(loop: EventLoop) -> None:
    with served(CUT_OFF_HEAD) as (port, _):
        assert loop.run(ProxyClient(port).send(Request())) == Reply(error="connection reset")


def test_a_proxy_that_is_not_there_refuses(loop: EventLoop) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert loop.run(ProxyClient(port).send(Request())) == Reply(error="connection refused")


def test_requests_side_by_side_have_a_connection_each_and_keep_it(loop: EventLoop) -> None:
    together = threading.Barrier(3, timeout=PATIENCE)
    got: list[Reply] = []
    with served(OK + LENGTH, together) as (port, came):
        client = ProxyClient(port)

        async def ask() -> None:
            got.append(await client.send(Request()))

        loop.run_all([ask] * 9, 3)
        assert got == [Reply(200, "hi", headers=(("Content-Length", "2"),))] * 9
        assert len(came.connections) == 3
        loop.run(client.close())


def test_what_fails_ends_the_rest_with_the_loop() -> None:
    with served(b"", silent=True) as (port, _), EventLoop() as loop:
        client = ProxyClient(port)
        ended: list[str] = []

        async def wait() -> None:
            try:
                await client.send(Request())
            finally:
                ended.append("waiting")

        async def fail() -> None:
            raise KeyError("why")

        with pytest.raises(KeyError, match="why"):
            loop.run_all([wait, fail], 2)
        assert not ended
    assert ended == ["waiting"]


class Came(list[bytes]):
    """The requests that came, and the connections on which they did."""

    def __init__(self) -> None:
        super().__init__()
        self.connections: list[socket.socket] = []


@contextmanager
def served(
    answer: bytes, together: threading.Barrier | None = None, *, silent: bool = False
) -> Iterator[tuple[int, Came]]:
    """Give the same answer to every request, and close where that is its end."""
    came = Came()
    ends = answer in ENDING

    def serve(peer: socket.socket) -> None:
        with peer:
            while head := peer.recv(10_000):
                came.append(head)
                if silent:
                    continue
                if together:
                    together.wait()
                peer.sendall(answer)
                if ends:
                    return

    def accept() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return  # closed: the test is over
            peer.settimeout(PATIENCE)
            came.connections.append(peer)
            threads.append(threading.Thread(target=serve, args=(peer,)))
            threads[-1].start()

    threads = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads.append(threading.Thread(target=accept))
        threads[0].start()
        try:
            yield listener.getsockname()[1], came
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            deadline = time.monotonic() + PATIENCE
            for thread in threads:
                thread.join(deadline - time.monotonic())
