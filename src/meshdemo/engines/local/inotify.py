"""What this machine grants a user, and whether it is enough for the Envoys of a mesh.

An Envoy watches its files by inotify, and takes an instance for each. Linux grants a user 128 of
them (``fs.inotify.max_user_instances``), of which editors and desktops have their share. An Envoy
that gets none ends at once.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from meshdemo.errors import EnvironmentFailed

PER_ENVOY = 3
"""Files that an Envoy watches, see ``envoy.config_files``."""
SYSCTL = "fs.inotify.max_user_instances"
GRANTED = (Path("/proc/sys/fs/inotify/max_user_instances"),
           Path("/proc/sys/user/max_inotify_instances"))  # fmt: skip
"""Where the kernel says how many a user may have; the second is the user namespace's own."""


def ensure_room(envoys: int) -> None:
    """Raise EnvironmentFailed if so many more Envoys cannot watch their files."""
    needed = PER_ENVOY * envoys
    if needed and (free := free_watchers(needed)) < needed:
        message = (
            f"{envoys} more Envoys need {needed} inotify instances ({PER_ENVOY} each), "
            f"and {free} are free for this user"
        )
        raise EnvironmentFailed(message, hint=advice(needed - free))


def free_watchers(most: int) -> int:
    """Count how many inotify instances this user can still have, ``most`` at most.

    By taking them for a moment: what an Envoy will be given, nothing else says for sure.
    """
    if not sys.platform.startswith("linux"):
        return most  # macOS watches files by kqueue, which has no such limit
    import ctypes  # noqa: PLC0415 - only who starts an Envoy pays for it

    library = ctypes.CDLL(None, use_errno=True)
    taken: list[int] = []
    try:
        while len(taken) < most:
            if (descriptor := library.inotify_init1(os.O_CLOEXEC)) < 0:
                # Too few open files look the same, and say nothing of what an Envoy may have.
                os.close(os.open(os.devnull, os.O_RDONLY))
                return len(taken)
            taken.append(descriptor)
    except OSError:
        return most
    finally:
        for descriptor in taken:
            os.close(descriptor)
    return most


def granted() -> int:
    """Give how many inotify instances a user may have here; 0 where nobody says."""
    found = [int(file.read_text()) for file in GRANTED if file.exists()]
    return min(found, default=0)


def in_use() -> int:
    """Count the inotify instances of the processes that we may look at, which are this user's."""
    found = 0
    for file in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):  # it was closed just now, or is somebody else's
            found += str(file.readlink()) == "anon_inode:inotify"
    return found


def advice(missing: int) -> str:
    """Say what to type so that so many more can be had."""
    wanted = granted() + missing
    rounded = 1 << max(9, wanted.bit_length())
    return f"Stop what uses them, or allow more: sudo sysctl {SYSCTL}={rounded}"
