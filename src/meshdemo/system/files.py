"""Files that are replaced whole: whoever reads one sees the old or the new one, never a part.

Only we may read them, and the folders that are made for them. Nothing here follows a symbolic
link, waits for the other end of a pipe, or reads without an end: what stands in the place of a
file of ours may be anything.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from meshdemo.errors import EnvironmentFailed, advice

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

LARGEST_FILE = 64 << 20
"""Bytes of a file; the objects of a thousand pods take less than one of these 64 MB."""


def open_to_read(file: Path) -> BinaryIO:
    """Open a file. Raises OSError, also where something else is in its place."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        code = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
        raise OSError(code, "it is not a file", str(file))
    return open(descriptor, "rb")  # noqa: PTH123 - from a descriptor; the caller closes it


def read(file: Path) -> bytes:
    """Give what a file holds. Raises OSError, as ``open_to_read``, and if it is too large."""
    with open_to_read(file) as opened:
        content = opened.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(file))
    return content


def text(file: Path) -> str:
    """Give what a log or the like says: nothing if it cannot be read, whyever."""
    try:
        return read(file).decode("utf-8", "replace")
    except OSError:
        return ""


def write(file: Path, content: str | bytes, *, durable: bool = False, mode: int = 0o600) -> None:
    """Replace a file by an atomic rename. Its folder is made if need be.

    ``durable``: it is the old or the new one after a power cut too. Raises EnvironmentFailed.
    """
    data = content if isinstance(content, bytes) else content.encode()
    try:
        try:
            _replace(file, data, durable=durable, mode=mode)
        except (FileNotFoundError, IsADirectoryError):
            make_folder(file.parent)
            if not is_file(file):
                remove_file(file)
            _replace(file, data, durable=durable, mode=mode)
    except OSError as error:
        message = f"{file} cannot be written: {error.strerror}"
        raise EnvironmentFailed(message, hint=advice(error)) from error


def write_if_changed(file: Path, content: str | bytes, *, durable: bool = False) -> bool:
    """Write a file unless it holds that already; tell whether it did not."""
    data = content if isinstance(content, bytes) else content.encode()
    with suppress(OSError):  # none, or a broken one
        if read(file) == data:
            return False
    write(file, data, durable=durable)
    return True


def temporary(file: Path) -> Path:
    """Give the name under which a file is written before it takes its place."""
    return file.with_name(f".{file.name}.new")


def make_folder(folder: Path, *, exist_ok: bool = True) -> None:
    """Make a folder that only we may enter, and those above it that are not there."""
    try:
        folder.mkdir(mode=0o700, exist_ok=exist_ok)
    except FileNotFoundError:
        make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=exist_ok)


def is_own_folder(path: Path) -> bool:
    """Tell whether there is a folder of this user's: no symbolic link to one, and not another's."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()


def is_file(path: Path) -> bool:
    """Tell whether there is a file, and no link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def remove(path: Path) -> None:
    """Remove a folder of ours with all in it, as far as we can; the caller sees what is left.

    Of a symbolic link the link goes, and not what it leads to.
    """
    if is_own_folder(path):
        with suppress(OSError):
            path.chmod(0o700)
        shutil.rmtree(path, ignore_errors=True)
    else:
        remove_file(path)


def remove_file(path: Path) -> None:
    """Remove a file, or what stands in its place, but for a folder with something in it."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()


def sweep(folder: Path, but: str = "") -> None:
    """Remove what we never make below a folder of ours: links, pipes, folders in a file's place.

    Whoever is told to write there would write elsewhere, or wait for ever. A folder in it of the
    name ``but`` is left as it is.
    """
    for path in folder.iterdir():
        if path.name == but and is_own_folder(path):
            continue
        if is_own_folder(path) and not path.suffix:
            sweep(path)
        elif not is_file(path):
            remove_file(path)


def _replace(file: Path, data: bytes, *, durable: bool, mode: int) -> None:
    new = temporary(file)
    remove_file(new)  # of a command that was killed, or put there by somebody
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as output:  # noqa: PTH123 - from a descriptor
            os.fchmod(descriptor, mode)  # whatever the umask is
            output.write(data)
            if durable:
                output.flush()
                os.fsync(descriptor)
        new.replace(file)
    except OSError:
        remove_file(new)
        raise
