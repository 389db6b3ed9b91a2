"""Whether something answers: asked by a shell, as in the test client, of servers on loopback."""

from __future__ import annotations

import shutil
import socket
import socketserver
import subprocess
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from meshdemo.engines.cluster.sidecar.data_plane import LED_ASTRAY, NOT_KNOWN, Place
from meshdemo.engines.results import ANSWERS_IN_A_ROW

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK = "0123abcd"
ENVOY = "upstream connect error or disconnect/reset before headers. reset reason: "
REFUSED = f"{ENVOY}remote connection failure, transport failure reason: delayed connect error: 111"
GARBAGE = f"{ENVOY}protocol error"
SAID = {
    "an answer": (200, "v1"),
    "an error of the app": (503, "not today"),
    "a sidecar whose app does not listen": (503, REFUSED),
    "a sidecar whose app speaks no HTTP": (503, GARBAGE),
}
pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="the image's curl is asked")


@contextmanager
def server(answer: bytes) -> Iterator[int]:
    """Answer every connection with these bytes."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(4096)
            self.request.sendall(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found.server_address[1]
        found.shutdown()
        thread.join()


def http(status: int, body: str) -> bytes:
    head = f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return f"{head}{body}".encode()


def trouble(port: int, *, is_http: bool) -> str:
    place = Place(f"http://127.0.0.1:{port}/", is_http)
    done = subprocess.run(["sh", "-c", place.script(MARK)], capture_output=True, check=False)
    return place.trouble(done.stdout, MARK)


@pytest.mark.parametrize(
    ("said", "is_http", "wrong"),
    [
        ("an answer", True, ""),
        ("an error of the app", True, ""),
        ("a sidecar whose app does not listen", True, "503"),
        ("a sidecar whose app does not listen", False, "503"),
        ("a sidecar whose app speaks no HTTP", True, "503"),
        ("a sidecar whose app speaks no HTTP", False, ""),
    ],
)
def test_a_place_answers_when_its_app_does(said: str, is_http: bool, wrong: str) -> None:
    with server(http(*SAID[said])) as port:
        assert trouble(port, is_http=is_http)[:3] == wrong


@pytest.mark.parametrize("is_http", [True, False], ids=["http", "detected"])
def test_where_nobody_listens_there_is_no_connection(is_http: bool) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        assert trouble(held.getsockname()[1], is_http=is_http) == "no connection"


def test_of_a_port_that_is_not_declared_to_be_http_it_is_enough_to_listen() -> None:
    with server(b"220 mail.example ready\r\n") as port:
        assert trouble(port, is_http=True) == "no connection"
        assert trouble(port, is_http=False) == ""


@pytest.mark.parametrize(
    ("endpoints", "known"),
    [
        (("10.0.0.7:80", "[fd00::8]:80"), True),
        (("10.0.0.7:80",), False),
        (("10.0.0.70:80", "[fd00::8]:80"), False),
        ((), False),
        (None, True),
    ],
    ids=["all", "one is missing", "another address", "none yet", "not to be seen"],
)
def test_a_share_is_fair_when_the_sidecar_knows_all_pods(
    endpoints: tuple[str, ...] | None, known: bool
) -> None:
    pods = (("10.0.0.7",), ("fd00::8",))
    place = Place("http://app/", cluster="outbound|80||app", pods=pods)
    lines = [f"{place.cluster}::{each}::health_flags::healthy\n" for each in endpoints or ()]
    if endpoints is not None:
        lines = [f"{place.cluster}::default_priority::max_connections::1024\n", *lines]
    said = f"v1\n{MARK} 200 1\n{''.join(lines)}"
    assert place.trouble(said.encode(), MARK) == ("" if known else NOT_KNOWN)


@pytest.mark.parametrize("listed", [True, False])
def test_rules_that_lead_to_no_pod_are_told_from_pods_that_are_not_there_yet(
    *, listed: bool
) -> None:
    place = Place("http://app/", cluster="outbound|80||app", pods=(("10.0.0.7",),))
    line = f"{place.cluster}::10.0.0.7:80::health_flags::healthy\n" if listed else ""
    other = f"{place.cluster}::default_priority::max_connections::1024\n"
    said = f"no healthy upstream\n{MARK} 503 1\n{other}{line}"
    found = place.trouble(said.encode(), MARK)
    assert found == (LED_ASTRAY if listed else "503 no healthy upstream")


def test_a_client_without_curl_is_said_so() -> None:
    assert "no curl" in Place("http://app/").trouble(b"", MARK)
    assert f"-lt {ANSWERS_IN_A_ROW}" in Place("http://app/").script(MARK)
