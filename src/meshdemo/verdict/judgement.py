"""What is judged: each outcome of a request against the share that it shall have."""

from __future__ import annotations

from enum import Enum
from fractions import Fraction
from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.verdict.expectation import ERROR, is_exact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meshdemo.verdict.expectation import Expectation
    from meshdemo.verdict.tally import Tally


class Outcome(str, Enum):
    """What a verdict comes to."""

    MET = "met"
    NOT_MET = "not met"
    INCONCLUSIVE = "inconclusive"


class Claim(Struct, frozen=True):
    """One outcome, the share that it shall have, and how often it came."""

    name: str
    """A version, ``HTTP 503`` and the like, or ``ERROR``: what nothing else names."""
    share: Fraction
    count: int
    total: int

    @property
    def exact(self) -> bool:
        """Whether the share is all or nothing, so that one contrary answer decides."""
        return is_exact(self.share)

    @property
    def allowed(self) -> int:
        """The only count that an exact share allows."""
        return self.total * int(self.share)

    @property
    def contrary(self) -> int:
        """How many answers an exact share does not allow."""
        return abs(self.allowed - self.count)

    @property
    def exact_p_value(self) -> float:
        """How likely a mesh that keeps an exact share gives such answers: always, or never."""
        return 0.0 if self.contrary else 1.0


class Judgement(Struct, frozen=True):
    """A claim, and what the answers say of it."""

    claim: Claim
    outcome: Outcome
    low: int
    """The least count of so many answers that is not refused."""
    high: int
    """The greatest count that is not."""
    p_value: float
    """How likely a mesh that keeps the share is to be this far off, or farther."""
    interval: tuple[float, float]
    """The real shares that fit the answers, 0 to 1; those of all shares hold together, but for the
    error rate."""

    @property
    def ok(self) -> bool:
        """Whether the count is not refused."""
        return self.low <= self.claim.count <= self.high

    @property
    def share(self) -> float:
        """The share that was counted, 0 to 1."""
        return self.claim.count / self.claim.total if self.claim.total else 0.0


def claims(expectation: Expectation, tally: Tally) -> Iterator[Claim]:
    """Give what the expectation says of each outcome.

    Errors have the share 0 unless they are named. So has a version that is not, where the shares
    leave it nothing: then one answer of it is too many.
    """
    shares = dict(expectation.shares)
    if expectation.rest == 0:
        shares |= {version: Fraction(0) for version in tally.versions if version not in shares}
    shares.setdefault(ERROR, Fraction(0))
    statuses = sum(tally.others.get(name, 0) for name in shares)
    for name, share in shares.items():
        if name == ERROR:
            count = tally.missed - statuses
        else:
            count = tally.versions.get(name, tally.others.get(name, 0))
        yield Claim(name, share, count, tally.total)


def together(outcomes: Iterable[Outcome]) -> Outcome:
    """Tell what claims come to: one that is not met decides, all of them must be met."""
    found = set(outcomes)
    if Outcome.NOT_MET in found:
        return Outcome.NOT_MET
    return Outcome.MET if found == {Outcome.MET} else Outcome.INCONCLUSIVE
