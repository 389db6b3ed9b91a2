"""Become the program that a file describes. Run by path, and without importing meshdemo.

A file can hold any argument and any environment; a line of supervisord's configuration cannot.
Each word of it ends where a zero byte is, as in the kernel's own /proc/PID/environ: none can hold
one. json would take as long to import as Python takes to start.
"""

import os
import sys
import time

LONGEST_PAUSE = 60
"""Seconds between two tries."""


def described(argv: tuple, env: dict, directory: str, tries: int) -> bytes:  # type: ignore[type-arg]  # typing takes time to import
    """Give what the file of a program holds; ``tries`` is 0 if it shall never end."""
    variables = [f"{name}={value}" for name, value in env.items()]
    words = (directory, str(tries), str(len(argv)), *argv, *variables)
    return b"\0".join(word.encode(errors="surrogateescape") for word in words)


def main() -> None:
    """Read the file that the only argument names, and become what it says."""
    with open(sys.argv[1], "rb") as file:  # noqa: PTH123 - pathlib costs more than the rest
        directory, tries, count, *words = file.read().split(b"\0")
    argv = words[: int(count)]
    env = dict(word.split(b"=", 1) for word in words[int(count) :])
    try:
        os.chdir(directory)
    except OSError as error:
        sys.exit(f"{os.fsdecode(directory)}: {error.strerror}")
    if int(tries):
        sys.exit(run_until_it_succeeds(argv, env, int(tries)))
    become(argv, env)


def become(argv: list, env: dict) -> None:  # type: ignore[type-arg]  # as above
    """Become the program."""
    try:
        os.execvpe(argv[0], argv, env)  # noqa: S606 - it is what this file is for
    except OSError as error:
        sys.exit(f"{os.fsdecode(argv[0])}: {error.strerror}")


def run_until_it_succeeds(argv: list, env: dict, tries: int) -> int:  # type: ignore[type-arg]  # as above
    """Run the program again, after longer and longer pauses, until it succeeds; its status."""
    pause, status = 1, 0
    for left in range(tries, 0, -1):
        child = os.fork()
        if not child:
            become(argv, env)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status == 0 or left == 1:
            break
        print(f"it ended with {status}; it is tried again in {pause} s", flush=True)  # noqa: T201 - the container's log
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    main()
