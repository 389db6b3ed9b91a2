"""Processes of a run, found by the mark in their environment, whoever started them."""

from __future__ import annotations

import math
import os
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psutil

from meshdemo import waiting
from meshdemo.engines.local.images import RUN_VARIABLE
from meshdemo.errors import TimedOut

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

GRACE_SECONDS = 3
"""How long they may take to end after a signal; Envoy and the apps need far less."""
LONGEST_PAUSE = 0.05
ROUNDS = 3
"""A process may start another one while we look; more often than this it means to."""


def is_ours(pid: int, run: str) -> bool:
    """Tell whether a process belongs to the run: its id may be somebody else's by now."""
    try:
        return _belongs(psutil.Process(pid), run)
    except psutil.Error:
        return False


def recorded_pid(file: Path, run: str) -> int:
    """Give the process id in a file if that process is of this run, else 0."""
    try:
        pid = int(file.read_text())
    except (OSError, ValueError):
        return 0
    return pid if is_ours(pid, run) else 0


def send(pid: int, run: str, number: int) -> None:
    """Send a signal to a process if it is of this run."""
    if is_ours(pid, run):
        _signal(psutil.Process(pid), number)


def of_run(run: str) -> list[psutil.Process]:
    """List the processes of a run."""
    return [process for process in psutil.process_iter() if _belongs(process, run)]


def runs_in(folder: Path) -> set[str]:
    """Name the runs of which a supervisord or an Envoy was started from files in the folder."""
    ours = (f"{folder}/supervisord.conf", f"{folder}/pods/", f"{folder}/kube-proxy/")
    found = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if any(word.startswith(ours) for word in process.cmdline()):
                found.add(process.environ().get(RUN_VARIABLE, ""))
    return found - {""}


def end_all(run: str, deadline: float = math.inf) -> None:
    """End every process of a run: ask first, then kill; ``deadline`` is by the monotonic clock."""
    for number in range(ROUNDS):
        found = of_run(run)
        left = deadline - time.monotonic()
        if not found or left <= 0:
            return
        for process in found:
            _signal(process, signal.SIGKILL if number else signal.SIGTERM)
        # Not psutil.wait_procs: a zombie is gone for us, whether its parent looks after it or not.
        with suppress(TimedOut):
            waiting.until(
                lambda: not any(_belongs(process, run) for process in found),  # noqa: B023 - called at once
                "the last processes",
                timeout=min(GRACE_SECONDS, left),
                longest_pause=LONGEST_PAUSE,
            )


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


def _belongs(process: psutil.Process, run: str) -> bool:
    try:
        return process.pid != os.getpid() and process.environ().get(RUN_VARIABLE) == run
    except (psutil.Error, OSError):
        # It is somebody else's, or it is gone: a zombie has no environment.
        return False


def _signal(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)  # psutil checks that the process id was not given away.
    except psutil.NoSuchProcess:
        return
