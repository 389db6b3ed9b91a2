"""The program: ``meshdemo``, and ``python -m meshdemo``."""

from __future__ import annotations

import gc
import sys

from meshdemo.cli import main

BEHIND = "-python"
"""What the name of the script has more than ``scripts/meshdemo``, which becomes it."""
SELDOM = 100_000
"""Objects between two searches for garbage; Python's own 700 suits programs that run longer."""


def run() -> int:
    """Run the command line as a process of its own, and give its exit code.

    Almost all objects are modules', and stay to the end. To search them for garbage over and over
    while they are made, and once more at the end, takes a tenth of a second.
    """
    gc.set_threshold(SELDOM)
    sys.argv[0] = sys.argv[0].removesuffix(BEHIND)  # what was typed
    code = main()
    _let_signals_end_us()
    gc.freeze()
    return code


def _let_signals_end_us() -> None:
    """Have Ctrl-C end us without a word, now that all is said: Python would print a traceback."""
    import signal  # noqa: PLC0415 - main has imported it, where Ctrl-C could come

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


if __name__ == "__main__":
    sys.exit(run())
