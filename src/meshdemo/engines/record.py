"""The record of a run in a state directory: the same for every engine, so that each knows it.

run.json            which engine the run is of, and what that engine wants to know again
.meshdemo.lock      held by the command that changes something; says which one
.meshdemo.made      there if the folder is ours to remove
"""

from __future__ import annotations

import json
import shutil
import stat
import uuid
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from meshdemo.engines import files
from meshdemo.errors import EnvironmentFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SCHEMA = "meshdemo/v1"
FILE, LOCK, MADE = "run.json", ".meshdemo.lock", ".meshdemo.made"
ELSEWHERE = "Choose another --state-dir."


class Damaged(EnvironmentFailed):
    """A file of a run says nothing that we understand; ``down`` goes on without it."""

    def __init__(self, file: Path, why: str) -> None:
        hint = "Remove what is left of the run, and begin anew: meshdemo down"
        super().__init__(f"{file} cannot be used: {why}", hint=hint)


def read(folder: Path) -> dict[str, Any] | None:
    """Give the record of the run as plain data, with a string as ``engine``; None without a run.

    Raises Damaged if there is one that cannot be understood.
    """
    text = read_text(folder / FILE)
    if text is None:
        return None
    found = parse(folder / FILE, text)
    if found.get("schema", SCHEMA) != SCHEMA:
        raise Damaged(folder / FILE, f"it is of another version ({found['schema']})")
    if not isinstance(found.get("engine"), str):
        raise Damaged(folder / FILE, "it names no engine")
    return found


def write(folder: Path, run: Mapping[str, Any]) -> None:
    """Record a run; the folder's lock is held."""
    files.write(folder / FILE, json.dumps({"schema": SCHEMA, **run}), durable=True)


def read_text(file: Path) -> str | None:
    """Give what a file of a run holds; None if it is not there."""
    try:
        return file.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UnicodeDecodeError as error:
        raise Damaged(file, "it is no text") from error
    except OSError as error:
        message = f"{file} cannot be read: {error.strerror}"
        raise EnvironmentFailed(message, hint=ELSEWHERE) from error


def parse(file: Path, text: str) -> dict[str, Any]:
    """Give the JSON object that a file of a run holds. Raises Damaged."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise Damaged(file, f"it is no JSON ({error})") from error
    if not isinstance(found, dict):
        raise Damaged(file, "it is no JSON object")
    return found


@contextmanager
def locked(folder: Path, doing: str, timeout: float) -> Iterator[None]:
    """Keep other commands from changing this run; the folder is made if it is not there."""
    # Every command reads a record, and few take a lock, whose imports take time.
    from meshdemo.engines import filelock  # noqa: PLC0415 - see above

    with filelock.hold(
        folder / LOCK, doing=doing, timeout=timeout, prepare=lambda: _prepare(folder)
    ):
        yield


def is_ours(folder: Path) -> bool:
    """Tell whether there is anything of meshdemo's in a folder, also without a usable record.

    A file with the record's name alone does not show it: others may use that name too.
    """
    if any((folder / name).exists() for name in (LOCK, MADE)):
        return True
    try:
        text = (folder / FILE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return not text.strip("\0 \n") or f'"schema": "{SCHEMA.partition("/")[0]}/' in text


def remove(folder: Path) -> None:
    """Remove the record, and the folder if we made it and nothing else is in it.

    The lock is held, and is gone afterwards.
    """
    made = (folder / MADE).exists()
    own = {
        path
        for name in (FILE, LOCK, *([MADE] if made else ()))
        for path in (folder / name, files.temporary(folder / name))
    }
    with suppress(OSError):  # what is left is for the caller to see
        if made and own.issuperset(folder.iterdir()):
            # All at once, so that no other command comes into a folder that is half removed.
            gone = folder.rename(folder.with_name(f".{folder.name}.{uuid.uuid4().hex}"))
            shutil.rmtree(gone)
            return
    for path in own:
        with suppress(OSError):
            path.unlink()


def _prepare(folder: Path) -> None:
    try:
        if _make(folder) or not folder.stat().st_mode & 0o077:
            return
        others = {path.name for path in folder.iterdir()} - {LOCK, MADE}
        if others and FILE not in others:
            raise EnvironmentFailed(
                f"{folder} holds other files, and others may enter it",
                hint="Choose an empty or a new --state-dir.",
            )
        folder.chmod(0o700)
    except FileNotFoundError:
        return  # somebody removed it just now; whoever wants the lock tries again
    except OSError as error:
        message = f"the state directory {folder} cannot be used: {error.strerror}"
        raise EnvironmentFailed(message, hint="Choose another with --state-dir.") from error


def _make(folder: Path) -> bool:
    """Make the folder, and note that it is ours; tell whether it was not there."""
    try:
        folder.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        if stat.S_ISDIR(folder.stat().st_mode):
            return False
        raise
    (folder / MADE).touch(mode=0o600)
    return True
