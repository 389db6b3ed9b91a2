"""A measurement under way: it counts replies until they decide."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING

from meshdemo.errors import BrokenOff
from meshdemo.language import joined, said
from meshdemo.verdict import judging
from meshdemo.verdict.traffic import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from meshdemo.verdict.judging import Rule, Verdict
    from meshdemo.verdict.tally import Tally
    from meshdemo.verdict.traffic import Reply, Request


@dataclass(slots=True)
class Measurement:
    """Replies as they come in, counted."""

    rule: Rule
    tally: Tally
    """Of all replies; it fills for whoever watches."""
    decisive: Tally | None = None
    """The tally when there was enough; None before. What comes after it was under way."""
    enough: Event = field(default_factory=Event)
    """Set once there is: no other request need begin."""

    def add(self, reply: Reply) -> None:
        """Count a reply, and look whether that decides."""
        self.tally.add(reply)
        if self.decisive is None and self.rule.enough(self.tally):
            self.decisive = self.tally.copy()
            self.enough.set()

    def verdict(self, sample: Sample) -> Verdict:
        """Judge what was counted of a sample."""
        return judging.judge(
            self.rule,
            self.tally,
            self.decisive,
            complete=sample.complete,
            broken_off=sample.broken_off,
            disturbed=sample.disturbed,
        )


def take(
    request: Request,
    replies: Iterator[Reply],
    count: int,
    add: Callable[[Reply], None],
    enough: Event | None = None,
) -> Sample:
    """Keep every one of ``count`` replies, with the time that they took all together.

    Each is given to ``add`` as it comes, which may say that there is ``enough``. What came before
    the requests broke off is true and is shown, but decides nothing.
    """
    began = time.monotonic()
    kept: list[Reply] = []
    broken_off = ""
    try:
        for reply in replies:
            kept.append(reply)
            add(reply)
    except BrokenOff as error:
        broken_off = joined(said(". "), list(filter(None, [error.message, error.hint])))
    wanted = len(kept) if enough and enough.is_set() else count
    return Sample(request, wanted, tuple(kept), time.monotonic() - began, broken_off)
