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

from meshdemo.engines.access_log import Account
from meshdemo.engines.cluster import observation, requests
from meshdemo.engines.results import Observed
from meshdemo.system import waiting
from meshdemo.verdict.traffic import Reply, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
        self.calls: list[tuple[str, str | None]] = []
        """What admin was asked for, and the mark."""


class Handler(BaseHTTPRequestHandler):
    server: Sidecar

    def do_POST(self) -> None:
        self.server.calls.append((self.path, self.headers["x-meshdemo"]))
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
    within = observation.TALKATIVE.replace("127.0.0.1:15000", admin).replace("MARK", MARK)
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
    assert sidecar.calls == [
        ("/logging", f"begin {MARK}"),
        ("/logging?http=debug", f"begin {MARK}"),
        ("/logging?router=debug", f"begin {MARK}"),
        ("/reopen_logs", f"end {MARK}"),
        ("/logging?http=info", f"end {MARK}"),
        ("/logging?router=warning", f"end {MARK}"),
    ]


@pytest.mark.skipif(not shutil.which("flock"), reason="without flock two may be under way at once")
def test_two_at_once_leave_it_as_it_was(sidecar: Sidecar) -> None:
    before, sidecar.delay = dict(sidecar.levels), 0.3
    shells = [
        subprocess.Popen(
            ["sh", "-c", script(sidecar)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(3)
    ]
    try:
        for shell in shells:
            assert shell.stdout is not None
            assert requests.read(shell.stdout.read(), MARK) == [Reply(200, "v1")]
            shell.wait(timeout=30)
    finally:
        for shell in shells:
            for stream in (shell.stdin, shell.stdout):
                assert stream is not None
                stream.close()
            shell.kill()
            shell.wait()
    assert sidecar.seen == 3 * [{**before, "http": "debug", "router": "debug"}]
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


ID, TRACED = "0b6d7cb1-8f8d-4c3d-9d0f-0a4b1c2d3e4f", "0b6d7cb1-8f8d-9c3d-9d0f-0a4b1c2d3e4f"
AT = "2026-11-30T01:18:28.288822Z\tdebug\tenvoy {} x.cc:1\t"
OWN, COPY = (f'[Tags: "ConnectionId":"{n}","StreamId":"{n}7"]' for n in (45, 0))
TO = "outbound|80|{}|app.default.svc.cluster.local"
BEGIN, END = (f"'x-meshdemo', '{word} {MARK}'" for word in ("begin", "end"))
FIRST = [BEGIN, f"{AT.format('http')}{OWN} request headers complete:", f"'x-request-id', '{ID}'"]
REST = [
    f"{AT.format('router')}{OWN} cluster '{TO.format('v1')}' match for URL '/'",
    f"{AT.format('router')}{COPY} cluster '{TO.format('v2')}' match for URL '/'",
    f"{AT.format('router')}{COPY} router decoding headers:",
    "'x-request-id', '{}'",
    f"{AT.format('router')}{OWN} upstream headers complete: end_stream=false",
    f"{AT.format('http')}{OWN} encoding headers via codec (end_stream=false):",
    "':status', '200'",
]
ACCESS = (
    '[2026-11-30T01:18:28.288Z] "GET / HTTP/1.1" 200 - via_upstream - "-" 0 2 4 2 "-" "curl/8" '
    f'"{{}}" "app" "10.244.0.3:80" {TO.format("v1")} 10.1.1.1:1 10.2.2.2:80 10.1.1.1:2 - default'
)


def readings(*parts: list[str]) -> Callable[[], list[str]]:
    """Give a log that has one part more each time that it is read."""
    seen, rest = [], list(parts)

    def read() -> list[str]:
        seen.extend(rest.pop(0) if rest else [])
        return list(seen)

    return read


def told(read: Callable[[], list[str]], patience: float = 30.0) -> Observed:
    seen = Observed(Reply(200, "v1"), 0.1)
    return observation.told(seen, read, ID, MARK, patience)


@pytest.mark.parametrize("written", [ID, TRACED], ids=["not traced", "traced"])
def test_a_log_is_waited_for_until_all_of_it_is_there(written: str) -> None:
    rest = [line.format(written) for line in REST]
    whole = Account(
        200,
        (),
        "via_upstream",
        cluster=TO.format("v1"),
        request_id=ID,
        retries=0,
        copies=(TO.format("v2"),),
    )
    for place in range(len(rest)):
        found = told(readings(FIRST, rest[:place], [*rest[place:], END]))
        assert found.account == whole, found.hidden


@pytest.mark.parametrize("written", [ID, TRACED], ids=["not traced", "traced"])
@pytest.mark.parametrize("place", ["before", "after", "late"])
def test_a_line_of_the_access_log_says_most(written: str, place: str) -> None:
    other, own = ACCESS.format("other"), ACCESS.format(written)
    whole = [other, *FIRST, *(line.format(written) for line in REST), END]
    parts = {"before": [[own, *whole]], "after": [[*whole, own]], "late": [whole, [], [own]]}
    account = told(readings(*parts[place])).account
    assert account is not None
    assert (account.endpoint, account.copies) == ("10.244.0.3:80", (TO.format("v2"),))


def test_what_comes_after_the_end_is_of_another_request() -> None:
    rest = [line.format(ID) for line in REST]
    account = told(readings([*FIRST, rest[0], *rest[4:], END, *rest[1:4]])).account
    assert account is not None
    assert account.copies == ()


def test_where_it_saw_no_http_request_nothing_is_waited_for() -> None:
    found = told(readings([ACCESS.format("other"), BEGIN, END], FIRST))
    assert (found.account, found.hidden) == (None, observation.NO_REQUEST)
    assert found.unseen


def test_what_is_told_in_the_access_log_alone_is_not_lost() -> None:
    for lines in ([ACCESS.format(ID)], [BEGIN, ACCESS.format(ID), END]):
        account = told(lambda lines=lines: lines, 0.1).account  # type: ignore[misc]
        assert account is not None
        assert (account.endpoint, account.retries, account.copies) == ("10.244.0.3:80", None, None)


def test_of_a_log_that_is_not_whole_only_what_is_there_is_told() -> None:
    rest = [line.format(ID) for line in REST]
    account = told(lambda: [*FIRST[1:], *rest, END], 0.1).account
    assert account is not None
    assert (account.cluster, account.retries, account.copies) == (TO.format("v1"), None, None)
    nothing = told(list, 0.1)
    assert (nothing.account, nothing.hidden, nothing.unseen) == (None, observation.NO_LINE, False)
