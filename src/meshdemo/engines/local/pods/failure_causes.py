"""Why a process of a pod ends again and again, by what it wrote."""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING

from meshdemo.engines.local import inotify
from meshdemo.engines.local.pods.layout import KUBE_PROXY
from meshdemo.engines.results import LAST_LINES
from meshdemo.errors import advice
from meshdemo.objects.containers import ISTIO_PROXY
from meshdemo.system import files

if TYPE_CHECKING:
    from pathlib import Path

    from meshdemo.engines.local.processes.supervisor import State

CRASHES_TO_GIVE_UP = 2
"""So many ends in a row are no bad luck at the start: the pod is given up."""
TAIL = 64 * 1024
"""Bytes of a log's end that are read; a crash of Envoy's writes about five thousand."""
LONGEST_LINE = 400
"""Characters of a line that are shown."""
ENVOY_LINE = re.compile(
    r"\[[^\]]+\]\[(?P<thread>\d+)\]\[(?P<level>\w+)\]\[(?P<about>\w+)\] "
    r"(?:\[[^\]]*\] )?(?P<text>.*)"
)
CONFIG_REJECTED = re.compile(r"error `(?P<text>.+)` initializing config.*")
"""What wraps the reason why an Envoy does not even start."""
NO_PROCESS = "Too many processes in process table"
"""supervisord's words for what it was not allowed to start."""
MORE_PROCESSES = advice(OSError(errno.EAGAIN, NO_PROCESS))
FOOTNOTES = ("backtrace", "envoy_bug")
"""What Envoy writes below the line that says why it ends."""


def is_given_up(state: State, tries: int = 0) -> bool:
    """Tell whether a process will not run, however long one waits.

    ``tries``: how often one was started that may end, until it succeeded; 0 if it may not.
    """
    if tries and state.is_over:
        return not state.is_done
    return state.is_crashing and (
        bool(state.unstartable) or state.restarts + 1 >= CRASHES_TO_GIVE_UP
    )


def of_container(name: str, state: State, log: Path, count: int = LAST_LINES) -> str:
    """Say that a container ends each time it is started, and show its last lines."""
    found = _said(name, state)
    return found if state.unstartable else f"{found}; {_its_last_lines(log, count)}"


def of_envoy(state: State, log: Path, count: int = LAST_LINES) -> str:
    """Say that an Envoy ends each time it is started, with the line of its log that says why."""
    name = KUBE_PROXY if log.stem == KUBE_PROXY else ISTIO_PROXY
    if state.unstartable:
        return _said(name, state)
    if why := _last_word(log, state.end.pid if state.end else 0):
        return f"{_said(name, state)}: {why}"
    return f"{_said(name, state)}; {_its_last_lines(log, count)}"


def hint_of_envoy(cause: str, log: Path) -> str:
    """Say what to do about an Envoy that ends, given what ``of_envoy`` says."""
    if NO_PROCESS in cause:
        return MORE_PROCESSES
    more = f"All that it wrote is in {log}"
    return f"{inotify.advice(inotify.PER_ENVOY)}. {more}" if "inotify" in cause else more


def hint_of_container(cause: str) -> str:
    """Say what to do about a container that ends, given what ``of_container`` says."""
    if NO_PROCESS in cause:
        return MORE_PROCESSES
    return "Correct it and apply it again; `meshdemo logs` shows all it wrote."


def last_lines(log: Path, count: int = LAST_LINES) -> str:
    """Give the end of a log, indented."""
    return "\n".join(f"    {line}" for line in _tail(log)[-count:]) or "    (it wrote nothing)"


def _its_last_lines(log: Path, count: int) -> str:
    return f"its last lines:\n{last_lines(log, count)}"


def _said(name: str, state: State) -> str:
    if state.unstartable:
        return f"{name} cannot be started: {state.unstartable}"
    how = f" ({state.end.how})" if state.end else ""
    if state.is_over:
        return f"{name} has ended{how}"
    if state.is_up:
        return f"{name} was only just started again, after it ended{how}"
    return f"{name} ends each time it is started{how}"


def _last_word(log: Path, process: int) -> str:
    """Find the line in which an Envoy said why it ends; that of an earlier life does not count."""
    for line in _tail(log):
        found = ENVOY_LINE.fullmatch(line)
        if not found or int(found["thread"]) != process or found["level"] != "critical":
            continue
        if found["about"] not in FOOTNOTES:
            text = " ".join(found["text"].split())
            return CONFIG_REJECTED.sub(r"\g<text>", text)[:LONGEST_LINE]
    return ""


def _tail(log: Path) -> list[str]:
    try:
        with files.open_to_read(log) as file:
            file.seek(max(0, file.seek(0, 2) - TAIL))
            return file.read().decode(errors="replace").splitlines()
    except OSError:
        return []
