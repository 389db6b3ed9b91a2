"""The curl for machines that have none, run as its launcher runs it."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.unit.engines.local.conftest import held_port

from meshdemo.engines.local.apps.curl import ensure_curl, expand, read_options, wish_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path

    from tests.unit.engines.local.conftest import Recorder

    Curl = Callable[..., subprocess.CompletedProcess[str]]

LOOPBACK = "127.0.0.1"


@pytest.fixture
def launcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The curl that a machine without one gets."""
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        launcher = ensure_curl(tmp_path)
    assert launcher
    return launcher


@pytest.fixture
def curl(launcher: Path, recorder: Recorder, tmp_path: Path) -> Curl:
    # A module of the user's beside them must not be taken for Python's own.
    (tmp_path / "http.py").write_text("raise SystemExit('the wrong http')")

    def curl(*args: str, proxy: str = recorder.url) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(launcher), *args],
            env={"PATH": os.environ["PATH"], "http_proxy": proxy, "PYTHONPATH": str(tmp_path)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return curl


def test_a_machine_with_curl_keeps_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "curl"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ensure_curl(tmp_path / "elsewhere") is None


def test_it_asks_through_the_proxy(curl: Curl, recorder: Recorder) -> None:
    done = curl("-s", "app/env/version")
    assert (done.returncode, done.stdout, done.stderr) == (0, "v1", "")
    method, url, headers, _ = recorder.requests[0]
    assert (method, url, dict(headers)["host"]) == ("GET", "http://app/env/version", "app")


def test_several_urls_go_over_one_connection(curl: Curl, recorder: Recorder) -> None:
    assert curl("http://app/1", "-s", "http://app/2").stdout == "v1v1"
    assert recorder.connections == 1


def test_it_sends_method_headers_and_data(curl: Curl, recorder: Recorder) -> None:
    curl("-XPUT", "-da=1", "-db", "-HX-A: 1", "-HAccept:", "-Hhost: other", "http://app/")
    method, _, headers, body = recorder.requests[0]
    sent = dict(headers)
    assert (method, body, sent["x-a"], sent["host"]) == ("PUT", b"a=1&b", "1", "other")
    assert sent["content-type"] == "application/x-www-form-urlencoded"
    assert "accept" not in sent


@pytest.mark.parametrize(
    ("args", "output"),
    [
        pytest.param(["-si"], "HTTP/1.1 503", id="include"),
        pytest.param(["-sI"], "HTTP/1.1 503", id="head"),
        pytest.param(
            ["-so", "/dev/null", "-w", "%{http_code} %{size_download}\\n"], "503 2\n", id="w"
        ),
    ],
)
def test_it_shows_what_it_is_asked_for(
    curl: Curl, recorder: Recorder, args: list[str], output: str
) -> None:
    recorder.answer = lambda handler: recorder.respond(handler, 503)
    done = curl(*args, "http://app/")
    assert done.returncode == 0
    assert done.stdout.startswith(output)


def test_verbose_shows_both_heads_on_stderr(curl: Curl) -> None:
    done = curl("-sv", "http://app/a")
    assert done.stdout == "v1"
    assert "> GET http://app/a HTTP/1.1\n> host: app\n" in done.stderr
    assert "< HTTP/1.1 200 OK\n" in done.stderr


def redirect(handler: BaseHTTPRequestHandler, respond: Callable[..., None]) -> None:
    if handler.path == "http://app/end":
        respond(handler, 200, b"there")
    else:
        respond(handler, 302, b"go", location="/end" if handler.path == "http://app/" else "/loop")


@pytest.mark.parametrize(
    ("args", "status", "output"),
    [
        pytest.param(["http://app/"], 0, "go 302 http://app/", id="not-without-L"),
        pytest.param(["-L", "http://app/"], 0, "there 200 http://app/end", id="L"),
        pytest.param(
            ["-L", "--max-redirs", "2", "http://app/loop"],
            47,
            " 302 http://app/loop",
            id="too-many",
        ),
    ],
)
def test_it_follows_redirects_if_told(
    curl: Curl, recorder: Recorder, args: list[str], status: int, output: str
) -> None:
    recorder.answer = lambda handler: redirect(handler, recorder.respond)
    done = curl("-s", "-w", " %{http_code} %{url_effective}", *args)
    assert (done.returncode, done.stdout) == (status, output)


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        pytest.param(["https://app/"], 1, '"https" not supported', id="https"),
        pytest.param(["http://"], 3, "URL rejected", id="no-host"),
        pytest.param(["http://app/a b"], 3, "control characters", id="blank"),
        pytest.param(["--noproxy", "*", "http://app/"], 2, "--noproxy", id="unknown-option"),
        pytest.param([], 2, "no URL", id="no-url"),
        pytest.param(["-d", "@missing", "http://app/"], 26, "missing", id="no-data-file"),
        pytest.param(["-o", "no/such/file", "http://app/"], 23, "no/such/file", id="no-output"),
        pytest.param(["-f", "http://app/404"], 22, "returned error: 404", id="fail"),
        pytest.param(["http://app/empty"], 52, "Empty reply", id="empty-reply"),
        pytest.param(["http://app/short"], 18, "outstanding read data", id="short-body"),
        pytest.param(["-m", "0.2", "http://app/slow"], 28, "timed out", id="slow"),
    ],
)
def test_a_failure_has_curls_exit_status_and_words(
    curl: Curl, recorder: Recorder, args: list[str], status: int, words: str
) -> None:
    recorder.answer = misbehave
    done = curl("-sS", *args)
    assert done.returncode == status
    assert done.stderr.startswith("curl: ")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_silence_is_about_messages_not_about_the_exit_status(curl: Curl) -> None:
    done = curl("-s", "https://app/")
    assert (done.returncode, done.stderr) == (1, "")


def misbehave(handler: BaseHTTPRequestHandler) -> None:
    name = handler.path.rpartition("/")[2]
    if name == "404":
        handler.send_response(404)
        handler.send_header("content-length", "0")
        handler.end_headers()
    elif name == "short":
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nv1")
    elif name == "slow":
        handler.rfile.read(1)  # until the client hangs up
    handler.close_connection = True


@pytest.mark.parametrize(("proxy", "status"), [("", 5), (f"http://{LOOPBACK}:closed", 7)])
def test_it_goes_nowhere_without_its_proxy(curl: Curl, proxy: str, status: int) -> None:
    with held_port() as port:
        assert curl("http://app/", proxy=proxy.replace("closed", str(port))).returncode == status


def test_a_template_is_filled_in() -> None:
    template = r"%{http_code}\t100%% %{unknown}\\n\n"
    assert expand(template, {"http_code": "200"}) == "200\t100% \\n\n"


def test_data_makes_a_post_unless_head_is_asked_for() -> None:
    assert wish_of(read_options(["-d", "x", "u"])).method == "POST"
    assert wish_of(read_options(["-I", "u"])).method == "HEAD"
    assert wish_of(read_options(["-d", "x", "-XGET", "u"])).method == "GET"
