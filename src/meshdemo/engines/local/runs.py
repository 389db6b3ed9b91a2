"""One life of a mesh, from the first ``apply`` to ``down``: what its record says of it, and how far
that is to be trusted.

``down`` ends the processes of a run and removes its folder of unix sockets, which may be outside of
the state directory, where paths are short. A record alone is not enough for that: the folder must
be ours by its place, its owner and mode, and a mark that is in it.
"""

from __future__ import annotations

import os
import re
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from meshdemo.engines import run_record
from meshdemo.engines.protocol import LOCAL
from meshdemo.errors import EnvironmentFailed
from meshdemo.settings import absolute
from meshdemo.system import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SOCKETS = "sockets"
SOCKET_PATH_LIMIT = 104
"""Bytes of a unix socket's path with its closing zero, on macOS; Linux has 108."""
SOCKET_NAME_ROOM = 24
"""Bytes that the longest name of a socket takes, with the process id that supervisord adds."""
IDENTITY = re.compile(r"[0-9a-f]{12}")
"""The shape of a run's name."""


class Run(Struct, frozen=True):
    """What is recorded of a run."""

    run: str
    """Its name, which is in the environment of all its processes."""
    created: str
    sockets: str
    """The folder of the unix sockets; a short path."""
    envoy: str
    """Envoy's binary."""
    envoy_version: str
    folder: str
    """The state directory: the same record in another folder is a copy, or was moved there."""
    namespace: str = "default"
    """Where the last command that changed something did so: the next one need not name it."""
    engine: str = LOCAL

    @property
    def mark(self) -> str:
        """Give what names the run and its folder wherever something of it is elsewhere."""
        return f"{self.run}@{self.folder}"

    @property
    def owns_sockets(self) -> bool:
        """Tell whether the folder of its sockets is there, and ours."""
        sockets = Path(self.sockets)
        if not files.is_own_folder(sockets):
            return False
        if _is_inside(sockets, self.folder):
            return True
        mark = sockets / run_record.MADE
        marked = files.text(mark) == self.mark or _has_only(sockets, files.temporary(mark).name)
        return marked and not sockets.stat().st_mode & 0o077


def new_name() -> str:
    """Name a run that is to begin."""
    return uuid.uuid4().hex[:12]


def begin(name: str, folder: Path, created: str, envoy: tuple[str, str], namespace: str) -> Run:
    """Make a new run; ``envoy`` is its binary and the version of that."""
    for place in _places(name, folder):
        if place.parent == folder or os.access(place.parent, os.W_OK | os.X_OK):
            return Run(name, created, str(place), *envoy, str(folder), namespace)
    message = f"no folder has a path short enough for a unix socket below {folder}"
    raise EnvironmentFailed(message, hint="Choose a --state-dir with a shorter path.")


def lost(name: str, folder: Path, began_in: Path) -> Run:
    """Give what is known of a run that has no usable record."""
    run = Run(name, "", str(folder / SOCKETS), "", "", str(began_in))
    places = (replace(run, sockets=str(place)) for place in _places(name, folder))
    return next((found for found in places if found.owns_sockets), run)


def read(data: Mapping[str, object], folder: Path) -> Run:
    """Read a record of the state directory. Raises run_record.Damaged if it cannot be trusted."""
    values = {name: data.get(name) for name in Run.__struct_fields__}
    if wrong := [name for name, value in values.items() if not (value and isinstance(value, str))]:
        raise run_record.Damaged(folder / run_record.FILE, f"it has no {', '.join(wrong)}")
    run = Run(**{name: str(value) for name, value in values.items()})
    if why := _doubt(run, folder):
        raise run_record.Damaged(folder / run_record.FILE, why)
    return run


def ensure_sockets(run: Run) -> None:
    """Make the folder of the sockets, and see that nobody else can be in it."""
    sockets = Path(run.sockets)
    try:
        sockets.mkdir(mode=0o700, exist_ok=True)
        is_ours = run.owns_sockets and not sockets.stat().st_mode & 0o077
        if is_ours:
            files.write_if_changed(sockets / run_record.MADE, run.mark)
    except OSError as error:
        message = f"{sockets}, a folder for sockets, cannot be made: {error.strerror}"
        raise EnvironmentFailed(message, hint="Remove it, then: meshdemo down") from error
    if not is_ours:
        message = f"{sockets} is not a folder of this run that only you can enter"
        raise EnvironmentFailed(message, hint="Remove it, then: meshdemo down")


def _doubt(run: Run, folder: Path) -> str:
    """Say why a record is not to be trusted; empty if it is."""
    if not IDENTITY.fullmatch(run.run):
        return "run is not a name of a run"
    if run.folder != str(folder):
        return f"it is of {run.folder}, and this is a copy of that, or it was moved here"
    sockets = Path(run.sockets)
    named = sockets.is_absolute() and sockets.name == _name_outside(run.run)
    if _is_inside(sockets, folder) or (named and not os.path.lexists(sockets)):
        return ""
    return "" if named and run.owns_sockets else "sockets is not a folder of this run"


def _has_only(folder: Path, name: str) -> bool:
    """Tell whether a folder holds nothing else: who made it may have ended before it was marked."""
    try:
        return {path.name for path in folder.iterdir()} <= {name}
    except OSError:
        return False


def _is_inside(sockets: Path, folder: Path | str) -> bool:
    return sockets == Path(folder) / SOCKETS


def _places(name: str, folder: Path) -> Iterator[Path]:
    """List where the sockets of a run may be, the best place first."""
    bases = [os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), "/tmp"]  # noqa: S108 - 0700 below it
    below = [absolute(base) / _name_outside(name) for base in bases if base]
    for place in (folder / SOCKETS, *below):
        if len(os.fsencode(place)) + SOCKET_NAME_ROOM < SOCKET_PATH_LIMIT:
            yield place


def _name_outside(name: str) -> str:
    return f"meshdemo-{name}"
