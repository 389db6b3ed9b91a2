from __future__ import annotations

import hashlib
import http.server
import io
import tarfile
import threading
from typing import TYPE_CHECKING

import pytest

from meshdemo.engines import Download
from meshdemo.engines.cluster import download
from meshdemo.engines.cluster.checksums import KNOWN
from meshdemo.engines.cluster.releases import PINNED
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
        for system in download.SYSTEMS
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
    with pytest.raises(EnvironmentFailed, match=r"holds no file named istioctl|is no archive"):
        fetch(tmp_path, mirror, official, sha256=hashlib.sha256(content).hexdigest())
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
    with pytest.raises(UsageError, match="is no version of Istio"):
        download.fetch(Download(version), tmp_path, 5)


def test_a_checksum_that_is_none_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no SHA-256"):
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
