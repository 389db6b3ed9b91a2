"""The record of a run in a state directory: the same for every engine, so that each knows it.

run.json            which engine the run is of, and what that engine wants to know again
.meshdemo.lock      held by the command that changes something; says which one
.meshdemo.made      there if the folder is ours to remove
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import uuid
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from meshdemo.engines.protocol import ENGINES, LOCAL
from meshdemo.errors import EnvironmentFailed, advice
from meshdemo.settings import is_namespace
from meshdemo.system import files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

RECORD_SCHEMA = "meshdemo/v1"
FILE, LOCK, MADE = "run.json", ".meshdemo.lock", ".meshdemo.made"
OTHER_STATE_DIR = "Choose another --state-dir."
NOT_OURS = "it is not a folder of ours"
PLACE = ("context", "kubeconfig", "namespace")
"""What a record may say of where the run is, besides the engine."""
NOT_AS_MADE = (
    errno.EISDIR,
    errno.EINVAL,
    errno.ENXIO,
    errno.ELOOP,
    errno.EFBIG,
    errno.EACCES,
)
"""What is wrong with a file of ours only if somebody changed it: it is a folder, a pipe, a link,
too large, or closed to us."""
LONGEST_QUOTE = 40


class Damaged(EnvironmentFailed):
    """A file of a run says nothing that we understand; ``down`` goes on without it."""

    def __init__(self, file: Path, why: str) -> None:
        hint = "Remove what is left of the run, and begin anew: meshdemo down"
        super().__init__(f"{file} cannot be used: {why}", hint=hint)


def is_there(folder: Path) -> bool:
    """Tell whether there is a record, also one that cannot be used."""
    return os.path.lexists(folder / FILE)


def read(folder: Path) -> dict[str, Any] | None:
    """Give the record of the run as plain data, with a string as ``engine``; None without a run.

    Raises Damaged if there is one that cannot be understood.
    """
    text = read_text(folder / FILE)
    if text is None:
        return None
    found = parse(folder / FILE, text)
    if found.get("schema", RECORD_SCHEMA) != RECORD_SCHEMA:
        raise Damaged(folder / FILE, f"it is of another version ({_short(found['schema'])})")
    if found.get("engine") not in ENGINES:
        raise Damaged(folder / FILE, f"it names no engine ({_short(found.get('engine'))})")
    if found["engine"] != LOCAL and "run" in found:
        raise Damaged(folder / FILE, "it is of a local run, and names another engine")
    for name in PLACE:
        if not isinstance(found.get(name), str | None):
            raise Damaged(folder / FILE, f"{name} is not text ({_short(found[name])})")
    namespace = found.get("namespace")
    if namespace and not is_namespace(namespace):
        raise Damaged(folder / FILE, f"namespace is no name of one ({_short(namespace)})")
    return found


def write(folder: Path, run: Mapping[str, Any]) -> None:
    """Record a run; the folder's lock is held."""
    files.write(folder / FILE, json.dumps({"schema": RECORD_SCHEMA, **run}), durable=True)


def read_text(file: Path) -> str | None:
    """Give what a file of a run holds; None if it is not there."""
    try:
        return files.read(file).decode()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UnicodeDecodeError as error:
        raise Damaged(file, "it is not text") from error
    except OSError as error:
        if error.errno in NOT_AS_MADE and os.path.lexists(file):
            raise Damaged(file, str(error.strerror)) from error
        message = f"{file} cannot be read: {error.strerror}"
        raise EnvironmentFailed(message, hint=OTHER_STATE_DIR) from error


def parse(file: Path, text: str) -> dict[str, Any]:
    """Give the JSON object that a file of a run holds. Raises Damaged."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Damaged(file, f"it is not JSON ({error})") from error
    if not isinstance(found, dict):
        raise Damaged(file, "it is not a JSON object")
    return found


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}..."


@contextmanager
def locked(
    folder: Path, doing: str, timeout: float, prepare: Callable[[], object] | None = None
) -> Iterator[None]:
    """Keep other commands from changing this run.

    ``prepare`` is called before each try; without it the folder is made if it is not there.
    """
    # Every command reads a record, and few take a lock, whose imports take time.
    from meshdemo.system import filelock  # noqa: PLC0415 - see above

    first = prepare or partial(_prepare, folder)
    with filelock.hold(folder / LOCK, doing=doing, timeout=timeout, prepare=first):
        yield


def clear_lock(folder: Path) -> None:
    """Remove what stands in the place of the lock and can be none."""
    if not files.is_file(folder / LOCK):
        files.remove_file(folder / LOCK)


def is_ours(folder: Path) -> bool:
    """Tell whether there is anything of meshdemo's in a folder, also without a usable record.

    A file with the record's name alone does not show it: others may use that name too.
    """
    if any(os.path.lexists(folder / name) for name in (LOCK, MADE)):
        return True
    return f'"schema": "{RECORD_SCHEMA.partition("/")[0]}/' in files.text(folder / FILE)


def remove(folder: Path) -> None:
    """Remove the record, and the folder if we made it and nothing else is in it.

    The lock is held, and is gone afterwards.
    """
    mark = folder / MADE
    made = os.path.lexists(mark) and not mark.is_symlink()  # with which nobody marks anything
    own = {
        path
        for name in (FILE, LOCK, MADE)
        for path in (folder / name, files.temporary(folder / name))
    }
    with suppress(OSError):  # what is left is for the caller to see
        if made and own.issuperset(folder.iterdir()):
            # All at once, so that no other command comes into a folder that is half removed.
            gone = folder.rename(folder.with_name(f".{folder.name}.{uuid.uuid4().hex}"))
            shutil.rmtree(gone)
            return
    for path in own:
        files.remove_file(path)


def check(folder: Path) -> None:
    """See that a folder is, or can become, a state directory; leave all as it is.

    Raises EnvironmentFailed.
    """
    from tempfile import TemporaryDirectory  # noqa: PLC0415 - only doctor pays for it

    try:
        there = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
        if there == folder:
            _ensure_safe(folder)
        with TemporaryDirectory(prefix=".meshdemo-", dir=there):
            pass  # root may write anywhere, and there are places where nobody can
        with suppress(FileNotFoundError):
            folder.lstat()  # what has too long a name is not there either
    except OSError as error:
        raise _unusable(folder, error) from error


def _prepare(folder: Path) -> None:
    """Make the folder if it is not there, and note that it is ours; else leave it as it is."""
    try:
        if os.path.lexists(folder):
            with suppress(FileNotFoundError):  # removed just now; who wants the lock tries again
                _ensure_safe(folder)
        else:
            _make(folder)
    except OSError as error:
        raise _unusable(folder, error) from error


def _make(folder: Path) -> None:
    """Make the folder and its mark at once: whoever is ended in between leaves none without it."""
    files.make_folder(folder.parent)
    new = folder.with_name(f".meshdemo-{uuid.uuid4().hex}")
    try:
        files.make_folder(new)
        (new / MADE).touch(mode=0o600)
        new.rename(folder)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):  # else another command was first
            raise
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _ensure_safe(folder: Path) -> None:
    """See that not everybody can change what we put into a folder. Raises OSError, too."""
    mode = folder.stat().st_mode
    if not stat.S_ISDIR(mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    if mode & stat.S_IWOTH:
        message = f"anybody may change what is in {folder}, so no run is kept there"
        raise EnvironmentFailed(message, hint=f"{OTHER_STATE_DIR} Or type: chmod o-w {folder}")


def _unusable(folder: Path, error: OSError) -> EnvironmentFailed:
    message = f"the state directory {folder} cannot be used: {error.strerror}"
    return EnvironmentFailed(message, hint=f"{advice(error)} {OTHER_STATE_DIR}".strip())
