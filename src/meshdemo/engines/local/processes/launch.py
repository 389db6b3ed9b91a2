"""Become the program that a file describes. Run by path, and without importing meshdemo.

A file can hold any argument and any environment; a line of supervisord's configuration cannot.
"""

import json
import os
import sys
import time

LONGEST_PAUSE = 60
"""Seconds between two tries."""


def main() -> None:
    """Read the file that the only argument names, and become what it says."""
    with open(sys.argv[1], encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs more than the rest
        program = json.load(file)
    try:
        os.chdir(program["directory"])
    except OSError as error:
        sys.exit(f"{program['directory']}: {error.strerror}")
    if program["tries"]:
        sys.exit(run_until_it_succeeds(program))
    become(program)


def become(program: dict) -> None:  # type: ignore[type-arg]  # typing takes time to import
    """Become the program."""
    argv = program["argv"]
    try:
        os.execvpe(argv[0], argv, program["env"])  # noqa: S606 - it is what this file is for
    except OSError as error:
        sys.exit(f"{argv[0]}: {error.strerror}")


def run_until_it_succeeds(program: dict) -> int:  # type: ignore[type-arg]  # as above
    """Run the program again, after longer and longer pauses, until it succeeds; its status."""
    pause, status = 1, 0
    for left in range(program["tries"], 0, -1):
        child = os.fork()
        if not child:
            become(program)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status == 0 or left == 1:
            break
        print(f"it ended with {status}; it is tried again in {pause} s", flush=True)  # noqa: T201 - the container's log
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    main()
