"""The sender, against real servers on loopback that stand for the test client's proxy."""

from __future__ import annotations

import resource
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING

import pytest
from tests.unit.engines.local.conftest import held_port

from meshdemo.engines.local.requests import (
    AHEAD,
    BODY_LIMIT,
    SIDE_BY_SIDE,
    Connections,
    environment,
    send,
)
from meshdemo.errors import BrokenOff, InputError
from meshdemo.verdict import traffic
from meshdemo.verdict.traffic import Reply, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from http.server import BaseHTTPRequestHandler

    from tests.unit.engines.local.conftest import Recorder

LOOPBACK = "127.0.0.1"
PATIENCE = 60.0


def test_each_request_gets_one_reply(recorder: Recorder) -> None:
    replies = list(send(Request(), 100, recorder.url))
    assert replies == [Reply(200, "v1")] * 100
    assert len(recorder.requests) == 100


def test_each_reply_has_its_time(recorder: Recorder) -> None:
    before = time.time()
    replies = list(send(Request(), 20, recorder.url, Connections(side_by_side=1)))
    began = [reply.began or 0.0 for reply in replies]
    ended = [start + (reply.seconds or 0.0) for start, reply in zip(began, replies, strict=True)]
    in_order = [moment for pair in zip(began, ended, strict=True) for moment in pair]
    assert in_order == sorted(in_order), "one ends before the next one begins"
    assert before - 0.01 < in_order[0] < in_order[-1] < time.time() + 0.01


def test_connections_are_kept_and_shared(recorder: Recorder) -> None:
    list(send(Request(), 200, recorder.url))
    assert 1 <= recorder.connections <= SIDE_BY_SIDE


def test_one_side_by_side_sends_all_requests_in_turn_on_one_connection(recorder: Recorder) -> None:
    list(send(Request(), 50, recorder.url, Connections(side_by_side=1)))
    assert recorder.connections == 1


def test_fresh_connections_are_one_for_each_request(recorder: Recorder) -> None:
    list(send(Request(), 50, recorder.url, Connections(fresh=True)))
    assert recorder.connections == 50


def test_replies_come_in_the_order_of_the_requests(recorder: Recorder) -> None:
    """Else whoever stops in between sees more of the quick ones."""
    first = threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        slow = len(recorder.requests) == 1
        if slow:
            first.wait(PATIENCE)
        elif len(recorder.requests) == 10:
            first.set()
        recorder.respond(handler, 200, b"slow" if slow else b"quick")

    recorder.answer = answer
    replies = list(send(Request(), 10, recorder.url))
    assert [reply.body for reply in replies].index("slow") < 10 - 1
    assert Counter(reply.body for reply in replies) == {"slow": 1, "quick": 9}


def test_once_there_is_enough_only_what_is_under_way_comes(recorder: Recorder) -> None:
    enough = threading.Event()
    replies: list[Reply] = []
    for reply in send(Request(), 10_000, recorder.url, enough=enough):
        replies.append(reply)
        if len(replies) == 5:
            enough.set()
    assert 5 <= len(replies) <= 5 + AHEAD * SIDE_BY_SIDE
    assert len(recorder.requests) == len(replies), "each that was sent is counted"


def test_no_requests_give_no_replies(recorder: Recorder) -> None:
    assert list(send(Request(), 0, recorder.url)) == []
    assert recorder.connections == 0


@pytest.mark.parametrize(
    ("url", "sent", "host"),
    [
        ("http://app/env/version", "http://app/env/version", "app"),
        ("http://app:80/a", "http://app/a", "app"),
        ("http://app:8000?x=1", "http://app:8000/?x=1", "app:8000"),
        ("http://app.shop/a%20b/../c#part", "http://app.shop/a%20b/../c", "app.shop"),
    ],
)
def test_a_url_is_sent_whole_as_curl_would(
    recorder: Recorder, url: str, sent: str, host: str
) -> None:
    list(send(Request(url), 1, recorder.url))
    _, path, headers, _ = recorder.requests[0]
    assert (path, dict(headers)["Host"]) == (sent, host)


def test_method_and_headers_are_the_users(recorder: Recorder) -> None:
    headers = (("x-a", "1"), ("x-a", "2"), ("Host", "other"), ("user-agent", "me"), ("x-e", ""))
    list(send(Request("http://app/", "POST", headers), 1, recorder.url))
    method, _, sent, _ = recorder.requests[0]
    assert method == "POST"
    assert sent == [("Content-Length", "0"), *headers]


def test_nothing_but_our_name_is_added_to_a_get(
    recorder: Recorder,
) -> None:
    list(send(Request("http://app/"), 1, recorder.url))
    assert recorder.requests[0][2] == [("Host", "app"), ("User-Agent", "meshdemo")]


def test_the_users_proxy_variables_are_not_used(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://192.0.2.1:1")
    monkeypatch.setenv("no_proxy", "*")
    replies = list(send(Request(), 1, recorder.url))
    assert replies == [Reply(200, "v1")]


def test_redirects_are_not_followed(recorder: Recorder) -> None:
    recorder.answer = lambda handler: recorder.respond(
        handler, 302, b"", location="http://app/next"
    )
    replies = list(send(Request(), 3, recorder.url))
    assert replies == [Reply(302)] * 3
    assert len(recorder.requests) == 3


def test_of_a_long_body_only_the_beginning_is_read(
    recorder: Recorder,
) -> None:
    recorder.answer = lambda handler: recorder.respond(handler, 200, b"x" * 3 * BODY_LIMIT)
    for reply in send(Request(), 2 * SIDE_BY_SIDE, recorder.url):
        assert reply == Reply(200, "x" * BODY_LIMIT)


def test_a_body_need_not_be_text(recorder: Recorder) -> None:
    recorder.answer = lambda handler: recorder.respond(handler, 200, b"\xff\xfe")
    replies = list(send(Request(), 1, recorder.url))
    assert replies == [Reply(200, "\N{REPLACEMENT CHARACTER}" * 2)]


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        pytest.param(b"", Reply(error="connection reset"), id="hangs-up"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nv1",
            Reply(error="connection reset"),
            id="hangs-up-within-the-body",
        ),
        pytest.param(b"SSH-2.0-x\r\n", Reply(error="not an HTTP answer"), id="speaks-ssh"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\n\r\nv1", Reply(200, "v1"), id="body-ends-with-connection"
        ),
    ],
)
def test_a_request_that_fails_is_a_reply_and_is_not_sent_again(answer: bytes, reply: Reply) -> None:
    with raw_server(lambda peer: peer.sendall(answer)) as (url, served):
        replies = list(send(Request(), 20, url))
    assert replies == [reply] * 20
    assert len(served) == 20


def test_a_kept_connection_that_was_closed_is_an_error_not_a_second_try(
    recorder: Recorder,
) -> None:
    def answer_once(handler: BaseHTTPRequestHandler) -> None:
        recorder.respond(handler, 200, b"v1")
        handler.close_connection = True  # without having said so

    recorder.answer = answer_once
    count = 5 * SIDE_BY_SIDE
    kinds = Counter(send(Request(), count, recorder.url))
    assert set(kinds) <= {Reply(200, "v1"), Reply(error="connection reset")}
    assert kinds.total() == count
    assert len(recorder.requests) == kinds[Reply(200, "v1")]


def test_what_does_not_come_to_the_proxy_is_no_reply() -> None:
    cause = "cannot be reached: connection refused"
    with held_port() as port, pytest.raises(BrokenOff, match=cause):
        list(send(Request(), 20, f"http://{LOOPBACK}:{port}"))


def test_a_proxy_that_goes_meanwhile_ends_it_after_the_replies_that_came() -> None:
    server = socket.create_server((LOOPBACK, 0), reuse_port=True)
    # Bound and not listening: nobody else can have the port when the server has gone.
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    held.bind(server.getsockname())

    def answer_three() -> None:
        with server:
            for _ in range(3):
                peer, _ = server.accept()
                with peer:
                    peer.recv(65536)
                    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nv1")

    answering = threading.Thread(target=answer_three)
    answering.start()
    one_by_one = Connections(side_by_side=1, fresh=True)
    replies = send(Request(), 20, f"http://{LOOPBACK}:{server.getsockname()[1]}", one_by_one)
    assert list(islice(replies, 3)) == [Reply(200, "v1")] * 3
    answering.join()
    broken = r"cannot be reached: connection (refused|reset)"
    rest: list[Reply] = []
    with held, pytest.raises(BrokenOff, match=broken):
        rest.extend(replies)
    # The next connection may have been made just before the server went.
    assert rest in ([], [Reply(error="connection reset")])


def test_too_few_open_files_are_no_fault_of_the_mesh(recorder: Recorder) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as lowest:
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest.fileno(), hard))
        try:
            with pytest.raises(BrokenOff, match="too many open files") as broken:
                list(send(Request(), 20, recorder.url))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert "ulimit -n" in broken.value.hint


LITTLE_MEMORY = """
import resource, sys
from meshdemo.engines.local import requests
from meshdemo.errors import EnvironmentFailed
from meshdemo.verdict.traffic import Request
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 30_000_000,) * 2)
try:
    list(requests.send(Request(), 100, sys.argv[1]))
except EnvironmentFailed as error:
    sys.exit(error.message)
"""
"""Leaves room for the stacks of some threads, and not of all."""


def test_too_few_threads_are_no_fault_of_the_mesh(recorder: Recorder) -> None:
    argv = [sys.executable, "-c", LITTLE_MEMORY, recorder.url]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.stderr == f"no {SIDE_BY_SIDE} threads can be started to send requests\n"


def trickle(peer: socket.socket) -> None:
    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n")
    try:
        while True:
            peer.sendall(b"x")
            time.sleep(0.05)
    except OSError:
        pass  # the client has given up


@pytest.mark.parametrize(
    "behave",
    [
        pytest.param(lambda peer: peer.recv(1), id="never-answers"),
        pytest.param(trickle, id="answers-for-ever"),
    ],
)
def test_a_request_that_takes_too_long_is_timed_out(
    behave: Callable[[socket.socket], object],
) -> None:
    with raw_server(behave) as (url, _):
        began = time.monotonic()
        replies = list(send(Request(time_limit=0.3), 3, url))
        assert time.monotonic() - began < PATIENCE
    assert replies == [Reply(error=traffic.TIMED_OUT)] * 3


@pytest.mark.parametrize("count", [1, 1_000_000], ids=["nothing comes", "replies go on"])
def test_the_timeout_bounds_all_requests_and_keeps_the_replies_until_then(
    recorder: Recorder, count: int
) -> None:
    release = threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if count == 1:
            release.wait(PATIENCE)
        recorder.respond(handler, 200, b"v1")

    recorder.answer = answer
    replies = send(Request(), count, recorder.url, timeout=0.3)
    got: list[Reply] = []
    began = time.monotonic()
    with pytest.raises(BrokenOff, match="when the time was over"):
        got.extend(replies)
    release.set()
    assert 0.3 <= time.monotonic() - began < PATIENCE / 2
    assert bool(got) is (count > 1)


def test_leaving_early_ends_everything(recorder: Recorder) -> None:
    hold, held, release = threading.Event(), threading.Event(), threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if hold.is_set():
            held.set()
            release.wait(PATIENCE)
        recorder.respond(handler, 200, b"v1")

    recorder.answer = answer
    before = threading.active_count()
    replies = send(Request(), 100_000, recorder.url)
    assert list(islice(replies, 2)) == [Reply(200, "v1")] * 2
    hold.set()
    assert held.wait(PATIENCE)
    sent = len(recorder.requests)
    began = time.monotonic()
    replies.close()  # type: ignore[attr-defined] # it is a generator
    assert time.monotonic() - began < PATIENCE / 2
    release.set()
    deadline = time.monotonic() + PATIENCE
    while (recorder.open or threading.active_count() > before) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert recorder.open == 0
    assert len(recorder.requests) <= sent + SIDE_BY_SIDE


def test_what_cannot_be_sent_is_refused_at_once() -> None:
    with pytest.raises(InputError, match="cannot be sent"):
        send(Request("http://app:99999/"), 1, "http://127.0.0.1:1")


PROXY = "http://127.0.0.1:20001"


def test_a_command_has_the_users_environment_but_for_their_proxies() -> None:
    inherited = {
        "HOME": "/home/me",
        "Http_Proxy": "http://company:3128",
        "NO_PROXY": "*",
        "ftp_proxy": "x",
        "socks_proxy": "x",
        "PROXY_NAME": "kept",
    }
    env = environment(PROXY, {"version": "v1"}, pod="client-1", inherited=inherited)
    proxies = {n: v for n, v in env.items() if n.lower().endswith("_proxy")}
    assert proxies == dict.fromkeys(
        ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"), PROXY
    )
    rest = {n: v for n, v in env.items() if n not in proxies}
    assert rest == {
        "HOME": "/home/me",
        "PROXY_NAME": "kept",
        "version": "v1",
        "PS1": "client-1$ ",
    }


def test_the_containers_environment_wins_over_the_users_but_not_over_its_proxy() -> None:
    env = environment(PROXY, {"A": "container", "http_proxy": "http://else"}, inherited={"A": "me"})
    assert env["A"] == "container"
    assert env["http_proxy"] == PROXY


@contextmanager
def raw_server(behave: Callable[[socket.socket], object]) -> Iterator[tuple[str, list[bytes]]]:
    """Serve one request a connection, in whatever way, and remember the requests."""
    served: list[bytes] = []
    threads: list[threading.Thread] = []

    def serve(peer: socket.socket) -> None:
        with peer:
            peer.settimeout(PATIENCE)
            if head := peer.recv(10_000):
                served.append(head)
                behave(peer)

    def accept() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return  # closed: the test is over
            threads.append(threading.Thread(target=serve, args=(peer,)))
            threads[-1].start()

    with socket.create_server((LOOPBACK, 0)) as listener:
        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield f"http://{LOOPBACK}:{listener.getsockname()[1]}", served
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            acceptor.join()
            for thread in threads:
                thread.join()
