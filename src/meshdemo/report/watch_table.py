"""What ``watch`` shows: a table that is drawn anew, lines where there is no terminal, or JSON."""

from __future__ import annotations

import json
from collections import deque
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from meshdemo.report import DOCUMENT_SCHEMA
from meshdemo.report.wrapping import wrapped
from meshdemo.verdict.expectation import ERROR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.live import Live

    from meshdemo.report.terminal import Terminal

KEPT = 5
"""How many of the last changes stay on the screen."""
LINE_SECONDS = 1.0
"""Without a terminal counts come once in so many seconds."""
WORDS = {"inconclusive": "counting", None: ""}
STYLES = {"met": "green", "not met": "red"}
NAMES = {ERROR: "others"}
"""Shorter names, so that there is room for bars."""
MOST_PLACES = 9
"""Decimals of an interval's ends: one, and more where they show what is not within it."""
BAR, LEAST = 24, 8
"""Columns of a bar, and what it needs to show anything."""


@contextmanager
def watch_table(terminal: Terminal, *, as_json: bool) -> Iterator[Shown]:
    """Give what fits the stream, for as long as it lasts."""
    if as_json:
        yield JsonLines(terminal)
    elif not terminal.interactive:
        yield PlainLines(terminal)
    else:
        from rich.console import Console  # noqa: PLC0415 - late, it takes time
        from rich.live import Live  # noqa: PLC0415 - late, it takes time

        console = Console(file=terminal.stream, highlight=False)
        with Live(console=console, auto_refresh=False, transient=True) as live:
            yield LiveTable(terminal, live)


class Shown:
    """What is known of the traffic; whoever inherits it shows it."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.scene: dict[str, Any] = {}
        self.counts: dict[str, Any] = {}
        self.problem = ""
        self.changes: deque[str] = deque(maxlen=KEPT)

    def take(self, name: str, told: Any) -> None:  # noqa: ANN401 - whatever pages are told
        """Show one event, as pages are told it."""
        if name == "scene":
            self.scene = told
        elif name == "counts":
            self.counts = told
        elif name == "problem":
            self.problem = told["text"]
        elif name in ("changed", "happened"):
            self.changes.append(f"{datetime.now().astimezone():%H:%M:%S} {_change(told)}")
        self.show(name)

    def show(self, name: str) -> None:
        """Show what is known, after this event."""


class LiveTable(Shown):
    """One that stays where it is on the screen."""

    def __init__(self, terminal: Terminal, live: Live) -> None:
        super().__init__(terminal)
        self._live = live

    def show(self, name: str) -> None:
        if name == "answers" or not self.counts:
            return
        from rich.text import Text  # noqa: PLC0415 - late, it takes time

        text = Text.from_ansi("\n".join(self._lines()), no_wrap=True, overflow="ellipsis")
        self._live.update(text, refresh=True)

    def _lines(self) -> Iterator[str]:
        counts, terminal = self.counts, self.terminal
        yield from self._wrapped(_request(self.scene), "bold")
        yield terminal.paint(f"{counts['rate']} a second; Ctrl-C ends it", "dim")
        for rule in self.scene["rules"]:
            taking = rule["id"] == self.scene["taking"]
            words = f"{'→' if terminal.unicode else '>'} {'; '.join([rule['to'], *rule['more']])}"
            line = f"{'*' if taking else '-'} {rule['id']}  {rule['when']} {words}"
            yield from self._wrapped(line, "bold" if taking else "dim")
        yield ""
        yield from _rows(terminal, counts)
        if self.problem:
            yield from self._wrapped(self.problem, "red")
        yield ""
        for change in self.changes:
            yield from self._wrapped(change)

    def _wrapped(self, text: str, style: str = "") -> Iterator[str]:
        for line in wrapped(text, self.terminal.width):
            yield self.terminal.paint(line, style) if style else line


class PlainLines(Shown):
    """A line a second, and one for each change."""

    _last = 0.0

    def show(self, name: str) -> None:
        if name in ("changed", "happened"):
            self.terminal.line(self.changes[-1])
        elif name == "problem" and self.problem:
            self.terminal.line(self.problem)
        elif name == "counts" and self.counts["total"]:
            now = datetime.now().astimezone()
            if now.timestamp() - self._last >= LINE_SECONDS:
                self._last = now.timestamp()
                self.terminal.line(f"{now:%H:%M:%S} {_in_one_line(self.counts)}")


class JsonLines(Shown):
    """A document a line."""

    def take(self, name: str, told: Any) -> None:  # noqa: ANN401 - as above
        super().take(name, told)
        if name == "scene":
            self._line({"event": "rules", **told})
        elif name == "counts":
            self._line({"event": "counts", **_counts_document(told)})
        elif name == "problem":
            self._line({"event": "problem", "text": told["text"]})
        elif name in ("changed", "happened"):
            after, now = told["liveAfter"], told.get("now", "")
            self._line({"event": "changed", "what": told["what"], "now": now, "liveAfter": after})

    def _line(self, document: dict[str, Any]) -> None:
        at = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        self.terminal.line(json.dumps({"schema": DOCUMENT_SCHEMA, "at": at, **document}))


def _counts_document(counts: dict[str, Any]) -> dict[str, Any]:
    total = counts["total"]
    outcomes = [
        {
            "name": name,
            "count": lane["count"],
            "share": lane["count"] / total if total else None,
            "promised": lane.get("promised"),
            "interval": [lane["low"], lane["high"]] if "low" in lane else None,
            "verdict": lane.get("verdict"),
        }
        for name, lane in counts["lanes"].items()
    ]
    plain = {name: counts[name] for name in ("received", "total", "rate", "verdict")}
    return {**plain, "others": dict(counts["others"]), "outcomes": outcomes}


def _request(scene: dict[str, Any]) -> str:
    asked = scene["request"]
    headers = [f"{name}: {value}" for name, value in asked["headers"]]
    return ", ".join([f"{asked['method']} {asked['url']}", *headers])


def _change(told: dict[str, Any]) -> str:
    now = f" ({told['now']})" if told.get("now") else ""
    live = told["liveAfter"]
    after = "" if live is None else f"; live after {1000 * live:.0f} ms"
    return f"{', '.join(told['what'])}{now}{after}"


def _rows(terminal: Terminal, counts: dict[str, Any]) -> Iterator[str]:
    """Give a line for each outcome, with a bar where there is room for one."""
    total = counts["total"]
    called = [NAMES.get(name, name) for name in counts["lanes"]]
    names = max(map(len, called))
    digits = len(f"{total:,}")
    shown, fits, words = [], [], []
    for lane in counts["lanes"].values():
        share = 100 * lane["count"] / total if total else 0.0
        shown.append(f"{lane['count']:>{digits},}  {share:5.1f} %")
        fits.append(_fit(lane) if total else "")
        words.append(WORDS.get(lane.get("verdict"), lane.get("verdict")))
    fitting = max(map(len, fits))
    taken = 2 + names + len(shown[0]) + fitting + max(map(len, words)) + 2 * 4
    room = min((terminal.width or 80) - taken, BAR)
    lanes = counts["lanes"].values()
    for name, lane, figures, fit, word in zip(called, lanes, shown, fits, words, strict=True):
        share = lane["count"] / total if total else 0.0
        bar = [terminal.bar(share, room)] if room >= LEAST else []
        said = terminal.paint(word, STYLES[word]) if word in STYLES else word
        cells = [name.ljust(names), *bar, figures, fit.ljust(fitting), said]
        yield f"  {'  '.join(cells)}".rstrip()


def _fit(lane: dict[str, Any]) -> str:
    if "promised" not in lane:
        return ""
    low, promised, high = (100 * lane[name] for name in ("low", "promised", "high"))
    is_within = low <= promised <= high
    tried = range(1, MOST_PLACES)
    fine = (n for n in tried if is_within or not round(low, n) <= promised <= round(high, n))
    places = next(fine, MOST_PLACES)
    return f"of {promised:g} %, {low:.{places}f} to {high:.{places}f} fit"


def _in_one_line(counts: dict[str, Any]) -> str:
    total = counts["total"]
    shares = [
        f"{NAMES.get(name, name)} {100 * lane['count'] / total:.1f} % ({lane['count']:,})"
        for name, lane in counts["lanes"].items()
    ]
    verdict = counts["verdict"]
    return "  ".join(filter(None, [*shares, WORDS.get(verdict, verdict)]))
