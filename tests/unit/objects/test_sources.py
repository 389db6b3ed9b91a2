"""What ``-f`` means: whatever it names is read within bounds, or refused by its name."""

from __future__ import annotations

import http.server
import io
import os
import ssl
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
from tests.paths import LOOPBACK_PEM

from meshdemo.objects import sources

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from meshdemo.errors import Problem

FIFO_SECONDS = 0.1


def read(*names: str) -> tuple[list[str], list[str]]:
    """Give the texts, and what is wrong."""
    problems: list[Problem] = []
    found = [text for _, text in sources.texts(names, problems)]
    return found, [str(problem) for problem in problems]


def stdin(monkeypatch: pytest.MonkeyPatch, content: bytes, encoding: str = "utf-8") -> None:
    text = io.TextIOWrapper(io.BytesIO(content), encoding=encoding, errors="surrogateescape")
    monkeypatch.setattr(sys, "stdin", text)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"a: \xc3\xa9", (["a: é"], [])),
        (b"\xef\xbb\xbfa: b", (["a: b"], [])),
        (b"a: \xff", ([], ["standard input: cannot be read: not UTF-8 text"])),
    ],
    ids=["text", "byte order mark", "no text"],
)
def test_standard_input_is_utf_8_whatever_the_locale(
    content: bytes, found: object, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin(monkeypatch, content, encoding)
    assert read("-") == found


def test_what_does_not_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin(monkeypatch, bytes(sources.LARGEST_SOURCE + 2))
    said = "cannot be read: it is longer than 10 MiB"
    assert read("/dev/zero", "-") == ([], [f"/dev/zero: {said}", f"standard input: {said}"])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "the name of the file is empty"),
        ("a\0b", "cannot be read: embedded null byte"),
        ("x" * 300, "cannot be read: File name too long"),
        ("https://[::1", "cannot be read: Invalid IPv6 URL"),
        ("https://", "cannot be read: no host given"),
        ("https://127.0.0.1:1/a.yaml", "cannot be read: Connection refused"),
        ("https://127.0.0.1:x/a.yaml", "cannot be read: nonnumeric port: 'x'"),
        ("http://127.0.0.1/a.yaml", "only https:// is fetched, not http://127.0.0.1/a.yaml"),
        ("ftp://127.0.0.1/a.yaml", "only https:// is fetched, not ftp://127.0.0.1/a.yaml"),
    ],
    ids=lambda value: value[:30].replace("\0", "NUL"),
)
def test_what_names_nothing_is_refused(name: str, said: str) -> None:
    found, problems = read(name)
    assert found == []
    assert [text.endswith(said) for text in problems] == [True], problems


# --- pipes -------------------------------------------------------------------------------------


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def opened(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK)


def test_a_pipe_that_nobody_writes_to_is_given_up(pipe: Path) -> None:
    with pytest.raises(OSError, match=r"nobody wrote to this pipe within 0\.1 s"):
        sources._piped(opened(pipe), to_begin=FIFO_SECONDS)


def test_a_pipe_whose_writer_says_nothing_is_given_up_later(pipe: Path) -> None:
    descriptor = opened(pipe)
    with pipe.open("wb"), pytest.raises(OSError, match=r"it did not end within 0\.3 s"):
        sources._piped(descriptor, to_begin=FIFO_SECONDS, to_end=3 * FIFO_SECONDS)


def test_a_pipe_is_read_to_its_end_however_slow_its_writer_is(pipe: Path) -> None:
    descriptor = opened(pipe)
    file = pipe.open("wb")

    def write() -> None:
        for part in (b"a:", b" ", b"b" * 200_000):
            time.sleep(2 * FIFO_SECONDS)
            file.write(part)
            file.flush()
        file.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert len(sources._piped(descriptor, to_begin=FIFO_SECONDS)) == 200_003
    finally:
        thread.join()


# --- https -------------------------------------------------------------------------------------


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if target := self.headers.get("Host") and {"/away": "http://127.0.0.1/a"}.get(self.path):
            self.send_response(302)
            self.send_header("Location", target)
            self.end_headers()
        elif self.path == "/none":
            self.send_error(404)
        else:
            content = bytes(sources.LARGEST_SOURCE + 2) if self.path == "/large" else b"a: b"
            self.send_response(200)
            self.send_header("Content-Length", str(len(content) + (self.path == "/short")))
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server on loopback that is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(LOOPBACK_PEM))
    monkeypatch.setenv("no_proxy", "*")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(LOOPBACK_PEM)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.socket = context.wrap_socket(server.socket, server_side=True)
        soon = {"poll_interval": 0.01}
        thread = threading.Thread(target=server.serve_forever, kwargs=soon)
        thread.start()
        yield f"https://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_an_https_url_is_fetched(site: str) -> None:
    assert read(f"{site}/a.yaml") == (["a: b"], [])


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/none", "cannot be read: 404 Not Found"),
        ("/large", "cannot be read: it is longer than 10 MiB"),
        ("/short", "cannot be read: the connection ended before the file did"),
        ("/away", "cannot be read: only https:// is fetched, not http://127.0.0.1/a"),
    ],
)
def test_what_a_url_does_not_give_is_said(site: str, path: str, said: str) -> None:
    assert read(f"{site}{path}") == ([], [f"{site}{path}: {said}"])


def test_a_server_that_nobody_vouches_for_is_not_believed(
    site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    found, (said,) = read(f"{site}/a.yaml")
    assert found == []
    assert "certificate verify failed" in said
