from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import socketserver
import tarfile
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from meshdemo.engines.cluster.istio import download
from meshdemo.engines.cluster.istio.checksums import KNOWN
from meshdemo.engines.cluster.istio.releases import PINNED
from meshdemo.engines.options import Download
from meshdemo.errors import EnvironmentFailed, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = b"#!/bin/sh\necho istioctl\n" * 1000
VERSION = "1.31.0"
"""One whose checksums are not shipped."""


def archive(*members: tuple[str, bytes], kind: bytes = tarfile.REGTYPE) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.type, info.size = kind, len(content)
            info.linkname = "/etc/passwd"
            tar.addfile(info, io.BytesIO(content) if kind == tarfile.REGTYPE else None)
    return buffer.getvalue()


RIGHT = archive(("istioctl", PROGRAM))
RIGHT_SUM = hashlib.sha256(RIGHT).hexdigest()


class Host:
    """An HTTP server on loopback: what it has, and what it was asked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.redirects: dict[str, str] = {}
        self.lengths: dict[str, int] = {}
        self.asked: list[str] = []
        host = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.rpartition("/")[2]
                host.asked.append(self.path)
                if target := host.redirects.get(name):
                    self.send_response(302)
                    self.send_header("Location", target)
                    self.end_headers()
                elif (content := host.files.get(name)) is None:
                    self.send_error(404)
                else:
                    self.send_response(200)
                    length = host.lengths.get(name, len(content))
                    self.send_header("Content-Length", str(length))
                    self.end_headers()
                    self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        soon = {"poll_interval": 0.01}
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs=soon, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def name() -> str:
    import platform  # noqa: PLC0415 - the archive is this machine's

    return download.archive_name(VERSION, platform.system(), platform.machine())


@pytest.fixture
def mirror() -> Iterator[Host]:
    host = Host()
    yield host
    host.close()


@pytest.fixture
def official(name: str) -> Iterator[Host]:
    host = Host()
    host.files[f"{name}.sha256"] = f"{RIGHT_SUM}  {name}\n".encode()
    yield host
    host.close()


def fetch(
    folder: Path, mirror: Host, official: Host, *, sha256: str = "", version: str = VERSION
) -> Path:
    wanted = Download(version, mirror.url, sha256)
    return download.fetch(wanted, folder, 5, official.url)


def test_the_right_archive_gives_an_executable_and_nothing_else(
    tmp_path: Path, mirror: Host, official: Host, name: str
) -> None:
    mirror.files[name] = archive(("README", b"x"), ("istioctl", PROGRAM))
    summed = hashlib.sha256(mirror.files[name]).hexdigest()
    path = fetch(tmp_path, mirror, official, sha256=summed)
    assert path == tmp_path / VERSION / "istioctl"
    assert path.read_bytes() == PROGRAM
    assert path.stat().st_mode & 0o111
    assert [p.name for p in path.parent.iterdir()] == ["istioctl"]
    assert download.newest(tmp_path) == path


def test_the_checksum_comes_from_the_official_host_and_never_from_the_mirror(
    tmp_path: Path, mirror: Host, official: Host, name: str
) -> None:
    mirror.files[name] = RIGHT
    mirror.files[f"{name}.sha256"] = b"0" * 64
    fetch(tmp_path, mirror, official)
    assert official.asked == [f"/{VERSION}/{name}.sha256"]
    assert mirror.asked == [f"/{VERSION}/{name}"]


def test_with_the_users_checksum_the_official_host_is_not_asked(
    tmp_path: Path, mirror: Host, official: Host, name: str
) -> None:
    mirror.files[name] = RIGHT
    fetch(tmp_path, mirror, official, sha256=RIGHT_SUM.upper())
    assert official.asked == []


def test_what_was_fetched_is_not_fetched_again(
    tmp_path: Path, mirror: Host, official: Host, name: str
) -> None:
    mirror.files[name] = RIGHT
    assert fetch(tmp_path, mirror, official) == fetch(tmp_path, mirror, official)
    assert len(mirror.asked) == 1


def test_without_a_version_it_is_the_pinned_one(
    tmp_path: Path, mirror: Host, official: Host
) -> None:
    with pytest.raises(EnvironmentFailed, match=f"/{PINNED}/istioctl-{PINNED}-"):
        fetch(tmp_path, mirror, official, version="")


def test_of_a_version_whose_checksum_is_shipped_nobody_is_asked_for_it(
    tmp_path: Path, mirror: Host, official: Host, name: str
) -> None:
    pinned = name.replace(VERSION, PINNED)
    mirror.files[pinned] = RIGHT
    with pytest.raises(EnvironmentFailed, match=KNOWN[pinned]):
        fetch(tmp_path, mirror, official, version=PINNED)
    assert not official.asked
    fetch(tmp_path, mirror, official, version=PINNED, sha256=RIGHT_SUM)


def test_the_pinned_version_is_known_for_every_platform() -> None:
    names = {
        download.archive_name(PINNED, system, machine)
        for system in download.RELEASE_SYSTEMS
        for machine in download.MACHINES
    }
    assert names <= KNOWN.keys()
    assert all(download.SHA256.fullmatch(checksum) for checksum in KNOWN.values())


@pytest.mark.parametrize(
    ("served", "why"),
    [
        pytest.param(RIGHT + b"more", "is not what it should be: SHA-256", id="wrong checksum"),
        pytest.param(RIGHT[:-100], "is not what it should be: SHA-256", id="truncated"),
        pytest.param(None, "cannot be fetched: 404", id="not there"),
    ],
)
def test_a_wrong_archive_is_refused_and_leaves_nothing(
    served: bytes | None, why: str, tmp_path: Path, mirror: Host, official: Host, name: str
) -> None:
    if served is not None:
        mirror.files[name] = served
    with pytest.raises(EnvironmentFailed, match=why):
        fetch(tmp_path, mirror, official)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_an_archive_that_breaks_off_is_refused(
    tmp_path: Path, mirror: Host, official: Host, name: str
) -> None:
    mirror.files[name], mirror.lengths[name] = RIGHT[:-100], len(RIGHT)
    with pytest.raises(EnvironmentFailed):
        fetch(tmp_path, mirror, official)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(archive(("../istioctl", PROGRAM)), id="a member above"),
        pytest.param(archive(("bin/istioctl", PROGRAM)), id="a member with a path"),
        pytest.param(archive(("/tmp/istioctl", PROGRAM)), id="an absolute member"),  # noqa: S108 - data
        pytest.param(archive(("istioctl", b""), kind=tarfile.SYMTYPE), id="a symbolic link"),
        pytest.param(b"not an archive", id="no archive"),
    ],
)
def test_only_a_plain_file_named_istioctl_is_taken_out(
    content: bytes, tmp_path: Path, mirror: Host, official: Host, name: str
) -> None:
    mirror.files[name] = content
    with pytest.raises(EnvironmentFailed, match=r"holds no file named istioctl|is not an archive"):
        fetch(tmp_path, mirror, official, sha256=hashlib.sha256(content).hexdigest())
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def swollen(name: str) -> bytes:
    """Give an archive of some 600 kB whose one member has 600 MB."""
    part = bytes(10_000_000)
    info = tarfile.TarInfo(name)
    info.size = 60 * len(part)
    return gzip.compress(info.tobuf()) + 60 * gzip.compress(part) + gzip.compress(bytes(1024))


@pytest.mark.parametrize("member", ["istioctl", "README"])
def test_what_unpacks_to_more_than_any_istioctl_is_refused_before_it_fills_a_disk(
    member: str, tmp_path: Path, mirror: Host, official: Host, name: str
) -> None:
    content = swollen(member)
    assert len(content) < 1_000_000
    mirror.files[name] = content
    with pytest.raises(EnvironmentFailed, match="unpacks to more than") as failure:
        fetch(tmp_path, mirror, official, sha256=hashlib.sha256(content).hexdigest())
    assert "--istioctl" in failure.value.hint
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "at", [range(10), range(20, 60), range(100, 140)], ids=["magic", "header", "content"]
)
def test_an_archive_with_wrong_bytes_in_it_is_refused(
    at: range, tmp_path: Path, mirror: Host, official: Host, name: str
) -> None:
    spoiled = bytearray(archive(("istioctl", PROGRAM)))
    for index in at:
        spoiled[index] ^= 0xFF
    mirror.files[name] = bytes(spoiled)
    with pytest.raises(EnvironmentFailed, match="is not an archive"):
        fetch(tmp_path, mirror, official, sha256=hashlib.sha256(spoiled).hexdigest())
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@contextmanager
def saying(answer: bytes) -> Iterator[str]:
    """Serve bytes as the answer to every request, and give the URL."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            self.request.sendall(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        soon = {"poll_interval": 0.01}
        thread = threading.Thread(target=server.serve_forever, kwargs=soon, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


FOUND = b"HTTP/1.1 302 Found\r\nLocation: "
ANSWERS = {
    "nothing": b"",
    "garbage": b"\x00\xff\xfe garbage\r\n\r\n",
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
    "half a status": b"HTTP/1.1",
    "a status of letters": b"HTTP/1.1 abc def\r\n\r\n",
    "an endless header": b"HTTP/1.1 200 OK\r\nx: " + b"x" * 100_000,
    "too many headers": b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 1000,
    "chunks of letters": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc",
    "less than was promised": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc",
    "a redirect to no address": FOUND + b"http://[::1\r\n\r\n",
    "a redirect to no port": FOUND + b"https://127.0.0.1:99999/\r\n\r\n",
    "a redirect to a word": FOUND + b"https://127.0.0.1:port/\r\n\r\n",
    "a redirect to no host": FOUND + b"https://\r\n\r\n",
    "a redirect to nowhere": FOUND + b"\r\n\r\n",
    "a redirect to itself": FOUND + b"x\r\n\r\n",
    "a redirect to no name": FOUND + b"https://\xe2\x84\x80/\r\n\r\n",
    "a redirect with a space": FOUND + b"https://127.0.0.1:9/a b\x7f\r\n\r\n",
}


@pytest.mark.parametrize("who", ["mirror", "official"])
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_that_is_none_is_an_error_of_ours_with_a_hint(
    answer: bytes, who: str, tmp_path: Path
) -> None:
    sha256 = RIGHT_SUM if who == "mirror" else ""
    with saying(answer) as url, pytest.raises(EnvironmentFailed) as failure:
        download.fetch(Download(VERSION, url, sha256), tmp_path, 5, url)
    assert VERSION in failure.value.message
    assert "--istioctl" in failure.value.hint or "--sha256" in failure.value.hint
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_redirect_is_followed(tmp_path: Path, mirror: Host, official: Host, name: str) -> None:
    mirror.redirects[name] = f"{official.url}/elsewhere/archive"
    official.files["archive"] = RIGHT
    assert fetch(tmp_path, mirror, official).read_bytes() == PROGRAM


@pytest.mark.parametrize("target", ["http://mirror.example/x", "ftp://127.0.0.1/x", "file:///etc"])
def test_a_redirect_to_what_is_not_https_is_refused(
    target: str, tmp_path: Path, mirror: Host, official: Host, name: str
) -> None:
    mirror.redirects[name] = target
    with pytest.raises(EnvironmentFailed):
        fetch(tmp_path, mirror, official)


@pytest.mark.parametrize("url", ["http://mirror.example", "ftp://127.0.0.1", "file:///tmp"])
def test_a_mirror_that_is_not_https_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailed, match="is not https"):
        download.fetch(Download(VERSION, url, "0" * 64), tmp_path, 5)


@pytest.mark.parametrize("version", ["latest", "../1.30.3", "1.30", "1.30.3/../.."])
def test_a_version_is_nothing_else(version: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a version of Istio"):
        download.fetch(Download(version), tmp_path, 5)


def test_a_checksum_that_is_none_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not an SHA-256"):
        download.fetch(Download(VERSION, "https://mirror.example", "abc"), tmp_path, 5)


@pytest.mark.parametrize(
    ("system", "machine", "part"),
    [
        ("Linux", "x86_64", "linux-amd64"),
        ("Linux", "aarch64", "linux-arm64"),
        ("Darwin", "arm64", "osx-arm64"),
        ("Darwin", "x86_64", "osx"),
    ],
)
def test_the_archive_is_the_platforms(system: str, machine: str, part: str) -> None:
    assert download.archive_name("1.30.3", system, machine) == f"istioctl-1.30.3-{part}.tar.gz"


def test_a_platform_without_one_is_named() -> None:
    with pytest.raises(EnvironmentFailed, match="no istioctl for Plan9 mips"):
        download.archive_name("1.30.3", "Plan9", "mips")
