"""A signal is raised where it comes, and yet nothing stays taken that was being taken then."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from meshdemo.cli import signals
from meshdemo.errors import Sigterm


class Lock:
    """A lock with which a signal comes just after it is taken, or just before it is given back."""

    def __init__(self, *, entering: int = 0, leaving: int = 0) -> None:
        self.lock = threading.Lock()
        self.entering, self.leaving = entering, leaving

    def __enter__(self) -> None:
        self.lock.acquire()
        if self.entering:
            os.kill(os.getpid(), self.entering)

    def __exit__(self, *_: object) -> None:
        if self.leaving:
            os.kill(os.getpid(), self.leaving)
        self.lock.release()


def take_and_wait(lock: Lock) -> None:
    with lock:
        pass
    signal.pause()


ENDINGS = [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Sigterm)]


@pytest.mark.parametrize(("number", "raised"), ENDINGS)
@pytest.mark.parametrize("moment", ["entering", "leaving"])
def test_a_lock_that_is_being_taken_or_given_back_is_free_after_a_signal(
    number: int, raised: type[BaseException], moment: str
) -> None:
    lock = Lock(**{moment: number})
    with signals.raised(), pytest.raises(raised):
        take_and_wait(lock)
    assert lock.lock.acquire(blocking=False)


def test_a_second_signal_is_raised_also_there() -> None:
    class Stuck:
        def __enter__(self) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)
            pytest.fail("it went on")

        def __exit__(self, *_: object) -> None: ...

    with signals.raised(), pytest.raises(Sigterm), Stuck():
        pass
