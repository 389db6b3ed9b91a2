"""Counted answers as a small bar chart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.report.terminal import BAR_WIDTH

if TYPE_CHECKING:
    from meshdemo.report.terminal import Terminal
    from meshdemo.verdict.tally import Tally


LEAST = 10
"""Columns that a bar needs to show anything; with less room there is none."""


def show_tally(terminal: Terminal, title: str, tally: Tally) -> None:
    """Write a bar for each version, and for each other answer that came."""
    terminal.advise(title)
    counts = {**tally.versions, **tally.others}
    width = max((len(name) for name in counts), default=0)
    digits = len(f"{tally.total:,}")
    rest = len(_row(" " * width, " ", " " * digits, 1)) - 1
    room = min(BAR_WIDTH, (terminal.width or rest + BAR_WIDTH) - rest)
    for name, count in counts.items():
        share = count / tally.total if tally.total else 0.0
        bar = terminal.bar(share, room) if room >= LEAST else ""
        terminal.line(_row(name.ljust(width), bar, f"{count:>{digits},}", share))


def _row(name: str, bar: str, count: str, share: float) -> str:
    cells = (name, bar, count, f"{_percent(share):>7}")
    return "  " + "  ".join(cell for cell in cells if cell)


def _percent(share: float) -> str:
    """Write a share with one decimal; only nothing reads as 0.0 %, and only all as 100.0 %."""
    text = f"{100 * share:.1f} %"
    if 0 < share < 1:
        return {"0.0 %": "<0.1 %", "100.0 %": ">99.9 %"}.get(text, text)
    return text
