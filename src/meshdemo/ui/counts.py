"""What came, counted: all answers ever, and those that one state of the rules is judged by."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from meshdemo.verdict import judging
from meshdemo.verdict.expectation import ERROR
from meshdemo.verdict.tally import Tally

if TYPE_CHECKING:
    from meshdemo.ui.scene import Scene
    from meshdemo.verdict.judging import Rule, Verdict
    from meshdemo.verdict.traffic import Reply

RECENT_SECONDS = 5.0
"""The time that the rate is counted over."""


@dataclass
class Counts:
    """Its memory does not grow with the answers."""

    rule: Rule | None
    """How it is judged; None where the rules promise nothing."""
    tally: Tally
    taking: str
    received: int
    """All answers since the page's server began, whatever was judged."""
    pending: Tally
    """What came since the last look at the mesh."""
    recent: deque[tuple[float, int]] = field(default_factory=deque)
    """How many answers there were in all, and when."""

    @classmethod
    def of(cls, scene: Scene, received: int = 0) -> Counts:
        """Begin to count under what is in force now."""
        promise = scene.expectation
        tally = Tally.of(scene.versions, promise.kinds if promise else ())
        rule = judging.rule_for(promise) if promise else None
        return cls(rule, tally, scene.taking, received, tally.emptied())

    def take(self, reply: Reply) -> str:
        """Take an answer, and name its lane: a version, or after ``!`` what else came."""
        self.received += 1
        self.pending.add(reply)
        return lane_of(self.tally, reply)

    def confirm(self) -> None:
        """Count what came since the last look: nothing had changed meanwhile."""
        self.tally.merge(self.pending)
        self.pending = self.tally.emptied()

    def document(self) -> dict[str, Any]:
        """Give it as the page shows it."""
        verdict = judging.judge(self.rule, self.tally) if self.rule else None
        found = counts_document(self.tally, self.taking, verdict)
        return {**found, "received": self.received, "rate": self._rate()}

    def _rate(self) -> float:
        """Give the answers a second of late."""
        now = time.monotonic()
        self.recent.append((now, self.received))
        while now - self.recent[0][0] > RECENT_SECONDS:
            self.recent.popleft()
        seconds = now - self.recent[0][0]
        return round((self.received - self.recent[0][1]) / seconds, 1) if seconds else 0.0


def lane_of(tally: Tally, reply: Reply) -> str:
    """Name what an answer was: a version, or after ``!`` what else came."""
    return tally.version_of(reply) or f"!{reply.status or 'error'}"


def counts_document(
    tally: Tally, taking: str, verdict: Verdict | None = None, *, decided: bool = True
) -> dict[str, Any]:
    """Give what was counted as the page shows it; what is not ``decided`` yet has no verdict."""
    judged = verdict if verdict and tally.total else None
    outcome = judged.outcome.value if judged and decided else None
    return {
        "received": tally.total,
        "total": tally.total,
        "lanes": _lanes(tally, verdict, decided=decided),
        "others": list(tally.others.items()),
        "verdict": outcome,
        "evidence": list(judged.evidence) if judged and decided else [],
        "rules": {taking: tally.total} if taking else {},
    }


def _lanes(tally: Tally, verdict: Verdict | None, *, decided: bool) -> dict[str, dict[str, Any]]:
    lanes: dict[str, dict[str, Any]] = {
        name: {"count": count} for name, count in tally.versions.items()
    }
    lanes[ERROR] = {"count": tally.missed}
    for judgement in verdict.judgements if verdict else ():
        lanes.setdefault(judgement.claim.name, {}).update(
            count=judgement.claim.count,
            promised=float(judgement.claim.share),
            low=judgement.interval[0],
            high=judgement.interval[1],
            verdict=judgement.outcome.value if decided and tally.total else None,
        )
    return lanes
