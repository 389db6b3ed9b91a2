"""Run a program in a user namespace that is charged to an account of its own: own_account.py ARGV.

A namespace's inotify instances also count for whoever made it. Root can make it as a user that
nobody is, and run in it as itself; then other meshes on the machine take none of them away.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

CLONE_NEWUSER = 0x10000000
"""From ``linux/sched.h``."""
ACCOUNT = 54_321
"""The id of a user that nobody is."""
EVERYBODY = "0 0 65536"
"""Within the namespace each user is who they are outside."""


def main(argv: list[str]) -> int:
    (made, making), (mapped, mapping) = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        os.seteuid(ACCOUNT)
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER):
            os._exit(ctypes.get_errno())
        os.write(making, b".")
        os.read(mapped, 1)
        os.setresuid(0, 0, 0)
        os.execvp(argv[0], argv)  # noqa: S606 - the test says what to run
    os.close(making)
    if os.read(made, 1):
        for kind in ("uid", "gid"):
            Path(f"/proc/{child}/{kind}_map").write_text(EVERYBODY, encoding="ascii")
        os.write(mapping, b".")
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
