"""The state directory: which run it is, which objects are applied, which pods were planned.

    run.json            the run: its id, when it began, where its sockets are
    lock                held by the command that changes something
    objects/            one YAML file for each applied object
    pods.json           the pods as they were last planned, with their ports
    pods/NAMESPACE.POD/ what one pod needs: specifications, Envoy's files, logs
    kube-proxy/         the same for the Envoy that pods without a sidecar use
    supervisord.*       the supervisor's configuration, log and process id

Each file is replaced by an atomic rename, so that a command that is killed leaves the old or the
new one. Everything that runs can be derived again from the objects.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import tempfile
import uuid
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from meshdemo.engines.local import filelock
from meshdemo.errors import EnvironmentFailed
from meshdemo.manifests import Object

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager

ENGINE = "local"
SOCKET_PATH_LIMIT = 104
"""Bytes of a unix socket's path with its closing zero, on macOS; Linux has 108."""
SOCKET_NAME_ROOM = 24
"""Bytes that the longest name of a socket takes, with the process id that supervisord adds."""
LONGEST_NAME = 200
OURS = ("objects", "pods", "kube-proxy", "sockets", "pods.json", "supervisord.conf",
        "supervisord.pid", "supervisord.log", "supervisord.log.1", "supervisord.out")  # fmt: skip
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


@dataclass(frozen=True, slots=True)
class Run:
    """One life of a mesh, from the first ``apply`` to ``down``."""

    run: str
    created: str
    sockets: str
    """The folder of the unix sockets; a short path."""
    made: bool
    """Whether the state directory is ours to remove."""
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
        """Give the run that is recorded, or None."""
        file = self.folder / "run.json"
        try:
            recorded = json.loads(file.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            message = f"{file} cannot be read: {error}"
            raise EnvironmentFailed(message, hint="Choose another --state-dir.") from error
        if recorded.get("engine") != ENGINE:
            message = f"{self.folder} records a run of the {recorded.get('engine')} engine"
            raise EnvironmentFailed(message, hint="Choose another --state-dir.")
        return Run(**{name: recorded[name] for name in Run.__dataclass_fields__})

    def locked(self, doing: str, timeout: float) -> AbstractContextManager[None]:
        """Keep other commands from changing this mesh; the folder is made if it is not there."""
        self._prepare()
        return filelock.hold(self.folder / "lock", doing=doing, timeout=timeout)

    def begin(self, envoy: str, version: str) -> Run:
        """Record a new run. The caller holds the lock."""
        identity = uuid.uuid4().hex[:12]
        taken = [name for name in OURS if (self.folder / name).exists()]
        if taken:
            message = f"{self.folder} holds files that are not of a run: {', '.join(taken)}"
            raise EnvironmentFailed(message, hint="Choose another --state-dir.")
        made = {path.name for path in self.folder.iterdir()} <= {"lock", ".run.json.new"}
        run = Run(identity, now(), str(self._sockets(identity)), made, envoy, version)
        self.record(run)
        return run

    def record(self, run: Run) -> None:
        """Write down the run."""
        write(self.folder / "run.json", json.dumps({"schema": "meshdemo/v1", **asdict(run)}))

    def ensure_sockets(self, run: Run) -> Path:
        """Make the folder for unix sockets, and check that nobody else can be in it."""
        folder = Path(run.sockets)
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
            message = f"{folder} is not a folder that only you can enter"
            raise EnvironmentFailed(message, hint="Remove it, then: meshdemo down")
        return folder

    def objects(self) -> tuple[Object, ...]:
        """Give the applied objects, sorted by kind, namespace and name."""
        files = sorted((self.folder / "objects").glob("*.yaml"))
        # S506: _Loader is a safe loader.
        return tuple(Object(yaml.load(file.read_bytes(), Loader=_Loader)) for file in files)  # noqa: S506

    def replace(self, objects: Iterable[Object]) -> None:
        """Make these the applied objects. The caller holds the lock."""
        folder = self.folder / "objects"
        folder.mkdir(mode=0o700, exist_ok=True)
        wanted = {_file_name(item): item for item in objects}
        for name, item in wanted.items():
            text = yaml.dump(item.data, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
            if not _holds(folder / name, text):
                write(folder / name, text)
        for file in folder.glob("*.yaml"):
            if file.name not in wanted:
                file.unlink()

    def plan(self) -> dict[str, Any]:
        """Give what was last written by ``save_plan``; empty at first."""
        try:
            plan = json.loads((self.folder / "pods.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return plan if isinstance(plan, dict) else {}

    def save_plan(self, plan: dict[str, Any]) -> None:
        """Record the planned pods."""
        text = json.dumps(plan, indent=1)
        if not _holds(self.folder / "pods.json", text):
            write(self.folder / "pods.json", text)

    def remove(self, run: Run | None) -> None:
        """Remove what we made, and nothing else; the run's record last, so that it can go on."""
        if run:
            shutil.rmtree(run.sockets, ignore_errors=True)
            for name in OURS:
                _remove(self.folder / name)
        _remove(self.folder / "run.json")
        for temporary in self.folder.glob(".*.new"):
            temporary.unlink()
        _remove(self.folder / "lock")
        if run is None or run.made:
            try:
                self.folder.rmdir()
            except OSError:
                return  # Somebody else keeps files in it.

    def left(self) -> list[str]:
        """List what is still there of ours."""
        names = [*OURS, "run.json", "lock"]
        return [str(self.folder / name) for name in names if (self.folder / name).exists()]

    def _prepare(self) -> None:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self.folder.stat().st_mode & 0o077:
                return
            if any(self.folder.iterdir()) and not (self.folder / "run.json").exists():
                message = f"{self.folder} holds other files, and others may enter it"
                raise EnvironmentFailed(message, hint="Choose an empty or a new --state-dir.")
            self.folder.chmod(0o700)
        except OSError as error:
            message = f"the state directory {self.folder} cannot be used: {error.strerror}"
            raise EnvironmentFailed(message, hint="Choose another with --state-dir.") from error

    def _sockets(self, identity: str) -> Path:
        """Choose a folder for unix sockets: below the state directory if its path is short."""
        inside = self.folder / "sockets"
        if len(os.fsencode(inside)) + SOCKET_NAME_ROOM < SOCKET_PATH_LIMIT:
            return inside
        bases = [os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), "/tmp"]  # noqa: S108 - 0700 below it
        for base in filter(os.path.isdir, filter(None, bases)):
            short = Path(base) / f"meshdemo-{identity}"
            if len(os.fsencode(short)) + SOCKET_NAME_ROOM < SOCKET_PATH_LIMIT and os.access(
                base, os.W_OK
            ):
                return short
        message = f"no folder with a path short enough for a unix socket: {', '.join(bases)}"
        raise EnvironmentFailed(message, hint="Choose a --state-dir with a shorter path.")


def now() -> str:
    """Give the time as Kubernetes writes it in ``creationTimestamp``."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def write(file: Path, text: str) -> None:
    """Replace a file by an atomic rename; only we may read it."""
    temporary = file.with_name(f".{file.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as output:  # noqa: PTH123 - from a descriptor
        output.write(text)
    temporary.replace(file)


def _holds(file: Path, text: str) -> bool:
    try:
        return file.read_text(encoding="utf-8") == text
    except FileNotFoundError:
        return False


def _file_name(item: Object) -> str:
    name = ".".join(part for part in (item.kind, item.namespace, item.name) if part)
    if len(name) > LONGEST_NAME:
        digest = hashlib.sha256(name.encode()).hexdigest()[:12]
        name = f"{name[:LONGEST_NAME]}-{digest}"
    return f"{name}.yaml"


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
