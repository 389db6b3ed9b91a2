"""Answers, counted by what they were."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshdemo.language import said
from meshdemo.verdict import traffic
from meshdemo.verdict.traffic import status_kind
from meshdemo.verdict.version_source import BODY, VersionSource

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshdemo.verdict.traffic import Reply

_MOST_KINDS = 20
"""How many kinds of other answers are told apart; an app may answer each time something else."""
_SHOWN = 40
"""How many characters of an unknown answer or an error are shown."""
UNKNOWN = "unknown answer"
"""What the name of each kind of answers begins with that have status 200 and name no known
version."""
_REST = said("anything else")
_WHY = {
    traffic.CONNECTION_REFUSED: said("connection refused"),
    traffic.CONNECTION_RESET: said("connection reset"),
    traffic.TIMED_OUT: said("timed out"),
    traffic.NO_SUCH_HOST: said("no such host"),
}
"""What replies say of their errors, as it is said to people."""


@dataclass(slots=True)
class Tally:
    """A sample counted by answer; it may be filled while the replies come in.

    Every reply counts: ``others`` holds errors and unknown answers by what they were.
    """

    versions: dict[str, int]
    """How often each known version answered, also those that never did."""
    others: dict[str, int] = field(default_factory=dict)
    source: VersionSource = field(default=BODY, repr=False)
    """Where an answer says which version it is from."""

    @classmethod
    def of(
        cls,
        versions: Iterable[str],
        kinds: Iterable[str] = (),
        source: VersionSource = BODY,
    ) -> Tally:
        """Start a tally that knows these versions, and tells these kinds of answers apart."""
        return cls(dict.fromkeys(versions, 0), dict.fromkeys(kinds, 0), source)

    def copy(self) -> Tally:
        """Keep it as it is now."""
        return Tally(dict(self.versions), dict(self.others), self.source)

    def emptied(self) -> Tally:
        """Give one that tells the same apart, and has counted nothing."""
        return Tally.of(self.versions, self.others, self.source)

    def merge(self, other: Tally) -> None:
        """Add what another one has counted that knows the same versions."""
        for version, count in other.versions.items():
            self.versions[version] += count
        for kind, count in other.others.items():
            self._add_other(kind, count)

    @property
    def answered(self) -> int:
        """How many replies came from a known version."""
        return sum(self.versions.values())

    @property
    def missed(self) -> int:
        """How many replies did not."""
        return sum(self.others.values())

    @property
    def total(self) -> int:
        """How many replies there are: the denominator of every share."""
        return self.answered + self.missed

    def version_of(self, reply: Reply) -> str:
        """Give the version that a reply is counted for; empty if for none."""
        version = self.source.read(reply)
        return version if version in self.versions else ""

    def add(self, reply: Reply) -> None:
        """Count one reply."""
        version = self.source.read(reply)
        if version in self.versions:
            self.versions[version] += 1
            return
        # A status that was asked for is one, whatever the body says.
        asked = status_kind(reply.status)
        kind = asked if not reply.error and asked in self.others else _kind(reply, version)
        self._add_other(kind, 1)

    def _add_other(self, kind: str, count: int) -> None:
        if kind not in self.others and len(self.others) >= _MOST_KINDS:
            kind = _REST
        self.others[kind] = self.others.get(kind, 0) + count


def _kind(reply: Reply, version: str) -> str:
    """Name an answer that no known version gave. No name of a kind is a possible version."""
    if reply.error:
        why = _WHY.get(reply.error) or _shorten(reply.error)
        return said("no answer: {why}", why=why)
    if reply.status != 200:  # noqa: PLR2004 - HTTP's OK needs no other name
        return status_kind(reply.status) if reply.status else said("no answer")
    return said("unknown answer '{answer}'", answer=_shorten(version or reply.body))


def _shorten(text: str) -> str:
    # Only what may be shown is looked at: a body can be large.
    flat = " ".join(text[: 8 * _SHOWN].split())
    flat = "".join(character if character.isprintable() else "?" for character in flat)
    return flat if len(flat) <= _SHOWN else f"{flat[: _SHOWN - 3]}..."
