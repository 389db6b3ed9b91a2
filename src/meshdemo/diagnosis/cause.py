"""One cause: what keeps a verdict from being met, how one knows, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshdemo.errors import Problem


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a verdict is not met."""

    name: str
    """What programs know it by; it stays the same."""
    place: Problem
    """What it is, in one sentence, and where: object and field, file and line as far as known."""
    evidence: tuple[str, ...]
    fix: str
    verified: bool = True
    """Whether facts prove it; else it is a guess."""

    @property
    def message(self) -> str:
        return self.place.message
