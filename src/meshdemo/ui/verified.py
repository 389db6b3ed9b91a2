"""A verdict as a page of its own: its answers come again, in the times that they came in."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from meshdemo.language import joined, said
from meshdemo.report import speaking
from meshdemo.ui import page
from meshdemo.ui.counts import counts_document, lane_of
from meshdemo.verdict import judging

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshdemo.ui.scene import Scene
    from meshdemo.verdict.traffic import Reply
    from meshdemo.walkthrough.verify import Measured

PARTS = 50
"""In how many parts the answers come: enough for the eye."""


def page_of(measured: Measured, scene: Scene, language: str) -> bytes:
    """Give the page, as one HTML file that needs nothing else."""
    return page.exported(recorded(measured, scene), language)


def recorded(measured: Measured, scene: Scene) -> dict[str, Any]:
    """Record a measurement as if a page had been open, with its verdict at the end."""
    sample, tally = measured.sample, measured.tally.emptied()
    times = _times(sample.replies, sample.seconds)
    began = times[0] if times else 0.0
    events: list[tuple[float, str, Any]] = [
        (0.0, "scene", scene.document()),
        (0.0, "counts", counts_document(tally, scene.taking)),
    ]
    now = 0.0
    size = max(1, -(-len(times) // PARTS))
    for first in range(0, len(times), size):
        part = sample.replies[first : first + size]
        now = round(times[min(first + size, len(times)) - 1] - began, 6)
        came = Counter(lane_of(tally, reply) for reply in part)
        events.append((now, "answers", {"came": dict(came), "by": scene.taking}))
        for reply in part:
            tally.add(reply)
        so_far = judging.judge(measured.verdict.rule, tally)
        counted = counts_document(tally, scene.taking, so_far, decided=False)
        events.append((now, "counts", counted))
    last = counts_document(measured.tally, scene.taking, measured.verdict)
    causes = [
        joined(said(". "), [speaking.of_problem(cause.place), cause.fix])
        for cause in measured.causes
    ]
    events.append((now, "counts", {**last, "causes": causes}))
    return {"began": began, "seconds": now, "events": events}


def _times(replies: Sequence[Reply], seconds: float) -> list[float]:
    """Give when each answer was there; where that is not known, they are spread evenly."""
    began = next((reply.began for reply in replies if reply.began is not None), 0.0)
    evenly = [began + seconds * (place + 1) / len(replies) for place in range(len(replies))]
    latest = began
    found = []
    for reply, otherwise in zip(replies, evenly, strict=True):
        known = None if reply.began is None else reply.began + (reply.seconds or 0.0)
        latest = max(latest, otherwise if known is None else known)
        found.append(latest)
    return found
