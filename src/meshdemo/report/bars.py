"""Counted answers as a small bar chart, also while they are counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.language import spoken
from meshdemo.report.terminal import BAR_WIDTH
from meshdemo.verdict import evidence, judging

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from meshdemo.report.terminal import Terminal
    from meshdemo.verdict.tally import Tally
    from meshdemo.walkthrough.events import Measuring


LEAST = 10
"""Columns that a bar needs to show anything; with less room there is none."""
FITTING = len("(12.3 to 100.0 %)")
"""Columns of the shares that fit, so that bars do not jump while these get exact."""
TURNING = 2
"""Columns of what turns beside the bars that are live."""


def show_tally(terminal: Terminal, title: str, tally: Tally) -> None:
    """Write a bar for each version, and for each other answer that came."""
    terminal.advise(title)
    for row in _rows(terminal, tally, terminal.width):
        terminal.line(row)


def live_bars(terminal: Terminal, measuring: Measuring) -> str:
    """Draw the same of answers that are being counted, each with the real shares that fit.

    It is asked for while another thread counts.
    """
    tally, rule = measuring.tally.copy(), measuring.rule
    intervals = judging.fitting(rule, tally) if rule else {}
    fitting = {
        name: f"({spoken(evidence.interval_text(each), terminal.language)})".ljust(FITTING)
        for name, each in intervals.items()
    }
    said = f"{measuring.so_far}, and the real shares that fit" if rule else measuring.so_far
    width = terminal.width
    return "\n".join([said, *_rows(terminal, tally, width and width - TURNING, fitting)])


def _rows(
    terminal: Terminal, tally: Tally, width: int | None, beside: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Draw a row for each kind of answer, with what else there is to say beside it."""
    counts = {**tally.versions, **tally.others}
    remarks = {name: (beside or {}).get(name, "") for name in counts}
    names = max((len(name) for name in counts), default=0)
    digits = len(f"{tally.total:,}")
    longest = max(map(len, remarks.values()), default=0)
    rest = len(_row("x" * names, "x", "9" * digits, 1, "x" * longest)) - 1
    room = min(BAR_WIDTH, (width or rest + BAR_WIDTH) - rest)
    if room < 0:
        remarks = dict.fromkeys(remarks, "")
    for name, count in counts.items():
        share = count / tally.total if tally.total else 0.0
        bar = terminal.bar(share, room) if room >= LEAST else ""
        yield _row(name.ljust(names), bar, f"{count:>{digits},}", share, remarks[name])


def _row(name: str, bar: str, count: str, share: float, remark: str) -> str:
    cells = (name, bar, count, f"{_percent(share):>7}", remark)
    return "  " + "  ".join(cell for cell in cells if cell)


def _percent(share: float) -> str:
    """Write a share with one decimal; only nothing reads as 0.0 %, and only all as 100.0 %."""
    text = f"{100 * share:.1f} %"
    if 0 < share < 1:
        return {"0.0 %": "<0.1 %", "100.0 %": ">99.9 %"}.get(text, text)
    return text
