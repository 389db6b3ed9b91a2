"""What is wrong with a place of the input, in the language of who reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from meshdemo.language import spoken

if TYPE_CHECKING:
    from meshdemo.errors import Problem


def of_problem(problem: Problem, language: str) -> str:
    """Say what and where it is, and what to do about it."""
    message, hint = (spoken(each, language) for each in (problem.message, problem.hint))
    return str(replace(problem, message=message, hint=hint))
