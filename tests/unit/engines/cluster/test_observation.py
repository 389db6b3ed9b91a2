"""A sidecar says more while one request is sent, and as much as before afterwards.

The script runs in a real shell; Envoy's admin is a server on loopback.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from meshdemo.engines.cluster import observation, requests
from meshdemo.system import waiting
from meshdemo.verdict.traffic import Reply, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.engines.cluster.conftest import Serve

MARK = "0123abcd"
pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="the script runs curl")


class Sidecar(ThreadingHTTPServer):
    """Envoy's admin, and an app behind it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.levels = {"admin": "warning", "http": "info", "http2": "error", "router": "warning"}
        self.seen: list[dict[str, str]] = []
        """The levels while a request came."""
        self.delay = 0.0


class Handler(BaseHTTPRequestHandler):
    server: Sidecar

    def do_POST(self) -> None:
        name, _, level = urlsplit(self.path).query.partition("=")
        if name:
            self.server.levels[name] = level
        lines = "".join(f"  {name}: {level}\n" for name, level in self.server.levels.items())
        self.say(f"active loggers:\n{lines}")

    def do_GET(self) -> None:
        self.server.seen.append(dict(self.server.levels))
        time.sleep(self.server.delay)
        self.say("v1")

    def say(self, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Be silent."""


@pytest.fixture
def sidecar(serve: Serve) -> Iterator[Sidecar]:
    server = Sidecar()
    with serve(server):
        yield server


def script(sidecar: Sidecar, port: int | None = None) -> str:
    admin = f"127.0.0.1:{port or sidecar.server_port}"
    within = observation.TALKATIVE.replace("127.0.0.1:15000", admin)
    url = f"http://127.0.0.1:{sidecar.server_port}/it's"
    job = requests.Job(Request(url), 1, fresh_connections=False, within=within)
    return job.script(MARK)


def test_it_says_more_for_the_request_alone(sidecar: Sidecar) -> None:
    before = dict(sidecar.levels)
    stdin, ours = os.pipe()
    try:
        done = subprocess.run(
            ["sh", "-c", script(sidecar)], stdin=stdin, capture_output=True, check=True
        )
    finally:
        os.close(stdin)
        os.close(ours)
    assert requests.read(done.stdout, MARK) == [Reply(200, "v1")]
    assert sidecar.seen == [{**before, "http": "debug", "router": "debug"}]
    assert sidecar.levels == before


@pytest.mark.parametrize("how", ["connection lost", "terminated"])
def test_it_is_put_back_also_when_interrupted(sidecar: Sidecar, how: str) -> None:
    before, sidecar.delay = dict(sidecar.levels), 1.0
    shell = subprocess.Popen(
        ["sh", "-c", script(sidecar)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        waiting.until(lambda: sidecar.seen, "the request", timeout=30)
        assert sidecar.levels != before
        if how == "terminated":
            shell.send_signal(signal.SIGTERM)
        for stream in (shell.stdin, shell.stdout, shell.stderr):
            assert stream is not None
            stream.close()
        waiting.until(lambda: sidecar.levels == before, "the levels to be back", timeout=30)
        shell.wait(timeout=30)
    finally:
        shell.kill()
        shell.wait()


def test_where_there_is_no_admin_the_request_is_sent_all_the_same(sidecar: Sidecar) -> None:
    stdin, ours = os.pipe()
    try:
        done = subprocess.run(
            ["sh", "-c", script(sidecar, port=1)], stdin=stdin, capture_output=True, check=True
        )
    finally:
        os.close(stdin)
        os.close(ours)
    assert requests.read(done.stdout, MARK) == [Reply(200, "v1")]
