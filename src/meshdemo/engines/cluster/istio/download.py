"""Fetching istioctl: one archive, its checksum from elsewhere, and one file out of it.

A mirror may serve the archive. The checksum never comes from there: it is the user's own, one of
those that are shipped, or what the official host says over https.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import platform
import re
import tarfile
import tempfile
import urllib.error
import zlib
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

from meshdemo.engines.cluster.istio.checksums import KNOWN
from meshdemo.engines.cluster.istio.releases import PINNED
from meshdemo.errors import EnvironmentFailed, UsageError, advice
from meshdemo.settings import expand, state_folder
from meshdemo.system.fetching import FAILURES, opened

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from meshdemo.engines.options import Download

OFFICIAL_RELEASES = "https://github.com/istio/istio/releases/download"
MIRROR_VARIABLE = "MESHDEMO_ISTIOCTL_MIRROR"
MEMBER = "istioctl"
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")
MOST_BYTES = 400_000_000
"""Far above an istioctl, packed or not, and below what fills a disk."""
BROKEN = (tarfile.TarError, OSError, EOFError, ValueError, zlib.error)
"""What comes of an archive that is none."""
DOWNLOAD_CHUNK = 1 << 20
RELEASE = re.compile(r"\d+\.\d+\.\d+(-[\w.]+)?")
SHA256 = re.compile(r"[0-9a-f]{64}")
RELEASE_SYSTEMS = {"Linux": "linux", "Darwin": "osx"}
MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
MIRROR_HINT = (
    "Name another place with --istioctl-mirror, or fetch istioctl yourself and say --istioctl."
)


def fetch(
    wanted: Download, folder: Path, timeout: float, official: str = OFFICIAL_RELEASES
) -> Path:
    """Fetch istioctl into its place below ``folder``, unless it is there, and give its path.

    ``timeout`` is how many seconds a connection may say nothing.
    """
    version = wanted.version or PINNED
    if not RELEASE.fullmatch(version):
        raise UsageError(f"{version!r} is not a version of Istio", hint=f"As in {PINNED}")
    target = place(version, folder)
    # Who says a checksum wants this very archive, whatever was fetched before.
    if target.is_file() and not wanted.sha256:
        return target
    name = archive_name(version, platform.system(), platform.machine())
    mirror = wanted.base_url or os.environ.get(MIRROR_VARIABLE) or official
    source = f"{mirror.rstrip('/')}/{version}/{name}"
    sha256 = (
        wanted.sha256.lower()
        or KNOWN.get(name)
        or _official_sha256(f"{official}/{version}/{name}", timeout)
    )
    if not SHA256.fullmatch(sha256):
        raise UsageError(f"{wanted.sha256!r} is not an SHA-256", hint="64 hexadecimal digits.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=target.parent) as archive:
            _download(source, archive, sha256, timeout)
            _extract(archive, target, source)
    except OSError as error:
        message = f"{target} cannot be written: {error.strerror}"
        raise EnvironmentFailed(message, hint=advice(error)) from error
    return target


def cache(environment: Mapping[str, str] = os.environ) -> Path:
    """Give the folder for what was fetched, after the XDG base directory specification.

    Where there is no home folder, it is in the state directory that the environment names.
    """
    base = environment.get("XDG_CACHE_HOME") or "~/.cache"
    try:
        return expand(base) / "meshdemo" / "istioctl"
    except EnvironmentFailed:
        hint = "Name a folder for what is fetched: XDG_CACHE_HOME, or MESHDEMO_STATE_DIR."
        return expand(state_folder(), hint) / "istioctl"


def place(version: str, folder: Path | None = None) -> Path:
    """Give where the istioctl of a version is, once it was fetched."""
    return (folder or cache()) / version / MEMBER


def newest(folder: Path) -> Path | None:
    """Give the newest istioctl that was fetched."""
    there = [path for path in folder.glob(f"*/{MEMBER}") if os.access(path, os.X_OK)]
    return max(
        there, key=lambda path: [int(n) for n in re.findall(r"\d+", path.parent.name)], default=None
    )


def archive_name(version: str, system: str, machine: str) -> str:
    """Name the archive of a platform, as Istio does."""
    place, processor = RELEASE_SYSTEMS.get(system), MACHINES.get(machine.lower())
    if not (place and processor):
        message = f"there is no istioctl for {system} {machine}"
        raise EnvironmentFailed(message, hint="Name one of your own with --istioctl.")
    if (place, processor) == ("osx", "amd64"):  # Istio's first one for macOS, from before arm64
        return f"istioctl-{version}-{place}.tar.gz"
    return f"istioctl-{version}-{place}-{processor}.tar.gz"


def _official_sha256(archive: str, timeout: float) -> str:
    """Ask the official host for the checksum; it is the first word of what it says."""
    try:
        with opened(f"{archive}.sha256", _refuse_unsafe, timeout) as answer:
            words = answer.read(1000).decode(errors="replace").split()
    except FAILURES as error:
        hint = "Say the archive's checksum with --sha256: it is never taken from a mirror."
        raise EnvironmentFailed(_failure(f"{archive}.sha256", error), hint=hint) from error
    if not words or not SHA256.fullmatch(words[0].lower()):
        raise EnvironmentFailed(f"{archive}.sha256 says no checksum", hint=MIRROR_HINT)
    return words[0].lower()


def _download(source: str, archive: IO[bytes], sha256: str, timeout: float) -> None:
    """Write the archive into a file, and see that it is the right one."""
    digest, size = hashlib.sha256(), 0
    try:
        with opened(source, _refuse_unsafe, timeout) as answer:
            while chunk := answer.read(DOWNLOAD_CHUNK):
                size += len(chunk)
                if size > MOST_BYTES:
                    raise EnvironmentFailed(f"{source} does not end", hint=MIRROR_HINT)
                digest.update(chunk)
                archive.write(chunk)
    except FAILURES as error:
        raise EnvironmentFailed(_failure(source, error), hint=MIRROR_HINT) from error
    if digest.hexdigest() != sha256:
        message = f"{source} is not what it should be: SHA-256 {digest.hexdigest()}, not {sha256}"
        raise EnvironmentFailed(message, hint=MIRROR_HINT)


def _extract(archive: IO[bytes], target: Path, source: str) -> None:
    """Take the one member out, beside its place, and rename it."""
    # Another command may run the istioctl that is there, or fetch one as well.
    beside = target.with_name(f".{MEMBER}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            for chunk in _member(archive, source):
                file.write(chunk)
        beside.chmod(0o755)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def _member(archive: IO[bytes], source: str) -> Iterator[bytes]:
    """Give the content of the one member, unless the archive swells beyond all measure."""
    archive.seek(0)
    try:
        with gzip.GzipFile(fileobj=archive) as unpacked:
            bounded: Any = _Bounded(unpacked, source)  # of a stream tarfile needs only this much
            with tarfile.open(fileobj=bounded, mode="r|") as tar:
                found = next((m for m in tar if m.name == MEMBER and m.isfile()), None)
                if found and found.size > MOST_BYTES:  # perhaps of holes, which take no room
                    raise _swollen(source)
                data = tar.extractfile(found) if found else None
                while chunk := data.read(DOWNLOAD_CHUNK) if data else b"":
                    yield chunk
    except BROKEN as error:
        raise EnvironmentFailed(f"{source} is not an archive: {error}", hint=MIRROR_HINT) from error
    if data is None:
        raise EnvironmentFailed(f"{source} holds no file named {MEMBER}", hint=MIRROR_HINT)


class _Bounded:
    """What an archive unpacks to, up to a bound: half a megabyte can become gigabytes."""

    def __init__(self, unpacked: gzip.GzipFile, source: str) -> None:
        self.unpacked, self.source, self.left = unpacked, source, MOST_BYTES

    def read(self, size: int) -> bytes:
        """Read on. Raises EnvironmentFailed beyond the bound."""
        content = self.unpacked.read(size)
        self.left -= len(content)
        if self.left < 0:
            raise _swollen(self.source)
        return content


def _swollen(source: str) -> EnvironmentFailed:
    message = f"{source} unpacks to more than {MOST_BYTES:,} bytes, which is not a {MEMBER}"
    return EnvironmentFailed(message, hint=MIRROR_HINT)


def _refuse_unsafe(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS):
        return
    raise EnvironmentFailed(f"{url} is not https, so it is not fetched", hint=MIRROR_HINT)


def _failure(url: str, error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"{url} cannot be fetched: {error.code} {error.reason}"
    return f"{url} cannot be fetched: {getattr(error, 'reason', None) or error}"
