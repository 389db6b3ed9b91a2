"""The live page without a page: the same traffic, told to a table in the terminal."""

from __future__ import annotations

import queue
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from meshdemo.ui.live import Live, Traffic
from meshdemo.ui.scene import Scene
from meshdemo.walkthrough.events import Measuring

if TYPE_CHECKING:
    from meshdemo.engines.protocol import Engine
    from meshdemo.report.progress import Progress
    from meshdemo.verdict.traffic import Request

MOST_NEWS = 1000
"""As many wait where the terminal is stopped, so that its memory is bounded."""
TURN_SECONDS = 0.5
"""How long nothing need come before one looks whether it goes on."""


class Table(Protocol):
    """Takes what a page would be told."""

    def take(self, name: str, told: Any) -> None:  # noqa: ANN401 - whatever pages are told
        """Show one event."""


def watching(engine: Engine, request: Request, rate: int, table: Table, progress: Progress) -> None:
    """Send, and tell the table, until a signal or an error ends it."""
    scene = Scene.of(engine, request)
    traffic = Traffic(on=True, rate=rate, request=scene.context.request, fixed=True)
    news: queue.Queue[tuple[str, Any]] = queue.Queue(MOST_NEWS)

    def tell(name: str, told: Any) -> None:  # noqa: ANN401 - as above
        with suppress(queue.Full):  # the counts that come next have all that was counted
            news.put_nowait((name, told))

    live = Live(engine, scene, traffic, tell, lambda: True)
    live.start()
    try:
        while live.is_alive() and not progress.out.gone:  # else nobody would read on
            # A signal shows what was counted under the rules as they are now.
            progress.measuring = Measuring(live.tally, None)
            try:
                table.take(*news.get(timeout=TURN_SECONDS))
            except queue.Empty:
                continue
    finally:
        live.stop()
    if live.failure:
        raise live.failure
