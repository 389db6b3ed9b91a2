"""The command line: one file for each command, and main() that runs them.

A command declares its options, makes one library call and gives the result to report.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshdemo.cli.invocation import Invocation


# As in ExitCode. Nothing of ours is imported outside of main's nets: Ctrl-C may come right then.
_INTERRUPTED, _BUG = 130, 70


def main(argv: Sequence[str] | None = None, *, invocation: Invocation | None = None) -> int:
    """Run a command line and give its exit code; nothing else decides on one.

    ``invocation`` is the seam where a test puts its own engine and streams.
    """
    try:
        return _run(list(sys.argv[1:] if argv is None else argv), invocation)
    except KeyboardInterrupt:  # the second one, while the first was reported
        return _INTERRUPTED
    except Exception:  # noqa: BLE001 - the last net: not even a report that fails ends with 1
        return _BUG


def _run(arguments: list[str], invocation: Invocation | None) -> int:
    try:
        # Here, so that not even a broken installation ends with Python's own exit code 1.
        from meshdemo.cli import signals

        with signals.raised():
            from meshdemo.cli import streams

            streams.open_closed()
            from meshdemo.cli.invocation import Invocation
            from meshdemo.cli.program import run

            invocation = invocation or Invocation()
            return int(run(arguments, invocation))
    except SystemExit:  # a shell has its completion
        raise
    except BaseException as error:  # noqa: BLE001 - the boundary: a signal, or a bug of ours
        from meshdemo.cli import exit_reporting

        return int(exit_reporting.fail_unforeseen(invocation, error, arguments))
