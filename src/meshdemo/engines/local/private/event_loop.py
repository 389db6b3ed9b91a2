"""An event loop in a thread of its own, in which the stand-ins answer and their clients send.

Both in one thread: a request costs no change of threads, which under Python's lock takes longer
than the request.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from typing_extensions import Self

T = TypeVar("T")


class EventLoop:
    """A context manager: what runs in it ends with it. Its methods are for other threads."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.run(_end_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Have something done, and give what it comes to."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def run_all(self, works: Iterable[Callable[[], Coroutine[Any, Any, None]]], width: int) -> None:
        """Have several things done, ``width`` at a time. Raises what the first one does that fails.

        What is under way then ends with the loop.
        """
        waiting = iter(works)

        async def one_after_the_other() -> None:
            for work in waiting:
                await work()

        async def all_of_them() -> None:
            await asyncio.gather(*(one_after_the_other() for _ in range(width)))

        self.run(all_of_them())


async def _end_others() -> None:
    """Cancel whatever is under way: nobody waits for it any more."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    # A turn of the loop for transports that were aborted.
    await asyncio.sleep(0)
