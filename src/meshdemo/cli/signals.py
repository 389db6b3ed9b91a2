"""Ctrl-C and SIGTERM: an exception wherever they come, and remembered whatever becomes of it.

Each ends the command by KeyboardInterrupt or Sigterm, so that what must be tidied up is. What is
raised in the midst of anything may get lost, though: a destructor's exceptions are only printed, C
code and libraries raise another one in its place. So what was only printed is raised once more, and
what goes wrong after a signal is the signal's doing.

Nothing is raised in the midst of an ``__enter__`` or ``__exit__`` in Python, such as those of
threading's conditions: what is taken there would never be given back, and whoever tidies up after
the signal would wait for it for ever. It is raised a moment later, or by a second signal.

And what the main thread waits for is interrupted again: of a signal Python's C code makes only a
note, which is read between two instructions. One that comes after the last reading, and before the
system call of a wait, would be heeded when the wait is over.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from meshdemo.errors import Interrupted, MeshdemoError, Sigterm, Terminated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

LATER_SECONDS = 0.01
"""When what got lost or had to wait is raised: by then it is another place that is interrupted."""
ENDINGS: dict[int, tuple[type[BaseException], type[MeshdemoError], str]] = {
    signal.SIGINT: (KeyboardInterrupt, Interrupted, "interrupted"),
    signal.SIGTERM: (Sigterm, Terminated, "terminated by SIGTERM"),
}
_came: list[int] = []
"""The signals of this run; the dispositions of signals are the process's, too."""


@contextmanager
def raised() -> Iterator[None]:
    """Raise the signals that come until the end of the block; one that is ignored stays so."""
    _came.clear()
    handled = [number for number in ENDINGS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, _come) for number in handled}
    before[signal.SIGALRM] = signal.signal(signal.SIGALRM, _raise)
    before[signal.SIGURG] = signal.signal(signal.SIGURG, lambda *_: None)
    hook, sys.unraisablehook = sys.unraisablehook, _lost
    try:
        with _heeded():
            # What scripts/meshdemo holds back while Python starts.
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _heeded() -> Iterator[None]:
    """Interrupt this thread's waiting a moment after each signal, so that it is heeded then."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    this, over = threading.get_ident(), threading.Event()

    def interrupt() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)  # they are to interrupt the other thread
        while number := os.read(reader, 1):
            while number[0] in {*ENDINGS, signal.SIGALRM} and not over.wait(LATER_SECONDS):
                signal.pthread_kill(this, signal.SIGURG)
                if _came:
                    break

    thread = threading.Thread(target=interrupt, daemon=True, name="signals")
    thread.start()
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        over.set()
        os.close(writer)
        thread.join()
        os.close(reader)


def stopped(error: BaseException | None) -> MeshdemoError | None:
    """Give what to report if a signal caused an error, or came before it; else None."""
    number = _came[0] if _came else next(_that_caused(error), None)
    if number is None:
        return None
    _, kind, message = ENDINGS[number]
    return kind(message)


def _come(number: int, frame: FrameType | None) -> None:
    _came.append(number)
    _raise(number, frame)


def _raise(_number: int, interrupted: FrameType | None) -> None:
    taking = interrupted and interrupted.f_code.co_name in {"__enter__", "__exit__"}
    if taking and len(_came) == 1:
        signal.setitimer(signal.ITIMER_REAL, LATER_SECONDS)
    else:
        raise ENDINGS[_came[-1]][0]


def _lost(unraisable: sys.UnraisableHookArgs) -> None:
    if isinstance(unraisable.exc_value, KeyboardInterrupt | Sigterm):
        signal.setitimer(signal.ITIMER_REAL, LATER_SECONDS)
    else:
        sys.__unraisablehook__(unraisable)


def _that_caused(error: BaseException | None) -> Iterator[int]:
    """Name the signals in a chain of errors, however Python passed them on."""
    while error is not None:
        for number, (kind, *_) in ENDINGS.items():
            if isinstance(error, kind):
                yield number
        error = error.__cause__ or error.__context__
