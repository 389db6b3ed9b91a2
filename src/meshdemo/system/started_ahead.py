"""A program that is started before it is known whether it will be needed."""

from __future__ import annotations

import atexit
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WORD = b"go\n"


class StartedAhead:
    """It waits for a line on its standard input, and ends where that ends without one.

    So nothing is left of it whatever ends us; once it got the line it outlives us, in a session of
    its own and with none of our streams.
    """

    def __init__(self, argv: Sequence[str], env: Mapping[str, str]) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        with suppress(OSError):  # whoever needs it then starts one, and says what is wrong
            self._process = subprocess.Popen(
                argv,
                bufsize=0,
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                umask=0o077,  # nobody else reads what it writes
                cwd="/",
            )
            atexit.register(self.end)

    def go(self) -> int | None:
        """Let it begin, and give its process id; None if it is not there (any more)."""
        process, self._process = self._process, None
        if process is None or process.stdin is None:
            return None
        try:
            with process.stdin as line:
                line.write(WORD)
        except OSError:
            process.wait()
            return None
        # It is meant to run on: without a status Python would warn about a forgotten child.
        process.returncode = 0
        return process.pid

    def end(self) -> None:
        """End it, if it still waits."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with process:
                pass  # which closes its input, and waits for its end
