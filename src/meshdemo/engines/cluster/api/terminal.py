"""A command in a pod on this terminal: its streams, its size, and its status."""

from __future__ import annotations

import math
import os
import re
import signal
import sys
import termios
import threading
import tty
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from meshdemo.engines.cluster.api import remote_exec as remote
from meshdemo.errors import EnvironmentFailed
from meshdemo.system.shell import NO_SUCH_COMMAND, NOT_RUNNABLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meshdemo.engines.cluster.api.kube import Kube
    from meshdemo.engines.cluster.api.remote_exec import Session, Target

SHELL = ("sh", "-c", "command -v bash >/dev/null 2>&1 && exec bash || exec sh")
"""The best shell that the container has."""
CHUNK = 65536
START_ERROR = re.compile(
    r'exec: "(?P<name>[^"]*)": (?:stat [^:]*: )?(?P<why>[^:]+)'  # runc
    r"|executable file `?(?P<file>[^`]*?)`? (?P<lack>not found[^:]*)"  # crun
)
"""The part of a container runtime's message that is about the command itself."""
IN, OUT, ERR = 0, 1, 2


def run(kube: Kube, target: Target, argv: Sequence[str]) -> int:
    """Run a command, or a shell, until it ends; its exit status."""
    interactive = os.isatty(IN) and os.isatty(OUT)
    command = list(argv) or list(SHELL)
    sys.stdout.flush()
    with ExitStack() as stack:
        session = stack.enter_context(
            remote.start(kube, target, command, math.inf, tty=interactive)
        )
        if interactive:
            stack.enter_context(_raw_terminal())
            stack.enter_context(_followed_size(session))
        threading.Thread(target=_forward_input, args=(session,), daemon=True).start()
        for channel, data in session.frames():
            _write(ERR if channel == remote.STDERR else OUT, data)
    ended = session.ended or remote.Ended(NOT_RUNNABLE)
    return _not_started(ended.message, target.pod) if ended.message else ended.code


def _not_started(message: str, pod: str) -> int:
    """Say as a shell would that there is no such command, or that it is not a program.

    Raises EnvironmentFailed if it is the container that runs nothing.
    """
    found = START_ERROR.search(message)
    if not found:
        raise EnvironmentFailed(f"the command cannot be run in {pod}: {message}")
    name, why = found["name"] or found["file"], found["why"] or found["lack"]
    _write(ERR, f"meshdemo: {name}: {why}\n".encode())
    return NO_SUCH_COMMAND if re.search("not found|no such file", why) else NOT_RUNNABLE


def _forward_input(session: Session) -> None:
    with suppress(OSError):  # there may be no standard input at all
        while data := os.read(IN, CHUNK):
            session.write(remote.STDIN, data)
    session.end_stdin()


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


@contextmanager
def _raw_terminal() -> Iterator[None]:
    """Let every key, Ctrl-C too, go to the command."""
    before = termios.tcgetattr(IN)
    tty.setraw(IN, termios.TCSADRAIN)  # what was typed ahead is kept
    try:
        yield
    finally:
        termios.tcsetattr(IN, termios.TCSADRAIN, before)


@contextmanager
def _followed_size(session: Session) -> Iterator[None]:
    """Tell the command this terminal's size, now and whenever it changes."""

    def tell() -> None:
        session.resize(*os.get_terminal_size(OUT))  # whatever COLUMNS says

    def changed(*_: object) -> None:
        # In a thread of its own: what the signal interrupted may hold the connection.
        threading.Thread(target=tell, daemon=True).start()

    tell()
    before = signal.signal(signal.SIGWINCH, changed)
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)
