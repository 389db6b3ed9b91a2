"""What serves the built-in apps, as the processes that pods run."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.unit.engines.local.conftest import app_environment, held_port

import meshdemo
from meshdemo.engines.local.apps import server

if TYPE_CHECKING:
    from tests.unit.engines.local.conftest import App, Launch, Start

LOOPBACK = "127.0.0.1"
PATIENCE = 60.0


def test_a_connection_serves_requests_whose_bodies_nobody_reads(
    echo: App,
) -> None:
    with closing(echo.connect()) as connection:
        connection.connect()
        first = connection.sock
        for method, body, chunked in (
            ("POST", b"x" * 300_000, False),
            ("PUT", iter([b"ab", b"cd"]), True),
            ("GET", None, False),
        ):
            connection.request(method, "/", body, encode_chunked=chunked)
            assert json.loads(connection.getresponse().read())["method"] == method
        assert connection.sock is first


def test_connection_close_closes_after_the_answer(
    echo: App,
) -> None:
    with closing(echo.connect()) as connection:
        connection.request("GET", "/", headers={"connection": "close"})
        response = connection.getresponse()
        assert response.read()
        assert response.will_close


def test_an_app_serves_every_port_of_its_pod(start: Start) -> None:
    app = start("echo", ports=3)
    for port in app.ports:
        with closing(app.connect(port)) as connection:
            connection.request("GET", "/")
            assert connection.getresponse().status == 200


def test_an_app_serves_sixteen_connections_at_once(
    echo: App,
) -> None:
    def ask_often(number: int) -> set[int]:
        with closing(echo.connect()) as connection:
            answers = set()
            for _ in range(20):
                connection.request("GET", f"/{number}", headers={"x-echo-delay": "0.001"})
                response = connection.getresponse()
                response.read()
                answers.add(response.status)
            return answers

    with ThreadPoolExecutor(16) as pool:
        assert set().union(*pool.map(ask_often, range(16))) == {200}


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "with-requests-under-way"])
def test_an_app_ends_soon_after_sigterm(start: Start, *, busy: bool) -> None:
    app = start("echo")
    with closing(app.connect()) as connection:
        delay = "60" if busy else "0"
        connection.request("GET", "/", headers={"x-echo-delay": delay, "x-echo-key": "it"})
        while app.echo("/echo/count?key=it")["count"] == 0:
            time.sleep(0.01)
        if not busy:
            connection.getresponse().read()
        app.process.terminate()
        _, said = app.process.communicate(timeout=PATIENCE)
    assert app.process.returncode == 0
    assert "Traceback" not in said


EARLY = """
import asyncio.selector_events, os, runpy, signal

half = asyncio.selector_events.BaseSelectorEventLoop
whole = half._make_self_pipe
half._make_self_pipe = lambda loop: (os.kill(os.getpid(), signal.SIGTERM), whole(loop))
runpy.run_module("meshdemo.engines.local.apps.echo", run_name="__main__")
"""


def test_an_app_that_is_stopped_while_it_starts_says_nothing() -> None:
    with held_port() as port:
        done = subprocess.run(
            [sys.executable, "-c", EARLY],
            env=app_environment(f"80={LOOPBACK}:{port}", {}),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["flaskapp", "echo"])
def test_an_app_says_in_one_line_that_its_port_is_taken(launch: Launch, name: str) -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        address = f"{LOOPBACK}:{taken.getsockname()[1]}"
        process = launch(name, f"80={address}", {})
        _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode != 0
    assert said == f"cannot listen on {address}: Address already in use\n"


@pytest.mark.parametrize("listen", ["80=127.0.0.1:http", "20001", "80=app:1", "80=::", None])
def test_an_app_refuses_addresses_that_it_cannot_read(listen: str | None) -> None:
    with pytest.raises(SystemExit, match="MESHDEMO_LISTEN"):
        server.addresses(listen)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])
def test_an_app_listens_nowhere_but_on_loopback(host: str) -> None:
    with pytest.raises(SystemExit, match="not on loopback"):
        server.listen(host, 20001)


def test_an_app_without_ports_just_runs(launch: Launch) -> None:
    process = launch("echo", "", {})
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)


def test_each_request_is_a_line_in_the_log(start: Start, tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log:
        app = start("echo", stdout=log)
        app.ask("/a?b=c", "PUT", x_echo_status="503")
        with pytest.raises(http.client.RemoteDisconnected):
            app.ask("/gone", x_echo_reset="1")
        app.process.terminate()
        app.process.wait(PATIENCE)
    lines = (tmp_path / "log").read_text().splitlines()
    assert [line.partition(" ")[2] for line in lines] == [
        '"PUT /a?b=c" 503',
        '"GET /gone" no answer',
    ]


def test_an_app_serves_on_when_nobody_reads_its_log(start: Start) -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as log:
        app = start("echo", stdout=log)
    os.close(reading)
    for _ in range(2):
        assert app.ask("/")[0] == 200
        time.sleep(0.2)  # longer than lines wait
    app.process.terminate()
    assert app.process.wait(PATIENCE) == 0
    assert app.process.stderr
    assert app.process.stderr.read() == ""


def test_an_app_loads_nothing_of_the_engine() -> None:
    code = "import sys, meshdemo.engines.local.apps.echo; print(*sys.modules)"
    source = str(Path(meshdemo.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": source},
        capture_output=True,
        text=True,
        check=True,
    )
    assert {"yaml", "tenacity", "typer", "rich", "meshdemo.system.shell"} & set(
        done.stdout.split()
    ) == set()
