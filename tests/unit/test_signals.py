"""A signal is raised where it comes, and yet nothing stays taken that was being taken then."""

from __future__ import annotations

import os
import signal
import threading
import time

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
    time.sleep(20)


def wait_beside(timer: threading.Timer) -> None:
    timer.start()
    time.sleep(20)


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


@pytest.mark.parametrize(("number", "raised"), ENDINGS)
def test_a_signal_that_comes_just_before_a_wait_ends_it(
    number: int, raised: type[BaseException]
) -> None:
    # Another thread takes it, so that no wait of this one is interrupted by it.
    elsewhere = threading.Timer(0.1, lambda: signal.pthread_kill(threading.get_ident(), number))
    began = time.monotonic()
    with signals.raised(), pytest.raises(raised):
        wait_beside(elsewhere)
    assert time.monotonic() - began < 10


def test_nothing_is_left_of_it_afterwards() -> None:
    def state() -> object:
        numbers = (*signals.ENDINGS, signal.SIGALRM, signal.SIGURG)
        wakeup = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(wakeup)
        return [signal.getsignal(number) for number in numbers], wakeup, threading.active_count()

    before = state()
    with signals.raised():
        assert state() != before
    assert state() == before
