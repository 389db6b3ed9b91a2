"""What happens while a step runs. Whoever watches may print it; nothing depends on it."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from meshdemo.system.plural import counted

if TYPE_CHECKING:
    from meshdemo.engines.results import Applied, Check
    from meshdemo.verdict.judging import Rule
    from meshdemo.verdict.tally import Tally


T = TypeVar("T")


class Started(Struct, frozen=True):
    """A step begins."""

    name: str
    does: str
    commands: tuple[str, ...] = ()
    """What a person would type for it, with istioctl and kubectl."""


class Finished(Struct, frozen=True):
    """The step that began last has ended; ``ok`` says whether well."""

    name: str
    result: str
    seconds: float
    ok: bool = True


class Checked(Struct, frozen=True):
    """A check was made."""

    check: Check


class Waiting(Struct, frozen=True):
    """Something is waited for that says nothing by itself."""

    what: str


class Measuring(Struct, frozen=True):
    """Requests are being sent, until the next event; the tally fills as they are answered."""

    tally: Tally
    wanted: int | None
    """How many requests are to be sent; None where they end when the answers decide."""
    rule: Rule | None = None
    """What they are judged by; None where they are only looked at."""

    @property
    def so_far(self) -> str:
        """How many answers there are."""
        if self.wanted is None:
            return counted(self.tally.total, "answer")
        return f"{self.tally.total:,} of {counted(self.wanted, 'answer')}"


class Counted(Struct, frozen=True):
    """Answers were counted, to be looked at and not judged."""

    title: str
    tally: Tally
    seconds: float


class Accepted(Struct, frozen=True):
    """Objects were taken: what changed, and what is worth a word about them."""

    applied: Applied


class Note(Struct, frozen=True):
    """One sentence that the user should know; a warning says that something will surprise."""

    text: str
    warning: bool = False


Event = Started | Finished | Checked | Waiting | Measuring | Counted | Accepted | Note
Story = Generator[Event, None, T]
"""A step that runs while one watches, and returns its result."""
