"""Measure the live page at 10,000 answers a minute: its server, and its script in a real browser.

    make bench-page ARGS="--minutes 10"

Prints a Markdown table; exit status 1 if a bar is missed. Needs Chromium.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from tests.browser import CHROMIUM, tab_of_browser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.browser import Tab

PROGRAM = str(Path(sys.executable).with_name("meshdemo"))
ANSWERS_A_MINUTE = 10_000
RATE = -(-ANSWERS_A_MINUTE // 60)
WARM_SECONDS = 20
MB = 1024 * 1024
STEADY = 1.1, 0.5
"""No growth is less than so many times as much memory as after a third of the time, or so many MB
more: a page's objects are about one MB, of which the compiler's own come and go."""


@dataclass(frozen=True)
class Moment:
    """What had been used so far."""

    at: float
    cpu: float
    """Seconds of the server's process: it sends, counts, judges and serves."""
    script: float
    layout: float
    """Seconds of the page's script, and of its style and layout."""
    answers: int
    memory: float
    heap: float
    """MB of the server, and of the page's objects once what is garbage has gone."""


@contextmanager
def served(folder: Path) -> Iterator[tuple[psutil.Process, str]]:
    """Have a mesh with a canary, and its page's server."""
    state = ["--state-dir", str(folder / "state")]
    for argv in (["up", "--no-verify"], ["route", "v1=90", "v2=10"]):
        subprocess.run([PROGRAM, *argv, *state], check=True, capture_output=True)
    try:
        with subprocess.Popen(
            [PROGRAM, "ui", "-o", "json", *state], stdout=subprocess.PIPE, text=True
        ) as server:
            try:
                assert server.stdout is not None
                url: str = json.loads(server.stdout.readline())["url"]
                yield psutil.Process(server.pid), url
            finally:
                server.terminate()
    finally:
        subprocess.run([PROGRAM, "down", *state], check=True, capture_output=True)


def moment(server: psutil.Process, tab: Tab) -> Moment:
    tab.call("HeapProfiler.collectGarbage")
    metrics = {m["name"]: m["value"] for m in tab.call("Performance.getMetrics")["metrics"]}
    used: Any = server.cpu_times()
    return Moment(
        at=time.monotonic(),
        cpu=used.user + used.system,
        script=metrics["ScriptDuration"],
        layout=metrics["LayoutDuration"] + metrics["RecalcStyleDuration"],
        answers=tab.script("view.counts.received"),
        memory=server.memory_full_info().uss / MB,
        heap=metrics["JSHeapUsedSize"] / MB,
    )


def measured(minutes: float) -> list[Moment]:
    """Give moments through so many minutes, the first one when all is warm."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with served(folder) as (server, url), tab_of_browser(folder) as tab:
            tab.call("Network.disable")  # the browser would keep what comes, to show it
            tab.size(1280, 720)
            tab.open(url)
            tab.until("traffic && view.counts")
            tab.script(f"steer({{ rate: {RATE} }})")
            tab.call("Performance.enable")
            time.sleep(WARM_SECONDS)
            found = [moment(server, tab)]
            for _ in range(max(2, round(minutes))):
                time.sleep(60 * minutes / max(2, round(minutes)))
                found.append(moment(server, tab))
            assert not tab.complaints, tab.complaints
            return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    minutes = parser.parse_args().minutes
    if not CHROMIUM:
        raise SystemExit("bench-page: there is no Chromium: install it")
    moments = measured(minutes)
    first, last = moments[0], moments[-1]
    seconds = last.at - first.at
    answers = 60 * (last.answers - first.answers) / seconds
    early = moments[max(1, len(moments) // 3)]
    rows = [
        ("answers a minute", f"{answers:,.0f}", f">= {0.95 * ANSWERS_A_MINUTE:,.0f}",
         answers >= 0.95 * ANSWERS_A_MINUTE),
        ("server", *share(last.cpu - first.cpu, seconds)),
        (f"page's script ({percent(last.script - first.script, seconds)}), style and layout",
         *share(last.script + last.layout - first.script - first.layout, seconds)),
        ("server's memory, after a third and at the end", *steady(early.memory, last.memory)),
        ("page's objects, after a third and at the end", *steady(early.heap, last.heap)),
    ]  # fmt: skip
    print(f"Over {seconds / 60:.1f} minutes:\n")
    print("| what | measured | bar | |")
    print("|---|---|---|---|")
    for what, value, bar, passed in rows:
        print(f"| {what} | {value} | {bar} | {'pass' if passed else '**missed**'} |")
    return 0 if all(passed for *_, passed in rows) else 1


def percent(used: float, seconds: float) -> str:
    return f"{100 * used / seconds:.1f} %"


def share(used: float, seconds: float) -> tuple[str, str, bool]:
    return f"{percent(used, seconds)} of one core", "<= 15 %", used / seconds <= 0.15


def steady(before: float, after: float) -> tuple[str, str, bool]:
    text = f"{before:.1f} MB, {after:.1f} MB"
    times, more = STEADY
    return text, f"<= {times:g} x, or + {more:g} MB", after <= max(before * times, before + more)


if __name__ == "__main__":
    sys.exit(main())
