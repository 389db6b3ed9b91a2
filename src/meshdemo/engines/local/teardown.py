"""Taking a mesh down, and proving that nothing of it is left."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from meshdemo.engines import run_record
from meshdemo.engines.local.pods import ports
from meshdemo.engines.local.processes import orphans
from meshdemo.engines.local.processes.supervisor import Supervisor
from meshdemo.engines.local.runs import IDENTITY
from meshdemo.engines.local.store import PODS
from meshdemo.engines.results import Check
from meshdemo.errors import EnvironmentFailed
from meshdemo.objects.labels import COMMAND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.engines.local.runs import Run
    from meshdemo.engines.local.store import Store

DOWN_AGAIN = "Run `meshdemo down` again."
HIDDEN_PROCESSES = (
    "a process that had left its session and cleared its environment would not have been found"
)
"""What cannot be promised where no supervisord has adopted what commands of users left behind."""


@dataclass
class _Found:
    """What the run had before it was taken down: the checks at the end look for all of it."""

    families: list[orphans.Family] = field(default_factory=list)
    ended: int = 0
    unseen: str = ""
    """Why a process may have been overlooked; empty if none can have been."""
    ports: list[int] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)


def take_down(store: Store, timeout: float) -> Iterator[Check]:
    """Stop and remove everything of the run in a state directory, then look whether it is gone.

    Whatever state an earlier command left, also none; a folder that is not ours is not touched.
    What has not ended after ``timeout`` seconds keeps its files, so that it is found again.
    """
    deadline = time.monotonic() + timeout
    found = _Found()
    if _runs(store) or run_record.is_ours(store.folder):
        run_record.clear_lock(store.folder)
        with store.locked("meshdemo down", timeout):
            found = _take_down(store, deadline)
    elif store.has_record():
        record = store.folder / run_record.FILE
        message = f"{record} is not a record of meshdemo's, so nothing was removed"
        raise EnvironmentFailed(message, hint=f"Remove it yourself. {run_record.OTHER_STATE_DIR}")
    return _prove(store, found)


def _take_down(store: Store, deadline: float) -> _Found:
    found, runs, all_ended = _Found(), _runs(store), True
    found.families = [orphans.Family(run.run, Path(run.folder)) for run in runs]
    # All are looked for before any is ended: a supervisord of one run may answer for another.
    found.ended = sum(len(family.look()) for family in found.families)
    for run, family in zip(runs, found.families, strict=True):
        locks = _locks(family)
        held = locks.held()
        found.ports += held
        found.unseen = found.unseen or _why_unseen(store, family)
        supervisor = Supervisor(store.folder, Path(run.sockets), run.run)
        if supervisor.stop(deadline - time.monotonic(), family):
            locks.release(held)
        else:
            all_ended = False
    record_files = (
        store.folder / name for name in (run_record.FILE, run_record.LOCK, run_record.MADE)
    )
    found.files = [*store.content(*runs), *record_files]
    if all_ended:
        store.remove(*runs)
    return found


def _why_unseen(store: Store, family: orphans.Family) -> str:
    """Say why a process of a user's command may get lost; the built-in apps start none."""
    try:
        with_commands = COMMAND in (run_record.read_text(store.folder / PODS) or "")
    except EnvironmentFailed:
        with_commands = True
    if not with_commands:
        return ""
    if not sys.platform.startswith("linux"):
        return "only on Linux supervisord adopts it"
    return "" if family.leader() else "supervisord had ended before"


def _runs(store: Store) -> list[Run]:
    """Find the run that is recorded, and those that lost their record but left traces.

    That is what holds a port in the name of this folder, and processes that were started from
    files in it; without a usable record, also what the record still says.
    """
    try:
        recorded = store.run()
    except run_record.Damaged:
        recorded = None
    known = [recorded] if recorded else _named(store)
    names = ports.runs_of(store.folder) | orphans.runs_in(store.folder)
    # Also where a record names another folder for a run that holds ports in the name of this one.
    here = {run.run for run in known if run.folder == str(store.folder)}
    lost = set(filter(IDENTITY.fullmatch, names)) - here
    return [*known, *map(store.lost, sorted(lost))]


def _named(store: Store) -> list[Run]:
    """Give the run that an unusable record names, but for one of another folder: it may be a copy.

    It is not a copy, and was moved here, if the other folder has no such run any more.
    """
    name, folder = store.identity() or ("", store.folder)
    if not name:
        return []
    try:
        other = None if folder == store.folder else run_record.read(folder)
    except EnvironmentFailed:  # it cannot be told
        return []
    return [] if other and other.get("run") == name else [store.lost(name, folder)]


def _prove(store: Store, found: _Found) -> Iterator[Check]:
    processes = [process for family in found.families for process in family.look()]
    names = ", ".join(f"{process.name()} ({process.pid})" for process in processes)
    detail = f"still there: {names}" if processes else f"{found.ended:,} ended"
    if found.unseen:
        detail = f"{detail}; {HIDDEN_PROCESSES}: {found.unseen}"
    late = bool(processes)
    yield Check("no process is left", not processes, detail, DOWN_AGAIN, late=late)
    listening = [port for port in found.ports if ports.is_listening(port)]
    locks = list(map(_locks, found.families))
    taken = sorted({*listening, *(port for lock in locks for port in lock.held())})
    detail = f"{len(found.ports):,} given back" if not taken else f"still taken: {taken}"
    yield Check("no port is left", not taken, detail, DOWN_AGAIN, late=late)
    left = [str(path) for path in found.files if os.path.lexists(path)]
    detail = f"{store.folder} removed" if not left else f"still there: {', '.join(left)}"
    if late:
        detail = f"{store.folder} is kept until they have ended"
    elif not left and os.path.lexists(store.folder):
        detail = f"nothing of ours in {store.folder}"
    yield Check("no file is left", not left, detail, DOWN_AGAIN, late=late)


def _locks(family: orphans.Family) -> ports.PortLocks:
    return ports.PortLocks(family.run, family.folder)
