"""Counted answers as a small bar chart."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshdemo.report.terminal import Terminal
    from meshdemo.traffic import Tally


def show_tally(terminal: Terminal, title: str, tally: Tally) -> None:
    """Write a bar for each version, and for each other answer that came."""
    terminal.line(title)
    counts = {**tally.versions, **tally.others}
    width = max((len(name) for name in counts), default=0)
    digits = len(str(tally.total))
    for name, count in counts.items():
        share = count / tally.total if tally.total else 0.0
        terminal.line(
            f"  {name.ljust(width)}  {terminal.bar(share)}  {count:>{digits}}  {share:>6.1%}"
        )
