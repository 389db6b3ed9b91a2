"""The state directory: which run it is, which objects are applied, which pods were planned.

    run.json            the run: its id, when it began, where its sockets are (see record.py)
    objects.yaml        the applied objects
    pods.json           the pods as they were last planned, with their ports, and for which
                        objects the Envoys were last brought up to date
    pods/NAMESPACE.POD/ what one pod needs: specifications, Envoy's files, logs
    kube-proxy/         the same for the Envoy that pods without a sidecar use
    supervisord.*       the supervisor's configuration, log and process id

Each file is replaced by an atomic rename, so that a command that is killed leaves the old or the
new one, and who only looks needs no lock. Everything that runs can be derived again from the
objects.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import tempfile
import time
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from meshdemo import documents
from meshdemo.engines import files, record
from meshdemo.errors import EnvironmentFailed
from meshdemo.manifests import Object

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

ENGINE = "local"
SOCKET_PATH_LIMIT = 104
"""Bytes of a unix socket's path with its closing zero, on macOS; Linux has 108."""
SOCKET_NAME_ROOM = 24
"""Bytes that the longest name of a socket takes, with the process id that supervisord adds."""
OBJECTS, PODS = "objects.yaml", "pods.json"
REPLACED = (OBJECTS, PODS, "supervisord.conf")
OURS = (*REPLACED, "pods", "kube-proxy", "sockets", "supervisord.pid", "supervisord.log",
        "supervisord.log.1", "supervisord.out")  # fmt: skip
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Run:
    """One life of a mesh, from the first ``apply`` to ``down``."""

    run: str
    created: str
    sockets: str
    """The folder of the unix sockets; a short path."""
    envoy: str
    """Envoy's binary."""
    envoy_version: str
    engine: str = ENGINE


class Store:
    """The state directory of one mesh."""

    def __init__(self, folder: Path) -> None:
        # What runs has no business with our working directory, and one folder has one name.
        self.folder = folder.expanduser().resolve()

    def run(self) -> Run | None:
        """Give the run that is recorded, or None. Raises record.Damaged."""
        found = record.read(self.folder)
        if found is None:
            return None
        if found["engine"] != ENGINE:
            message = f"{self.folder} records a run of the {found['engine']} engine"
            raise EnvironmentFailed(message, hint=record.ELSEWHERE)
        values = {name: found.get(name) for name in Run.__dataclass_fields__}
        if wrong := [name for name, value in values.items() if not isinstance(value, str)]:
            raise record.Damaged(self.folder / record.FILE, f"it has no {', '.join(wrong)}")
        return Run(**{name: str(value) for name, value in values.items()})

    def has_record(self) -> bool:
        """Tell whether there is a record, also one that cannot be used."""
        return (self.folder / record.FILE).exists()

    def locked(self, doing: str, timeout: float) -> AbstractContextManager[None]:
        """Keep other commands from changing this mesh; the folder is made if it is not there."""
        return record.locked(self.folder, doing, timeout)

    def begin(self, envoy: str, version: str) -> Run:
        """Record a new run. The caller holds the lock."""
        taken = [name for name in OURS if (self.folder / name).exists()]
        if taken:
            message = f"{self.folder} holds files that are not of a run: {', '.join(taken)}"
            raise EnvironmentFailed(message, hint=record.ELSEWHERE)
        identity = uuid.uuid4().hex[:12]
        run = Run(identity, now(), str(self._sockets(identity)), envoy, version)
        self.record(run)
        return run

    def lost(self, identity: str) -> Run:
        """Give what is known of a run of ours that left only its processes or its ports."""
        places = (place for place in self._socket_places(identity) if place.is_dir())
        return Run(identity, "", str(next(places, self.folder / "sockets")), "", "")

    def record(self, run: Run) -> None:
        """Write down the run."""
        record.write(self.folder, asdict(run))

    def ensure_sockets(self, run: Run) -> Path:
        """Make the folder for unix sockets, and check that nobody else can be in it."""
        folder = Path(run.sockets)
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            found = folder.lstat()
        except OSError as error:
            message = f"{folder}, a folder for sockets, cannot be made: {error.strerror}"
            raise EnvironmentFailed(message, hint="Remove it, then: meshdemo down") from error
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
            message = f"{folder} is not a folder that only you can enter"
            raise EnvironmentFailed(message, hint="Remove it, then: meshdemo down")
        return folder

    def objects(self) -> tuple[Object, ...]:
        """Give the applied objects, sorted by kind, namespace and name."""
        file = self.folder / OBJECTS
        text = record.read_text(file) or ""
        try:
            found = list(yaml.load_all(text, Loader=_Loader))
        except yaml.YAMLError as error:
            raise record.Damaged(file, "it is no YAML") from error
        if not all(isinstance(data, dict) for data in found):
            raise record.Damaged(file, "it holds something that is no object")
        return tuple(Object(data) for data in found)

    def replace(self, objects: Iterable[Object]) -> None:
        """Make these the applied objects, all at once. The caller holds the lock."""
        wanted = sorted(objects, key=lambda item: (item.kind, item.namespace, item.name))
        text = documents.write(item.data for item in wanted)
        files.write_if_changed(self.folder / OBJECTS, text, durable=True)

    def digest(self) -> str:
        """Give a short name for the applied objects as they are now, all together."""
        text = record.read_text(self.folder / OBJECTS) or ""
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def plan(self) -> dict[str, Any]:
        """Give what was last written by ``save_plan``; empty at first."""
        text = record.read_text(self.folder / PODS)
        return {} if text is None else record.parse(self.folder / PODS, text)

    def save_plan(self, plan: dict[str, Any]) -> None:
        """Record the planned pods."""
        files.write_if_changed(self.folder / PODS, json.dumps(plan, indent=1))

    def content(self, *runs: Run) -> list[Path]:
        """List what there is of ours beside the record; ``runs`` are those known to be here."""
        begun = runs or self.has_record() or (self.folder / record.MADE).exists()
        if not begun:
            return []
        paths = [self.folder / name for name in OURS]
        paths += [files.temporary(self.folder / name) for name in REPLACED]
        return [path for path in paths if os.path.lexists(path)]

    def remove(self, *runs: Run) -> None:
        """Remove what we made, and nothing else; the record last, so that it can go on."""
        for run in runs:
            shutil.rmtree(run.sockets, ignore_errors=True)
        for path in self.content(*runs):
            _remove(path)
        if not self.content(*runs):
            record.remove(self.folder)

    def _sockets(self, identity: str) -> Path:
        """Choose a folder for unix sockets: below the state directory if its path is short."""
        for place in self._socket_places(identity):
            if place.parent == self.folder or os.access(place.parent, os.W_OK | os.X_OK):
                return place
        message = f"no folder has a path short enough for a unix socket below {self.folder}"
        raise EnvironmentFailed(message, hint="Choose a --state-dir with a shorter path.")

    def _socket_places(self, identity: str) -> Iterator[Path]:
        """List where the sockets of a run may be, the best place first."""
        bases = [os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), "/tmp"]  # noqa: S108 - 0700 below it
        below = [Path(base) / f"meshdemo-{identity}" for base in bases if base]
        for place in (self.folder / "sockets", *below):
            if len(os.fsencode(place)) + SOCKET_NAME_ROOM < SOCKET_PATH_LIMIT:
                yield place


def now() -> str:
    """Give the time as Kubernetes writes it in ``creationTimestamp``."""
    return timestamp(time.time())


def timestamp(seconds: float) -> str:
    """Write a time, in seconds since 1970, as Kubernetes does."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _remove(path: Path) -> None:
    """Remove a file or a folder as far as we can; what is left is for the caller to see."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
