"""What is wrong with a place of the input, as a sentence for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.errors import shown
from meshdemo.language import joined, said

if TYPE_CHECKING:
    from meshdemo.errors import Problem
    from meshdemo.language import Sentence


def of_problem(problem: Problem) -> Sentence:
    """Say what and where it is, and what to do about it; in English as ``str`` does."""
    text = joined(": ", problem.parts)
    if problem.code:
        text = joined(" ", [text, f"[{problem.code}]"])
    return joined(said("; "), [text, shown(problem.hint)]) if problem.hint else text
