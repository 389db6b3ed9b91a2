"""Real processes and real servers on loopback; each is stopped also when its test fails."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pytest

import meshdemo

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOPBACK = "127.0.0.1"
APPS = "meshdemo.engines.local.apps"
PATIENCE = 60.0
"""Seconds to wait for what happens at once, on a machine that is busy."""


Launch = Callable[..., "subprocess.Popen[str]"]
Start = Callable[..., "App"]


@dataclass(frozen=True)
class App:
    """A built-in app that runs."""

    process: subprocess.Popen[str]
    ports: tuple[int, ...]

    @property
    def proxy(self) -> str:
        """Its address as a proxy's: it takes requests in absolute form as any server does."""
        return f"http://{LOOPBACK}:{self.ports[0]}"

    def connect(self, port: int = 0) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(LOOPBACK, port or self.ports[0], timeout=PATIENCE)

    def ask(self, target: str, method: str = "GET", **headers: str) -> tuple[int, str, Any]:
        """Send one request; header names with _ for -."""
        with contextlib.closing(self.connect()) as connection:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, target, headers=sent)
            response = connection.getresponse()
            return response.status, response.read().decode(), response.headers

    def echo(self, target: str = "/", method: str = "GET", **headers: str) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.ask(target, method, **headers)[1])
        return answer


@contextlib.contextmanager
def held_port() -> Iterator[int]:
    """Give a port that nobody listens on, and that the kernel gives to nobody else meanwhile.

    A process that is told of it can listen there: SO_REUSEADDR allows it beside one that does not.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((LOOPBACK, 0))
        yield holder.getsockname()[1]


def app_environment(listen: str, extra: dict[str, str]) -> dict[str, str]:
    source = str(Path(meshdemo.__file__).parents[1])
    return {"PATH": os.environ["PATH"], "PYTHONPATH": source, "MESHDEMO_LISTEN": listen, **extra}


@contextlib.contextmanager
def launching() -> Iterator[Launch]:
    """Give what starts an app's process as its pod does, and end all of them."""
    with contextlib.ExitStack() as running:

        def launch(
            name: str, listen: str, env: dict[str, str], stdout: IO[str] | int = subprocess.DEVNULL
        ) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [sys.executable, "-m", f"{APPS}.{name}"],
                env=app_environment(listen, env),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=subprocess.PIPE,
                text=True,
                cwd="/",
            )
            running.enter_context(process)
            running.callback(process.kill)
            return process

        yield launch


@contextlib.contextmanager
def starting() -> Iterator[Start]:
    """Give what starts an app and waits until it listens, and end all of them."""
    with contextlib.ExitStack() as held, launching() as launch:

        def start(
            name: str,
            *,
            ports: int = 1,
            env: dict[str, str] | None = None,
            stdout: IO[str] | int = subprocess.DEVNULL,
        ) -> App:
            chosen = tuple(held.enter_context(held_port()) for _ in range(ports))
            listen = ",".join(f"{80 + n}={LOOPBACK}:{port}" for n, port in enumerate(chosen))
            app = App(launch(name, listen, env or {}, stdout), chosen)
            for port in chosen:
                wait_for(port, app.process)
            return app

        yield start


@pytest.fixture
def launch() -> Iterator[Launch]:
    with launching() as launch:
        yield launch


@pytest.fixture
def start() -> Iterator[Start]:
    with starting() as start:
        yield start


@pytest.fixture(scope="module")
def echo() -> Iterator[App]:
    """An echo app that the tests of a module share."""
    labels = json.dumps({"app": "shop", "version": "v1"})
    with starting() as start:
        yield start("echo", env={"MESHDEMO_POD": "shop-1", "MESHDEMO_LABELS": labels})


@pytest.fixture(scope="module")
def flaskapp(echo: App) -> Iterator[App]:
    """A flaskapp that the tests of a module share; its pod's proxy is the echo app."""
    env = {"version": "v1", "spaced name": "x y", "empty": "", "no_proxy": "*"}
    with starting() as start:
        yield start("flaskapp", env={**env, "http_proxy": echo.proxy})


def wait_for(port: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        with (
            contextlib.suppress(ConnectionRefusedError),
            socket.create_connection((LOOPBACK, port)),
        ):
            return
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < deadline, "it does not listen"
        time.sleep(0.01)


@dataclass
class Recorder:
    """An HTTP server that answers as it is told, and remembers what it was asked."""

    url: str = ""
    requests: list[tuple[str, str, list[tuple[str, str]], bytes]] = field(default_factory=list)
    connections: int = 0
    """How many were opened."""
    open: int = 0
    """How many are open now."""
    answer: Callable[[BaseHTTPRequestHandler], None] = field(init=False)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.answer = self.respond

    @staticmethod
    def respond(
        handler: BaseHTTPRequestHandler, status: int = 200, body: bytes = b"v1", **headers: str
    ) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(body)


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    told = Recorder()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle(self) -> None:
            with told.lock:
                told.connections += 1
                told.open += 1
            with contextlib.suppress(ConnectionError):
                super().handle()
            with told.lock:
                told.open -= 1

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            with told.lock:
                told.requests.append((self.command, self.path, self.headers.items(), body))
            told.answer(self)

        do_GET = answer  # noqa: N815 - http.server finds it by this name, and those below
        do_HEAD = answer  # noqa: N815
        do_POST = answer  # noqa: N815
        do_PUT = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        # With the usual five, of many clients at once one is half connected, and its end may come
        # after a minute.
        request_queue_size = 128

    server = Server((LOOPBACK, 0), Handler)
    told.url = f"http://{LOOPBACK}:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
