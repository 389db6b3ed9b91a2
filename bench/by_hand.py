"""What meshdemo is measured against: the same processes started by hand, and curl."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

URL = "http://app/env/version"
RUN = "MESHDEMO_RUN"
APPS = "meshdemo.engines.local.apps."
DEADLINE = 30
"""Seconds until a start that did not work is given up."""


@dataclass(frozen=True)
class Program:
    """How one process of the mesh was started."""

    argv: list[str]
    env: dict[str, str]


@dataclass(frozen=True)
class Recording:
    """A mesh that ran: its files, and how its Envoys and apps were started."""

    state: Path
    copy: Path
    sockets: Path
    programs: list[Program]
    proxy: tuple[str, int]
    v1: tuple[str, int]
    """Where the sidecar of app-v1 listens: all traffic of the final rules goes to v2."""

    @contextmanager
    def running(self) -> Iterator[tuple[float, list[psutil.Process]]]:
        """Start the same processes with the same files, and stop them afterwards.

        Gives the time of the start as well.
        """
        shutil.copytree(self.copy, self.state)
        self.sockets.mkdir(mode=0o700, exist_ok=True)
        began = time.perf_counter()
        # The environment is the recorded one, and nothing reads what they write.
        started = [
            subprocess.Popen(
                program.argv,
                env=program.env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for program in self.programs
        ]
        try:
            yield began, [psutil.Process(process.pid) for process in started]
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait(timeout=DEADLINE)
            shutil.rmtree(self.state)
            shutil.rmtree(self.sockets, ignore_errors=True)

    def wait(self) -> None:
        """Return when both versions have answered."""
        deadline = time.monotonic() + DEADLINE
        places = {"v2": (self.proxy, URL), "v1": (self.v1, "/env/version")}
        while places:
            for version, (address, target) in list(places.items()):
                if answer(address, target) == version:
                    del places[version]
            if time.monotonic() > deadline:
                message = f"started by hand, {', '.join(places)} did not answer in {DEADLINE} s"
                raise TimeoutError(message)
            time.sleep(0.002)


def answer(address: tuple[str, int], target: str) -> str:
    """Ask once; an empty string if there is no good answer."""
    connection = http.client.HTTPConnection(*address, timeout=5)
    with suppress(OSError, http.client.HTTPException):
        connection.request("GET", target, headers={"Host": "app"})
        response = connection.getresponse()
        body = response.read().decode()
        return body.strip() if response.status == http.client.OK else ""
    return ""


def processes(state: Path) -> list[psutil.Process]:
    """Give all processes of the run in a state directory, supervisord with them."""
    run = json.loads((state / "run.json").read_text())["run"]
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(RUN) == run:
                found.append(process)
    return found


def record(state: Path, copy: Path, proxy: str, v1: str) -> Recording:
    """Note all that is needed to start the Envoys and the apps of a running mesh by hand."""
    run = json.loads((state / "run.json").read_text())
    programs = []
    for process in processes(state):
        argv = process.cmdline()
        if argv[0] == run["envoy"] or any(word.startswith(APPS) for word in argv):
            programs.append(Program(argv, process.environ()))
    # Sockets cannot be copied, and need not be.
    shutil.copytree(state, copy, ignore=lambda folder, names: [n for n in names if _odd(folder, n)])
    return Recording(state, copy, Path(run["sockets"]), programs, _address(proxy), _address(v1))


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return str(parts.hostname), int(parts.port or 0)


def _odd(folder: str, name: str) -> bool:
    return not (Path(folder, name).is_file() or Path(folder, name).is_dir())


def pss(found: Sequence[psutil.Process]) -> float:
    """Sum the proportional set sizes, in MB."""
    return sum(process.memory_full_info().pss for process in found) / 1e6


def curl_loop(proxy_url: str, count: int) -> list[str]:
    """Give the article's loop: one curl process a request."""
    loop = f"for i in $(seq {count}); do {curl()} -s {URL}; done"
    return ["env", f"http_proxy={proxy_url}", "sh", "-c", loop]


def curl_once(proxy_url: str, count: int) -> list[str]:
    """Give one curl process that sends many requests on one connection."""
    return ["env", f"http_proxy={proxy_url}", curl(), "-s", f"{URL}?[1-{count}]"]


def curl() -> str:
    """Find curl, which only the comparison needs."""
    found = shutil.which("curl", path=os.environ.get("PATH"))
    if not found:
        raise SystemExit("bench: install curl; it is what meshdemo is compared with")
    return found
