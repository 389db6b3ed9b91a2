"""Processes of a run, whoever started them: by the mark in their environment, and by descent."""

from __future__ import annotations

import math
import os
import signal
import time
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import psutil

from meshdemo.engines.local.processes import configuration
from meshdemo.engines.local.programs import RUN_VARIABLE
from meshdemo.errors import TimedOut
from meshdemo.system import waiting

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

TERM_SECONDS = 3
"""How long they may take to end after a signal; Envoy and the apps need far less."""
LONGEST_PAUSE = 0.05
ROUNDS = 3
"""A process may start another one while we look; more often than this it means to."""


class Family:
    """The processes of a run: those that bear its mark or run its files, and all below them.

    On Linux nothing gets away from below supervisord, see ``daemon``, whatever it does to its
    session and environment. Who was seen once stays known, also when its parent has gone; so look
    before anything is ended.
    """

    def __init__(self, run: str, folder: Path) -> None:
        self.run, self.folder = run, folder
        self._known: set[psutil.Process] = set()

    def look(self) -> list[psutil.Process]:
        """List those that are there now."""
        # One pass over all processes: psutil's children() makes one with each call.
        below: dict[int, list[psutil.Process]] = {}
        found: list[psutil.Process] = []
        for process in psutil.process_iter():
            below.setdefault(_parent(process), []).append(process)
            if process in self._known or self._belongs(process):
                found.append(process)
        for process in found:  # it grows while it is read
            found += [child for child in below.get(process.pid, ()) if child not in found]
        self._known.update(found)
        return [process for process in found if is_alive(process) and process.pid != os.getpid()]

    def leader(self) -> psutil.Process | None:
        """Give the supervisord among them, whatever its record says; None if it is gone."""
        file = f"{self.folder}/{configuration.CONFIG}"
        return next((p for p in self._known if file in _words(p) and is_alive(p)), None)

    def end(self, deadline: float = math.inf) -> list[psutil.Process]:
        """End them all: ask first, then kill. Give those that are there all the same.

        ``deadline`` is by the monotonic clock.
        """
        found = self.look()
        for number in range(ROUNDS):
            left = deadline - time.monotonic()
            if not found or left <= 0:
                break
            for process in found:
                # Only the first round asks: what is new in a later one was started by what should
                # have ended.
                signal_to(process, signal.SIGKILL if number else signal.SIGTERM)
            with suppress(TimedOut):
                waiting.until(
                    lambda: not any(map(is_alive, found)),  # noqa: B023 - called at once
                    "the last processes",
                    timeout=min(TERM_SECONDS, left),
                    longest_pause=LONGEST_PAUSE,
                )
            found = self.look()
        return found

    def _belongs(self, process: psutil.Process) -> bool:
        """Tell whether it bears the mark, or, where nobody may look at that, runs our files.

        That is so for a process of ours in another user namespace.
        """
        mark = _mark(process)
        return self._runs_our_files(process) if mark is None else mark == self.run

    def _runs_our_files(self, process: psutil.Process) -> bool:
        """Tell whether it is a supervisord or an Envoy of ours, by its configuration."""
        words = _words(process)
        files = [file for option, file in pairwise(words) if option == "-c"]
        ours = any(file.startswith(_files(self.folder)) for file in files)
        return ours and _user(process) == os.getuid()


def of_run(run: str) -> list[psutil.Process]:
    """List the processes that bear the mark of a run."""
    return [p for p in psutil.process_iter() if _mark(p) == run and p.pid != os.getpid()]


def runs_in(folder: Path) -> set[str]:
    """Name the runs of which we started a supervisord or an Envoy from files in the folder."""
    return {
        _mark(process) or ""
        for process in psutil.process_iter()
        if any(word.startswith(_files(folder)) for word in _words(process))
        and _user(process) == os.getuid()
    } - {""}


def foreign_listeners(pid: int) -> list[str]:
    """List where a process or its children listen, other than on loopback."""
    return sorted(
        f"{item.laddr.ip}:{item.laddr.port}"
        for item in _connections(pid, psutil.CONN_LISTEN)
        if not _is_loopback(item.laddr.ip)
    )


def listens(pid: int, port: int) -> bool:
    """Tell whether a process or one of its children listens on the port."""
    return any(item.laddr.port == port for item in _connections(pid, psutil.CONN_LISTEN))


def is_connected(pid: int, ports: Collection[int]) -> bool:
    """Tell whether somebody is connected to one of these ports of a process or its children."""
    return any(item.laddr.port in ports for item in _connections(pid, psutil.CONN_ESTABLISHED))


def _connections(pid: int, status: str) -> list[Any]:
    """List the connections in a state that a process and its children have; none if it is gone."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        found = [item for member in family for item in member.net_connections("inet")]
    except psutil.Error:
        return []
    return [item for item in found if item.status == status]


def _is_loopback(address: str) -> bool:
    return address.startswith("127.") or address in {"::1", "::ffff:127.0.0.1"}


def is_alive(process: psutil.Process) -> bool:
    """Tell whether it is there; a zombie is gone for us, whether its parent sees to it or not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def signal_to(process: psutil.Process, number: int) -> None:
    """Send a signal; psutil checks that the process id was not given away."""
    with suppress(psutil.Error):  # it is gone, or we may not: who looks again will see
        process.send_signal(number)


def _files(folder: Path) -> tuple[str, ...]:
    """Say how the files begin that a supervisord and an Envoy of a folder are started from."""
    return f"{folder}/{configuration.CONFIG}", f"{folder}/pods/", f"{folder}/kube-proxy/"


def _mark(process: psutil.Process) -> str | None:
    """Give the mark that a process bears, empty without one; None if nobody may look."""
    try:
        return process.environ().get(RUN_VARIABLE, "")
    except (psutil.AccessDenied, PermissionError):
        return None
    except (psutil.Error, OSError):  # it is gone
        return ""


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except (psutil.Error, OSError):
        return []


def _user(process: psutil.Process) -> int:
    try:
        return process.uids().real
    except psutil.Error:
        return -1


def _parent(process: psutil.Process) -> int:
    try:
        return process.ppid()
    except psutil.Error:
        return 0
