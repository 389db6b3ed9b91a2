"""One cause: what keeps a verdict from being met, how one knows, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from meshdemo.errors import Problem


class Cause(Struct, frozen=True):
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
