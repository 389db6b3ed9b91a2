"""Become the program that a file describes. Run by path, and without importing meshdemo.

A file can hold any argument and any environment; a line of supervisord's configuration cannot.
"""

import json
import os
import sys


def main() -> None:
    """Read the file that the only argument names, and become what it says."""
    with open(sys.argv[1], encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs more than the rest
        program = json.load(file)
    argv = program["argv"]
    try:
        os.chdir(program["directory"])
    except OSError as error:
        sys.exit(f"{program['directory']}: {error.strerror}")
    try:
        os.execvpe(argv[0], argv, program["env"])  # noqa: S606 - it is what this file is for
    except OSError as error:
        sys.exit(f"{argv[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
