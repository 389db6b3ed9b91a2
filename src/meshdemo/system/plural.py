"""Numbers in sentences."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Count things: ``1 answer``, ``1,000 answers``."""
    return f"{number:,} {noun if number == 1 else noun + 's'}"
