"""The state directory: which run it is, which objects are applied, which pods were planned.

    run.json            the run: its id, when it began, where its sockets are (see run_record.py)
    objects.json        the applied objects: every command reads them, for which YAML is too slow
                        (``meshdemo get -o yaml`` shows them)
    pods.json           the pods as they were last planned, with their ports, and for which
                        objects the Envoys were last brought up to date
    pods/NAMESPACE.POD/ what one pod needs: specifications, Envoy's files, logs
    kube-proxy/         the same for the Envoy that pods without a sidecar use
    supervisord.*       the supervisor's configuration, log and process id

Each file is replaced by an atomic rename, so that a command that is killed leaves the old or the
new one, and who only looks needs no lock. Everything that runs can be derived again from the
objects. Objects and pods carry a digest: what somebody else changed is not used.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict

from meshdemo.engines import run_record
from meshdemo.engines.local import runs
from meshdemo.engines.protocol import LOCAL
from meshdemo.errors import EnvironmentFailed
from meshdemo.objects.model import Object
from meshdemo.settings import state_place
from meshdemo.system import files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from meshdemo.engines.local.runs import Run

OBJECTS, PODS = "objects.json", "pods.json"
REPLACED = (OBJECTS, PODS, "supervisord.conf")
DERIVED_FILES = ("supervisord.conf", "supervisord.pid", "supervisord.log", "supervisord.log.1",
           "supervisord.out")  # fmt: skip
SCRATCH = "scratch"
"""The folder within a pod's whose content is the pod's own business: its empty volumes."""
FOLDERS = ("pods", "kube-proxy", runs.SOCKETS)
OURS = (PODS, OBJECTS, *DERIVED_FILES, *FOLDERS)
"""In the order in which they are removed: pods without objects are a damage, not the reverse."""
NOTE = "to change objects: meshdemo deploy -f, meshdemo route -f"
GONE = "it is gone"
ALTERED = "it is not as meshdemo wrote it"


class Store:
    """The state directory of one mesh."""

    def __init__(self, folder: Path) -> None:
        # What runs has no business with our working directory, and one folder has one name.
        found = state_place(folder)
        self.folder = Path(os.path.realpath(found))
        try:
            str(self.folder).encode()
        except UnicodeEncodeError as error:
            hint = f"{run_record.OTHER_STATE_DIR} Or is your locale no UTF-8? LC_ALL=C.UTF-8"
            raise EnvironmentFailed(f"{folder} is not text", hint=hint) from error

    def run(self) -> Run | None:
        """Give the run that is recorded, or None. Raises run_record.Damaged."""
        found = run_record.read(self.folder)
        if found is None:
            if self._has_objects():
                raise run_record.Damaged(self.folder / run_record.FILE, GONE)
            return None
        if found["engine"] != LOCAL:
            message = f"{self.folder} records a run of the {found['engine']} engine"
            raise EnvironmentFailed(message, hint=run_record.OTHER_STATE_DIR)
        run = runs.read(found, self.folder)
        for folder in (self.folder / name for name in FOLDERS):
            if os.path.lexists(folder) and not files.is_own_folder(folder):
                raise run_record.Damaged(folder, run_record.NOT_OURS)
        return run

    def namespace(self) -> str:
        """Give the namespace that the run is about; empty if nobody can tell."""
        try:
            run = self.run()
        except EnvironmentFailed:  # whoever needs the record says what is wrong with it
            return ""
        return run.namespace if run else ""

    def identity(self) -> tuple[str, Path] | None:
        """Give a run's name and folder as the record says them, whatever else is wrong with it."""
        try:
            found = run_record.read(self.folder) or {}
        except EnvironmentFailed:
            return None
        name, folder = found.get("run"), found.get("folder")
        if isinstance(name, str) and isinstance(folder, str) and runs.IDENTITY.fullmatch(name):
            return name, Path(folder)
        return None

    def has_record(self) -> bool:
        """Tell whether there is a record, also one that cannot be used."""
        return run_record.is_there(self.folder)

    def locked(
        self, doing: str, timeout: float, prepare: Callable[[], object] | None = None
    ) -> AbstractContextManager[None]:
        """Keep other commands from changing this mesh, as ``run_record.locked``."""
        return run_record.locked(self.folder, doing, timeout, prepare)

    def begin(self, envoy: str, version: str, namespace: str = "default", name: str = "") -> Run:
        """Record a new run, of this name if one is given. The caller holds the lock."""
        taken = [name for name in OURS if os.path.lexists(self.folder / name)]
        if taken:
            message = f"{self.folder} holds files that are not of a run: {', '.join(taken)}"
            raise EnvironmentFailed(message, hint=run_record.OTHER_STATE_DIR)
        name = name or runs.new_name()
        run = runs.begin(name, self.folder, now(), (envoy, version), namespace)
        self.record(run)
        return run

    def lost(self, name: str, began_in: Path | None = None) -> Run:
        """Give what is known of a run of ours that has no usable record."""
        return runs.lost(name, self.folder, began_in or self.folder)

    def record(self, run: Run) -> None:
        """Write down the run."""
        run_record.write(self.folder, asdict(run))

    def ensure_folders(self, run: Run) -> None:
        """See that what is to be written comes into folders of ours, and into files."""
        runs.ensure_sockets(run)
        for path in self.inside():
            files.sweep(path, but=SCRATCH) if files.is_own_folder(path) else files.remove_file(path)
        for file in (self.folder / name for name in DERIVED_FILES):
            if not files.is_file(file):
                files.remove_file(file)

    def inside(self) -> list[Path]:
        """List what is in the folders that hold a folder for each pod, or for each kube-proxy."""
        folders = (self.folder / name for name in FOLDERS if name != runs.SOCKETS)
        return [path for folder in folders if folder.exists() for path in folder.iterdir()]

    def objects(self) -> tuple[Object, ...]:
        """Give the applied objects by kind, namespace and name. Raises run_record.Damaged."""
        return tuple(map(Object, self._applied()["objects"]))

    def files(self) -> dict[tuple[str, str, str, str], str]:
        """Give the file that each object was applied from, where it was one."""
        applied = self._applied()
        named = zip(map(Object, applied["objects"]), applied["files"], strict=True)
        return {item.key: file for item, file in named if file}

    def _applied(self) -> dict[str, Any]:
        """Give the applied objects and their files. Raises run_record.Damaged."""
        file = self.folder / OBJECTS
        if (text := run_record.read_text(file)) is None:
            # The plan is removed before the objects, so a plan alone means that they were lost.
            if os.path.lexists(self.folder / PODS):
                raise run_record.Damaged(file, GONE)
            return {"objects": (), "files": ()}
        first, _, body = text.partition("\n")
        if f"{first}\n" != _first_line(body):
            raise run_record.Damaged(file, ALTERED)
        found = run_record.parse(file, text)
        return {"files": [""] * len(found["objects"]), **found}

    def replace(self, objects: Iterable[Object]) -> None:
        """Make these the applied objects, all at once. The caller holds the lock."""
        wanted = sorted(objects, key=lambda item: (item.kind, item.namespace, item.name))
        lines = ",\n".join(json.dumps(item.data, separators=(",", ":")) for item in wanted)
        known = self.files()
        named = json.dumps([_file(item) or known.get(item.key, "") for item in wanted])
        text = f'[{lines}],\n"files": {named}}}\n'
        files.write_if_changed(self.folder / OBJECTS, _first_line(text) + text, durable=True)

    def digest(self) -> str:
        """Give a short name for the applied objects as they are now, all together."""
        text = run_record.read_text(self.folder / OBJECTS) or ""
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def plan(self) -> dict[str, Any]:
        """Give what ``save_plan`` wrote last; empty at first. Raises run_record.Damaged."""
        file = self.folder / PODS
        if (text := run_record.read_text(file)) is None:
            return {}
        plan = run_record.parse(file, text)
        if plan.pop("sha256", "") != _digest(json.dumps(plan)):
            raise run_record.Damaged(file, ALTERED)
        return plan

    def save_plan(self, plan: dict[str, Any]) -> None:
        """Record the planned pods."""
        sealed = {"sha256": _digest(json.dumps(plan)), **plan}
        files.write_if_changed(self.folder / PODS, json.dumps(sealed))

    def content(self, *known: Run) -> list[Path]:
        """List what there is of ours beside the record; ``known`` are the runs that are here."""
        made = os.path.lexists(self.folder / run_record.MADE)
        if not (known or made or self.has_record() or self._has_objects()):
            return []
        paths = [self.folder / name for name in OURS]
        paths += [files.temporary(self.folder / name) for name in REPLACED]
        paths += [Path(run.sockets) for run in known if run.owns_sockets]
        return [path for path in dict.fromkeys(paths) if os.path.lexists(path)]

    def remove(self, *known: Run) -> None:
        """Remove what we made, and nothing else; the record last, so that it can go on."""
        folders = {self.folder / name for name in FOLDERS} | {Path(run.sockets) for run in known}
        for path in self.content(*known):
            files.remove(path) if path in folders else files.remove_file(path)
        # Without the record a next `down` could not go on with what is left.
        if not self.content(*known):
            run_record.remove(self.folder)

    def _has_objects(self) -> bool:
        """Tell whether there are objects that we wrote, also if their record was lost."""
        return files.text(self.folder / OBJECTS).startswith(_BEGINNING)


def now() -> str:
    """Give the time as Kubernetes writes it in ``creationTimestamp``."""
    return timestamp(time.time())


def timestamp(seconds: float) -> str:
    """Write a time, in seconds since 1970, as Kubernetes does."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _file(item: Object) -> str:
    """Give the path of the file that an object was read from; empty if it was none."""
    path = Path(item.file)
    return str(path.absolute()) if item.file and path.is_file() else ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


_BEGINNING = f'{{"schema": "{run_record.RECORD_SCHEMA}", "sha256": '


def _first_line(objects: str) -> str:
    """Give what stands before the list of objects: a digest of it, and what may be done."""
    return f'{_BEGINNING}"{_digest(objects)}", "note": "{NOTE}", "objects":\n'
