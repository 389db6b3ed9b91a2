"""A measurement under way: it counts replies until they decide."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshdemo.verdict.judging import Rule
    from meshdemo.verdict.tally import Tally
    from meshdemo.verdict.traffic import Reply


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
