"""The test client's loop: what it is asked to do, and how its records are read."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import signal
import socketserver
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.objects import destination_rule, manifest, service, to, virtual_service
from websocket import ABNF

from meshdemo.engines.cluster import requests
from meshdemo.engines.cluster.api.remote_exec import STDOUT, Target, read_status
from meshdemo.engines.cluster.namespace_view import View
from meshdemo.engines.cluster.pods import status
from meshdemo.errors import InputError
from meshdemo.system.shell import NO_SUCH_COMMAND, NOT_RUNNABLE
from meshdemo.verdict.traffic import Reply, Request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.unit.engines.cluster.conftest import Dial, Serve

MARK = "0123abcd"
BEGAN = 1764400000.25


class App(BaseHTTPRequestHandler):
    """Answers each time, by its path."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    connections = 0

    def setup(self) -> None:
        super().setup()
        type(self).connections += 1

    def do_GET(self) -> None:
        if self.path == "/hangup":
            self.close_connection = True
            return
        body = (self.headers.get("x-user") or "v1").encode()
        self.send_response(503 if self.path == "/503" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - http.server's name

    def log_message(self, *_: object) -> None:
        """Be silent."""


@pytest.fixture
def app(serve: Serve) -> Iterator[str]:
    App.connections = 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), App)
    with serve(server):
        yield f"http://127.0.0.1:{server.server_port}"


def run(job: requests.Job) -> list[Reply]:
    """Run the loop in a shell, as in a container."""
    stdin, ours = os.pipe()
    try:
        done = subprocess.run(
            ["sh", "-c", job.script(MARK)], stdin=stdin, capture_output=True, check=True
        )
    finally:
        os.close(stdin)
        os.close(ours)
    return [
        *requests.read(done.stdout, MARK, began=BEGAN),
        *requests.read(done.stderr, MARK, began=BEGAN),
    ]


def assert_timed(replies: list[Reply]) -> None:
    """See that each took its time, and began where the one before it ended, or with the loop."""
    ends = BEGAN
    for reply in replies:
        assert reply.seconds
        assert reply.began in (ends, BEGAN)
        ends = reply.began + reply.seconds


pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="the loop runs the image's curl")


@pytest.mark.parametrize(
    ("count", "side_by_side", "connections"),
    [(25, False, 1), (25, True, 2), (1, True, 1)],
    ids=["in turn", "side by side", "only one"],
)
def test_each_request_is_one_record(
    app: str, count: int, connections: int, *, side_by_side: bool
) -> None:
    job = requests.Job(
        Request(f"{app}/x"), count, fresh_connections=False, side_by_side=side_by_side
    )
    replies = run(job)
    assert replies == [Reply(200, "v1")] * count
    assert App.connections == connections
    assert_timed(replies)


def test_what_a_loader_says_on_standard_error_is_no_answer(
    app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_PRELOAD", "/no/such/library.so")  # each program complains of it
    job = requests.Job(Request(f"{app}/x"), 9, fresh_connections=False, side_by_side=True)
    assert run(job) == [Reply(200, "v1")] * 9


@pytest.mark.parametrize(
    ("injected", "route", "policy", "side_by_side", "fresh"),
    [
        (True, None, {}, False, False),
        (True, [to("v1")], {}, True, False),
        (True, [to("v1", 50), to("v2", 50)], {}, True, False),
        (True, [to()], {}, False, False),
        (True, [to("v1")], {"connectionPool": {"http": {"http2MaxRequests": 1}}}, False, False),
        (True, [to("v1")], {"loadBalancer": {"simple": "PASSTHROUGH"}}, False, True),
        (False, None, {}, True, True),
    ],
    ids=[
        "no rules", "one subset", "weights", "both versions", "a circuit breaker", "PASSTHROUGH",
        "no sidecar",
    ],
)  # fmt: skip
def test_requests_overtake_each_other_only_where_that_changes_nothing(
    kube: Any,
    route: list[dict[str, Any]] | None,
    policy: dict[str, Any],
    *,
    injected: bool,
    side_by_side: bool,
    fresh: bool,
) -> None:
    def pod(name: str, *containers: str, **labels: str) -> dict[str, Any]:
        named = [{"name": each} for each in containers]
        return manifest("Pod", name, metadata={"labels": labels}, containers=named)

    proxy = ("istio-proxy",) if injected else ()
    sender = pod("testclient", "app", *proxy, app="testclient")
    versions = [pod(f"app-{each}", app="app", version=each) for each in ("v1", "v2")]
    kube.put(sender, *versions, service().data)
    if route:
        kube.put(destination_rule("v1", "v2", trafficPolicy=policy).data)
        kube.put(virtual_service({"route": route}).data)
    job = requests.job(View(kube, "shop"), status.pod(sender), Request(), 5)
    assert (job.side_by_side, job.fresh_connections) == (side_by_side, fresh)


def test_a_client_without_sidecar_opens_a_connection_for_each(app: str) -> None:
    run(requests.Job(Request(f"{app}/x"), 5, fresh_connections=True))
    assert App.connections == 5


def test_headers_and_method_arrive_as_they_are(app: str) -> None:
    quoted = 'it\'s $HOME `x` "y"'
    request = Request(f"{app}/a b".replace(" ", "%20"), "POST", (("x-user", quoted),))
    assert run(requests.Job(request, 1, fresh_connections=False)) == [Reply(200, quoted)]


@pytest.mark.parametrize("side_by_side", [False, True], ids=["in turn", "side by side"])
def test_the_loop_ends_soon_after_we_do(app: str, *, side_by_side: bool) -> None:
    many = 200_000
    job = requests.Job(
        Request(f"{app}/x"), many, fresh_connections=False, side_by_side=side_by_side
    )
    loop = subprocess.Popen(
        ["sh", "-c", job.script(MARK)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert loop.stdin
    assert loop.stdout
    with loop:
        first = [loop.stdout.readline() for _ in range(2)]  # one is that of standard error
        assert b"v1\n" in first
        loop.stdin.close()  # as a runtime does when the connection is gone
        # Nobody has it open any more, so nothing of it runs.
        assert loop.stdout.read().count(b"v1") < many / 2
    assert loop.returncode == -signal.SIGTERM


@pytest.mark.parametrize(
    ("path", "reply"),
    [("/503", Reply(503, "v1")), ("/hangup", Reply(error="connection reset"))],
    ids=["a status", "a hang-up"],
)
def test_a_request_that_fails_is_a_reply(app: str, path: str, reply: Reply) -> None:
    assert run(requests.Job(Request(app + path), 3, fresh_connections=False)) == [reply] * 3


def test_a_port_where_nobody_listens_is_a_reply() -> None:
    job = requests.Job(Request("http://127.0.0.1:9/"), 2, fresh_connections=False)
    assert run(job) == [Reply(error="connection refused")] * 2


class Interrupting(BaseHTTPRequestHandler):
    """Executes a loop as a cluster does; once two replies of it are read Ctrl-C is pressed."""

    def do_GET(self) -> None:
        if "/exec?" not in self.path:  # which kinds there are is asked first
            self.send_response(200)
            self.end_headers()
            pods = {"kind": "Pod", "name": "pods", "namespaced": True, "verbs": []}
            self.wfile.write(json.dumps({"resources": [pods]}).encode())
            return
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode(), usedforsecurity=False).digest())
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", accept.decode())
        self.send_header("Sec-WebSocket-Protocol", "v5.channel.k8s.io")
        self.end_headers()
        script = parse_qs(urlsplit(self.path).query)["command"][2]
        (mark,) = re.findall(r"echo '(\w+) done 0'", script)
        said = f"v1\n{mark} 200 0.002\nv2\n{mark} 200 0.003\nv".encode()
        self._send(ABNF.OPCODE_BINARY, bytes([STDOUT]) + said)
        self._send(ABNF.OPCODE_PING, b"")
        self.rfile.read(6)  # the answer to the ping: what came before it was read
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        self.rfile.read()
        self.close_connection = True

    def _send(self, kind: int, data: bytes) -> None:
        self.wfile.write(bytes(ABNF(1, 0, 0, 0, kind, 0, data).format()))

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_an_interrupt_loses_no_reply_that_had_come(serve: Serve, dial: Dial) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Interrupting)
    job = requests.Job(Request("http://app/"), 500, fresh_connections=False)
    replies: list[Reply] = []
    target = Target("default", "testclient", "testclient")
    sending = requests.send(dial(server.server_port), target, job, 60)
    with serve(server), pytest.raises(KeyboardInterrupt):
        replies.extend(sending)
    assert replies == [Reply(200, "v1"), Reply(200, "v2")]
    assert [reply.seconds for reply in replies] == [0.002, 0.003]


def test_an_old_curl_writes_its_error_behind_the_record() -> None:
    said = b"curl: (7) couldn't connect to host\n"
    output = b"\n%s 000\n%s\n%s 000\n%s%s done 2\n" % (
        b"0123abcd",
        said,
        b"0123abcd",
        said,
        b"0123abcd",
    )
    assert requests.read(output, MARK) == [Reply(error="connection refused")] * 2


def test_what_broke_off_is_no_reply() -> None:
    output = b"v1\n0123abcd 200\nv2\n0123abcd 200\nv"
    assert requests.read(output, MARK) == [Reply(200, "v1"), Reply(200, "v2")]


@pytest.mark.parametrize(
    "request_",
    [Request("https://app/"), Request("http:///x"), Request("http://app/\nurl = x"),
     Request(headers=(("a", "b\nc"),)), Request("http://user@app/")],
    ids=["https", "no host", "a line", "a header's line", "a user"],
)  # fmt: skip
def test_what_cannot_be_sent_is_refused(request_: Request) -> None:
    with pytest.raises(InputError):
        requests.Job(request_, 1, fresh_connections=False).script(MARK)


def test_a_request_is_given_up_after_its_own_time_in_whole_seconds() -> None:
    """An old curl takes no fractions, nor does every bash; rounded up it may be the timeout's."""
    for limit, shown in ((22.5, 22), (0.9, 1)):
        slow = requests.Job(Request(time_limit=limit), 1, fresh_connections=False)
        assert f"--max-time {shown} " in slow.script(MARK)
    line = Request("tcp://app:9000", time_limit=22.5)
    assert "-t 22 " in requests.Job(line, 1, fresh_connections=False).script(MARK)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b'{"status": "Success"}', 0),
        (b'{"status": "Failure", "details": {"causes": [{"reason": "ExitCode", "message": "7"}]}}',
         7),
        (b'{"status": "Failure", "message": "no such file: sh"}', NOT_RUNNABLE),
        (b"not json", NOT_RUNNABLE),
    ],
    ids=["success", "a status", "not started", "nonsense"],
)  # fmt: skip
def test_the_status_of_a_command_is_read_from_its_own_frame(data: bytes, code: int) -> None:
    assert read_status(data).code == code


class Lines(socketserver.StreamRequestHandler):
    """Answers a line as Istio's tcp-echo does."""

    def handle(self) -> None:
        line = self.rfile.readline().decode()
        self.wfile.write(f"v1 {line}".encode())
        self.rfile.readline()  # stays open until the client closes


class HangsUp(socketserver.StreamRequestHandler):
    """Answers nothing."""

    def handle(self) -> None:
        self.rfile.readline()


@pytest.mark.skipif(not shutil.which("bash"), reason="the loop runs the image's bash")
@pytest.mark.parametrize(
    ("handler", "reply"),
    [(Lines, Reply(200, "v1 hello")), (HangsUp, Reply(error="connection reset"))],
)
def test_each_connection_is_one_record(
    serve: Serve, handler: type[socketserver.StreamRequestHandler], reply: Reply
) -> None:
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler)
    with serve(server):
        port = server.server_address[1]
        job = requests.Job(Request(f"tcp://127.0.0.1:{port}"), 5, fresh_connections=True)
        replies = run(job)
        assert replies == [reply] * 5
        assert_timed(replies)
    assert run(job) == [Reply(error="connection refused")] * 5


def test_a_client_without_bash_cannot_connect(tmp_path: Path) -> None:
    job = requests.Job(Request("tcp://app:9000"), 5, fresh_connections=True)
    shell = shutil.which("sh") or ""
    done = subprocess.run([shell, "-c", job.script(MARK)], env={"PATH": str(tmp_path)}, check=False)
    assert done.returncode == NO_SUCH_COMMAND
