"""What is asked in the test client's container: over real websockets on loopback, by a real shell.

The server is what an API server is to an exec; the container is this machine.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.objects import virtual_service

from meshdemo.engines.cluster import requests
from meshdemo.engines.cluster.api import remote_exec as remote
from meshdemo.engines.cluster.sidecar.data_plane import DataPlane, Place, Unseen
from meshdemo.engines.cluster.sidecar.readiness import SidecarReadiness
from meshdemo.errors import BrokenOff, TimedOut
from meshdemo.verdict.traffic import Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.engines.cluster.conftest import Dial, Serve

    from meshdemo.engines.cluster.api.kube import Kube

TARGET = remote.Target("shop", "testclient", "app")
PODS = {"name": "pods", "kind": "Pod", "namespaced": True, "verbs": ["get"]}
KEY = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""What RFC 6455 adds to a client's key."""
LONG = 45
"""Seconds that no wait of the tests may take, on a busy machine either; unbounded ones take 30."""
RULE = virtual_service(name="split")


class Server(ThreadingHTTPServer):
    """Takes an exec: never answers it, or never says anything in it, or runs it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.upgrades = self.runs = True
        self.signs = 0
        """How often it answers when it is asked for a sign of life."""
        self.loses = False
        """Whether it says of a command that it ended well, and has never run it."""
        self.path = "/usr/bin:/bin"
        """Where the container has its programs."""
        self.over = threading.Event()


def status(code: int) -> bytes:
    """Say as a kubelet does how a command ended."""
    if not code:
        return b'{"status": "Success"}'
    causes = [{"reason": "ExitCode", "message": str(code)}]
    return json.dumps({"status": "Failure", "details": {"causes": causes}}).encode()


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path.endswith("/exec"):
            self.exec(parse_qs(url.query)["command"])
            return
        body = json.dumps({"resources": [PODS]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def exec(self, argv: list[str]) -> None:
        if self.server.upgrades:
            key = self.headers["Sec-WebSocket-Key"].encode() + KEY
            accept = base64.b64encode(hashlib.sha1(key, usedforsecurity=False).digest())
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "Upgrade")
            self.send_header("Sec-WebSocket-Accept", accept.decode())
            self.send_header("Sec-WebSocket-Protocol", remote.V5)
            self.end_headers()
        if self.server.signs:
            self.give_signs()
        if not (self.server.upgrades and self.server.runs):
            self.server.over.wait(30)
            return
        if self.server.loses:
            self.frame(remote.ERROR, status(0))
            return
        environment = {"PATH": self.server.path}
        pipe = subprocess.PIPE
        with subprocess.Popen(
            ["/bin/sh", *argv[1:]], stdin=pipe, stdout=pipe, env=environment
        ) as running:
            assert running.stdin
            assert running.stdout
            try:
                while data := running.stdout.read1(60_000):  # type: ignore[attr-defined]  # it is buffered
                    self.frame(remote.STDOUT, data)
                self.frame(remote.ERROR, status(running.wait()))
            except OSError:  # whoever asked has gone
                running.stdin.close()

    def give_signs(self) -> None:
        """Answer pings: a frame of two bytes, four that mask it, and nothing in it."""
        for _ in range(self.server.signs):
            if self.rfile.read(6)[:2] == b"\x89\x80":
                self.wfile.write(b"\x8a\x00")

    def frame(self, channel: int, data: bytes) -> None:
        self.wfile.write(b"\x82\x7e" + (len(data) + 1).to_bytes(2, "big") + bytes([channel]) + data)

    def log_message(self, *_: object) -> None:
        """Be silent."""


@pytest.fixture
def server(serve: Serve) -> Iterator[Server]:
    server = Server()
    with serve(server):
        yield server
        server.over.set()


@pytest.fixture
def kube(server: Server, dial: Dial) -> Kube:
    return dial(server.server_port)


def soon(seconds: float = 0.3) -> float:
    return time.monotonic() + seconds


def waiter(kube: Kube, said: list[str]) -> SidecarReadiness:
    def notify(text: str, *, lasting: bool = False, always: bool = False) -> None:
        said.append(f"{text} (stays)" if lasting and not always else text)

    return SidecarReadiness(kube, notify, soon())


def test_a_server_that_never_answers_an_exec_is_not_waited_for_beyond_the_deadline(
    server: Server, kube: Kube
) -> None:
    server.upgrades = False
    began = time.monotonic()
    with pytest.raises(remote.Lost, match=r"testclient: .*timed out"):
        next(DataPlane(kube, TARGET).dumps(soon()))
    assert time.monotonic() - began < LONG


def test_requests_that_never_get_their_connection_break_off(server: Server, kube: Kube) -> None:
    server.upgrades = False
    job = requests.Job(Request("http://app/"), 1, fresh_connections=False)
    began = time.monotonic()
    with pytest.raises(BrokenOff, match="timed out"):
        list(requests.send(kube, TARGET, job, 0.3))
    assert time.monotonic() - began < LONG


def test_a_sidecar_of_which_nothing_comes_is_not_waited_for_beyond_the_deadline(
    server: Server, kube: Kube
) -> None:
    server.runs = False
    assert list(DataPlane(kube, TARGET).dumps(soon())) == []
    with pytest.raises(TimedOut, match="testclient did not show in time what it has"):
        waiter(kube, []).wait_for_rules(DataPlane(kube, TARGET), [RULE], None)


@pytest.mark.parametrize("signs", [0, 2])
def test_a_connection_that_gives_no_sign_of_life_any_more_is_lost(
    server: Server, kube: Kube, signs: int
) -> None:
    server.runs, server.signs = False, signs
    with remote.start(kube, TARGET, ["sh"], soon(LONG)) as session:
        session.patience = 0.1
        with pytest.raises(remote.Lost, match="nothing came over the connection"):
            list(session.frames())


def test_a_place_of_which_nothing_comes_is_not_waited_for_beyond_the_deadline(
    server: Server, kube: Kube
) -> None:
    server.runs = False
    with pytest.raises(TimedOut, match="nothing answers at http://app/: the command did not end"):
        waiter(kube, []).wait_for_answers(DataPlane(kube, TARGET), [Place("http://app/")])


@pytest.mark.skipif(not shutil.which("curl"), reason="the image's curl is asked")
def test_a_client_whose_sidecar_shows_nothing_is_named_at_once(kube: Kube) -> None:
    plane = DataPlane(kube, TARGET)
    assert plane.dump() is None
    with pytest.raises(Unseen, match=r"testclient .* cannot be seen: nothing listens .* 15000"):
        waiter(kube, []).wait_for_rules(plane, [RULE], None)


def test_a_client_without_curl_is_named_at_once(server: Server, kube: Kube) -> None:
    server.path = "/nowhere"
    plane = DataPlane(kube, TARGET)
    with pytest.raises(Unseen, match="it has no curl"):
        waiter(kube, []).wait_for_rules(plane, [RULE], None)
    with pytest.raises(Unseen, match="it has no curl"):
        waiter(kube, []).wait_for_answers(plane, [Place("http://app/")])


def test_a_command_that_says_nothing_and_ended_well_was_lost(server: Server, kube: Kube) -> None:
    server.loses = True
    plane = DataPlane(kube, TARGET)
    with pytest.raises(remote.Lost, match="ended without a word"):
        plane.trouble(Place("http://app/"), soon(LONG))
    with pytest.raises(remote.Lost, match="ended without a word"):
        next(plane.dumps(soon(LONG)))
    assert plane.dump() is None
    assert plane.clusters() == ""


def test_a_removal_goes_on_where_it_cannot_be_seen(server: Server, kube: Kube) -> None:
    server.path = "/nowhere"
    said: list[str] = []
    waiter(kube, said).wait_for_absence(DataPlane(kube, TARGET), [RULE])
    (text,) = said
    assert text.endswith("cannot be seen: it has no curl (stays)")
