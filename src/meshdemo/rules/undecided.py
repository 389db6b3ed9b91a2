"""What is raised where the rules promise no version for a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.errors import InputError
from meshdemo.language import said

if TYPE_CHECKING:
    from meshdemo.language import Sentence

EXPECT_HINT = said("say what to expect, as in --expect v2=100%")


class Undecided(InputError):
    """The rules promise no version for a request."""

    def __init__(self, reason: Sentence, hint: Sentence = EXPECT_HINT) -> None:
        super().__init__(
            said("the rules promise no version for this request: {reason}", reason=reason),
            hint=hint,
        )
        self.reason = reason


def undecided(template: str, /, **parts: object) -> Undecided:
    """Make the error for a request whose answers the rules promise to no version, as ``said``."""
    return Undecided(said(template, **parts))
