"""Taking a mesh down, and proving that nothing of it is left."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from meshdemo.engines import Check
from meshdemo.engines.local import orphans, ports
from meshdemo.engines.local.processes import Supervisor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psutil import Process

    from meshdemo.engines.local.store import Run, Store

HINT = "Run `meshdemo down` again."


def take_down(store: Store, timeout: float) -> Iterator[Check]:
    """Stop and remove everything of the run in a state directory, then look whether it is gone.

    Whatever state an earlier command left, also none.
    """
    if not store.folder.is_dir():
        return _prove(store, None, [], 0)
    with store.locked("meshdemo down", timeout):
        run = store.run()
        held, ended = [], 0
        if run:
            locks = ports.PortLocks(run.run, store.folder)
            held = locks.held()
            ended = len(orphans.of_run(run.run))
            Supervisor(store.folder, Path(run.sockets), run.run).stop()
            locks.release(held)
        store.remove(run)
    return _prove(store, run, held, ended)


def _prove(store: Store, run: Run | None, held: list[int], ended: int) -> Iterator[Check]:
    processes = orphans.of_run(run.run) if run else []
    detail = f"{ended} ended" if not processes else f"still there: {_names(processes)}"
    yield Check("no process is left", not processes, detail, HINT if processes else "")
    listening = [port for port in held if ports.is_listening(port)]
    locked = ports.PortLocks(run.run, store.folder).held() if run else []
    taken = sorted({*listening, *locked})
    detail = f"{len(held)} given back" if not taken else f"still taken: {taken}"
    yield Check("no port is left", not taken, detail, HINT if taken else "")
    left = store.left()
    if run and Path(run.sockets).exists():
        left.append(run.sockets)
    detail = f"{store.folder} removed" if not left else f"still there: {', '.join(left)}"
    if not left and store.folder.exists():
        detail = f"{store.folder} has only files that are not ours"
    yield Check("no file is left", not left, detail, HINT if left else "")


def _names(processes: list[Process]) -> str:
    return ", ".join(f"{process.name()} ({process.pid})" for process in processes)
