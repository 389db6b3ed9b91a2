"""Ports on loopback that no two runs ever share.

Each port that a run uses has a lock in one folder for each user: a symbolic link named after the
port, whose target says which run holds it. Making a link is atomic and carries its content, so
there is never a lock that does not say whose it is. The folder does not depend on the
environment: two runs with different TMPDIRs must still see each other.
"""

from __future__ import annotations

import errno
import os
import random
import socket
import stat
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from meshdemo.engines import run_record
from meshdemo.engines.local.model import LOOPBACK
from meshdemo.errors import EnvironmentFailed
from meshdemo.system import filelock, files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LOWEST, HIGHEST = 10_000, 65_535
ROOM = 1_000
"""Fewer candidates than this are not worth avoiding the ephemeral range for."""
LINUX_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
EPHEMERAL = (49_152, HIGHEST)
"""The range that IANA set aside, and that macOS and the BSDs use."""
FOLDER_SECONDS = 10
"""How long other commands may hold the folder: each of them needs a few milliseconds."""
TEMPORARY = Path("/tmp")  # noqa: S108 - what is made there is 0700, and checked to be ours
NAMES = 100
"""So many folders of others are passed over: who makes as many wants nobody to have a mesh."""


def lock_folder(above: Path = TEMPORARY) -> Path:
    """Name this user's folder, the same for all of them: the first that nobody else has.

    Anybody may have made one that is called like ours, and in a user namespace we have another
    user's number.
    """
    first = above / f"meshdemo-ports-{os.getuid()}"
    names = (first, *(first.with_name(f"{first.name}-{number}") for number in range(1, NAMES)))
    free = (name for name in names if files.is_own_folder(name) or not os.path.lexists(name))
    return next(free, first)


FOLDER = lock_folder()


def ephemeral_range() -> tuple[int, int]:
    """Give the ports that the kernel hands out by itself."""
    try:
        low, high = LINUX_RANGE.read_text().split()
        return int(low), int(high)
    except (OSError, ValueError):
        return EPHEMERAL


def candidates(low: int, high: int) -> list[int]:
    """List the ports to choose from, given the ephemeral range.

    Below it if there is room, else also above it; if it covers nearly everything, then within
    it: the bind test still holds, and a port lost to somebody else is replaced.
    """
    below = list(range(LOWEST, min(low, HIGHEST + 1)))
    if len(below) >= ROOM:
        return below
    outside = below + list(range(max(high + 1, LOWEST), HIGHEST + 1))
    return outside if len(outside) >= ROOM else list(range(LOWEST, HIGHEST + 1))


def is_listening(port: int) -> bool:
    """Tell whether something on loopback takes connections on the port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def is_free(port: int) -> bool:
    """Tell whether a process of ours could listen on the port now."""
    with socket.socket() as probe:
        return _bind(probe, port, reuse=True)


class PortLocks:
    """The locks that one run holds."""

    def __init__(
        self, run: str, state_dir: Path, folder: Path = FOLDER, choice: Sequence[int] = ()
    ) -> None:
        self.folder, self.owner = folder, f"{run}@{state_dir}"
        self.choice = list(choice)
        """Which ports may be taken; empty stands for those outside of the ephemeral range."""

    def take(self, count: int) -> list[int]:
        """Choose so many free ports, and lock them for this run."""
        if not count:
            return []
        choice = self.choice or candidates(*ephemeral_range())
        # Meshes of other users, who have other locks, then seldom try the same ports.
        start = random.randrange(len(choice))  # noqa: S311 - only spreads the runs
        chosen: list[int] = []
        with self._folder() as folder, ExitStack() as probes:
            for port in choice[start:] + choice[:start]:
                # The probes stay open until all ports are chosen: none is chosen twice.
                probe = probes.enter_context(socket.socket())
                lock = folder / str(port)
                is_fresh = _owner(lock) != self.owner
                if is_fresh and _bind(probe, port, reuse=False) and self._lock(lock):
                    chosen.append(port)
                else:
                    probe.close()
                if len(chosen) == count:
                    return chosen
            for port in chosen:
                (folder / str(port)).unlink()
        message = (
            f"there are not {count:,} free ports on {LOOPBACK} among {len(choice):,} candidates"
        )
        raise EnvironmentFailed(message, hint="Stop a mesh that is not needed: meshdemo down.")

    def keep(self, ports: Sequence[int]) -> list[int]:
        """Lock these ports again where the lock is gone; give those that another run holds."""
        if not ports:
            return []
        with self._folder() as folder:
            return [port for port in ports if not self._lock(folder / str(port))]

    def held(self) -> list[int]:
        """List the ports that this run holds."""
        try:
            paths = [path for path in self.folder.iterdir() if path.name.isdecimal()]
        except OSError:
            return []
        held = sorted(int(path.name) for path in paths if _owner(path) == self.owner)
        return [port for port in held if port <= HIGHEST]

    def release(self, ports: Sequence[int]) -> None:
        """Give these ports back, and remove the folder with the last of them."""
        if not os.path.lexists(self.folder):
            return
        with self._folder() as folder:
            for port in ports:
                lock = folder / str(port)
                if _owner(lock) == self.owner:
                    lock.unlink(missing_ok=True)
            try:
                folder.rmdir()
            except OSError as error:
                if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                    raise

    def _lock(self, lock: Path) -> bool:
        try:
            lock.symlink_to(self.owner)
        except FileExistsError:
            owner = _owner(lock)
            if owner == self.owner:
                return True
            if not (owner and _is_stale(owner)):  # of no owner: it is not a lock, and not ours
                return False
            lock.unlink()
            lock.symlink_to(self.owner)
        return True

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        """Hold the folder: only one command of this user at a time changes locks."""
        with filelock.hold_folder(self.folder, timeout=FOLDER_SECONDS, prepare=self._prepare):
            try:
                yield self.folder
            except OSError as error:
                message = f"ports cannot be locked in {self.folder}: {error.strerror}"
                raise EnvironmentFailed(message, hint="See that you may write there.") from error

    def _prepare(self) -> None:
        try:
            self.folder.mkdir(mode=0o700)
        except FileExistsError:
            pass
        except OSError as error:
            message = f"{self.folder} cannot be made, so no port can be locked: {error.strerror}"
            raise EnvironmentFailed(message, hint="See that you may write there.") from error
        try:
            found = self.folder.lstat()
        except FileNotFoundError:
            return  # somebody removed it just now; whoever wants it tries again
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            message = f"{self.folder} is not a folder of yours, so no port can be locked"
            raise EnvironmentFailed(message, hint="Have it removed by its owner.")


def runs_of(state_dir: Path, folder: Path = FOLDER) -> set[str]:
    """Name the runs that hold a port for a state directory."""
    try:
        owners = [_owner(path) for path in folder.iterdir()]
    except OSError:
        return set()
    parts = (owner.partition("@") for owner in owners)
    return {run for run, _, where in parts if where == str(state_dir)}


def _bind(probe: socket.socket, port: int, *, reuse: bool) -> bool:
    """Try a port; with ``reuse`` connections that are still closing do not count."""
    if reuse:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind((LOOPBACK, port))
    except OSError:
        return False
    return True


def _owner(lock: Path) -> str:
    try:
        return str(lock.readlink())
    except OSError:
        return ""


def _is_stale(owner: str) -> bool:
    """Tell whether the run that a lock names is over: its state directory records it no more."""
    run, _, state_dir = owner.partition("@")
    try:
        recorded = run_record.read(Path(state_dir))
    except EnvironmentFailed:
        return False  # it cannot be told
    return recorded is None or recorded.get("run") != run
