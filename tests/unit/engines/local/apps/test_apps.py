"""The built-in apps, as the processes that pods run."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from tests.unit.engines.local.conftest import app_environment, held_port

import meshdemo
from meshdemo.engines.local.apps import server
from meshdemo.engines.local.apps.echo import Steering, join_repeated, read_steering

if TYPE_CHECKING:
    from tests.unit.engines.local.conftest import App, Launch, Start

LOOPBACK = "127.0.0.1"
PATIENCE = 60.0


@pytest.mark.parametrize(
    ("target", "status", "body"),
    [
        pytest.param("/env/version", 200, "v1", id="set"),
        pytest.param("/env/spaced%20name", 200, "x y", id="name-is-decoded"),
        pytest.param("/env/empty", 200, "", id="empty"),
        pytest.param("/env/missing", 404, "no environment variable missing\n", id="unset"),
        pytest.param("/env/MESHDEMO_LISTEN", 404, None, id="the-engines-own"),
        pytest.param("/", 404, None, id="root"),
        pytest.param("/environment", 404, None, id="other-path"),
    ],
)
def test_flaskapp_shows_its_environment(
    flaskapp: App, target: str, status: int, body: str | None
) -> None:
    answer = flaskapp.ask(target)
    assert answer[0] == status
    assert body is None or answer[1] == body


def test_flaskapp_is_for_reading(flaskapp: App) -> None:
    assert flaskapp.ask("/env/version", "HEAD")[:2] == (200, "")
    assert flaskapp.ask("/env/version", "POST")[0] == 405


def test_flaskapp_fetches_through_its_pods_proxy(flaskapp: App) -> None:
    status, body, _ = flaskapp.ask(f"/fetch?url={quote('http://other:8000/a?b=c', safe='')}")
    seen = json.loads(body)
    assert (status, seen["path"], seen["host"]) == (200, "/a?b=c", "other:8000")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        pytest.param("", "url", id="no-url"),
        pytest.param("?url=https://app/", "http://", id="https"),
        pytest.param("?url=file:///etc/passwd", "http://", id="file"),
    ],
)
def test_flaskapp_fetches_http_only(flaskapp: App, query: str, words: str) -> None:
    status, body, _ = flaskapp.ask(f"/fetch{query}")
    assert status == 400
    assert words in body


def test_flaskapp_says_that_its_proxy_is_down(start: Start) -> None:
    with held_port() as port:
        nobody = f"http://{LOOPBACK}:{port}"
        fetching = start("flaskapp", env={"http_proxy": nobody})
        status, body, _ = fetching.ask("/fetch?url=http://app/")
    assert status == 502
    assert body.startswith("http://app/: the pod's own proxy")
    assert body.endswith("connection refused\n")


def test_echo_tells_who_answered_what(echo: App) -> None:
    status, body, headers = echo.ask("//a/../b%20c?x=1&y", "DELETE", X_Mixed_Case="z", Host="shop")
    assert status == 200
    assert headers["x-echo-version"] == "v1"
    assert headers["content-type"] == "application/json"
    answer = json.loads(body)
    assert answer.pop("headers")["x-mixed-case"] == "z"
    assert answer == {
        "service": "shop",
        "version": "v1",
        "pod": "shop-1",
        "method": "DELETE",
        "path": "//a/../b%20c?x=1&y",
        "host": "shop",
    }


def test_echo_joins_repeated_headers_by_a_comma() -> None:
    headers = (("x-a", "1"), ("x-b", "2"), ("x-a", "3, 4"))
    assert join_repeated(headers) == {"x-a": "1,3, 4", "x-b": "2"}


def test_echo_answers_the_bare_version(echo: App) -> None:
    status, body, headers = echo.ask("/env/version")
    assert (status, body, headers["x-echo-version"]) == (200, "v1", "v1")


def test_echo_sends_no_body_to_head(echo: App) -> None:
    assert echo.ask("/", "HEAD")[:2] == (200, "")


@pytest.mark.parametrize("status", [200, 204, 304, 404, 503, 599])
def test_echo_answers_with_the_status_it_is_told(echo: App, status: int) -> None:
    assert echo.ask("/", x_echo_status=str(status))[0] == status


def test_echo_waits_as_long_as_it_is_told(echo: App) -> None:
    began = time.monotonic()
    assert echo.ask("/", x_echo_delay="0.3")[0] == 200
    assert time.monotonic() - began >= 0.3


def test_echo_resets_without_a_byte_and_lives_on(
    echo: App,
) -> None:
    with socket.create_connection((LOOPBACK, echo.ports[0]), timeout=PATIENCE) as raw:
        raw.sendall(b"POST / HTTP/1.1\r\nhost: a\r\nx-echo-reset: 1\r\ncontent-length: 9\r\n\r\nab")
        # What was not read of the body can make it a reset.
        with suppress(ConnectionResetError):
            assert raw.recv(100) == b""
    assert echo.ask("/")[0] == 200


@pytest.mark.parametrize(
    ("only", "status"),
    [pytest.param("v1", 503, id="this-version"), pytest.param("v2", 200, id="another-version")],
)
def test_echo_is_steered_only_if_its_version_is_meant(echo: App, only: str, status: int) -> None:
    assert echo.ask("/", x_echo_status="503", x_echo_only=only)[0] == status


def test_echo_counts_requests_by_key(echo: App) -> None:
    echo.ask("/", x_echo_key="a")
    echo.ask("/x", "POST", x_echo_key="a", x_echo_status="500")
    echo.ask("/", x_echo_key="b")
    for _ in range(2):  # asking is not counted, whatever it carries
        assert echo.echo("/some/prefix/echo/count?key=a", x_echo_key="a") == {"count": 2}
    assert echo.echo("/echo/count?key=none") == {"count": 0}


@pytest.mark.parametrize(
    ("headers", "steering"),
    [
        pytest.param({}, Steering(), id="none"),
        pytest.param({"x-echo-delay": "0.5"}, Steering(delay=0.5), id="delay"),
        pytest.param({"x-echo-status": "503"}, Steering(status=503), id="status"),
        pytest.param({"x-echo-reset": ""}, Steering(reset=True), id="reset"),
    ],
)
def test_steering_is_read_from_headers(headers: dict[str, str], steering: Steering) -> None:
    assert read_steering(headers) == steering


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-echo-status", "100"),
        ("x-echo-status", "600"),
        ("x-echo-status", "ok"),
        ("x-echo-delay", "-1"),
        ("x-echo-delay", "nan"),
        ("x-echo-delay", "inf"),
        ("x-echo-delay", "soon"),
    ],
)
def test_a_steering_header_that_makes_no_sense_is_named(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: {value}"):
        read_steering({name: value})


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


def test_echo_gives_lines_back_where_no_http_is_spoken(start: Start) -> None:
    """As Istio's tcp-echo-server; what is HTTP on the same port is answered as before."""
    app = start("echo", env={"MESHDEMO_LABELS": json.dumps({"version": "v1"})})
    with closing(socket.create_connection((LOOPBACK, app.ports[0]), PATIENCE)) as connection:
        answers = connection.makefile("rb")
        for sent, answer in [(b"hel", b""), (b"lo\r\nyou", b"v1 hello\n"), (b"\n", b"v1 you\n")]:
            connection.sendall(sent)
            assert (answers.readline() if answer else b"") == answer
    assert app.ask("/env/version")[1] == "v1"
    renamed = start("echo", env={"MESHDEMO_ECHO_NAME": "one"})
    with closing(socket.create_connection((LOOPBACK, renamed.ports[0]), PATIENCE)) as connection:
        connection.sendall(b"hello\n")
        assert connection.makefile("rb").readline() == b"one hello\n"
