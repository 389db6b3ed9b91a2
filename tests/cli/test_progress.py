"""What a person sees while a command runs, on a terminal and without one."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import pytest

from meshdemo.engines.results import Applied
from meshdemo.errors import Problem
from meshdemo.report.bars import live_bars
from meshdemo.report.heartbeat import Heartbeat
from meshdemo.report.progress import Progress
from meshdemo.report.terminal import Terminal
from meshdemo.system import waiting
from meshdemo.verdict import expectation, judging
from meshdemo.verdict.tally import Tally
from meshdemo.verdict.traffic import Reply
from meshdemo.walkthrough.events import Accepted, Counted, Finished, Measuring, Started, Waiting

if TYPE_CHECKING:
    from meshdemo.walkthrough.events import Story

KINDS = {
    "a pipe": (False, {}),
    "colour": (True, {"TERM": "xterm"}),
    "no colour": (True, {"TERM": "xterm", "NO_COLOR": "1"}),
    "dumb": (True, {"TERM": "dumb"}),
}


class Screen(io.StringIO):
    """A stream that says of itself whether it is a terminal."""

    def __init__(self, *, tty: bool) -> None:
        super().__init__()
        self.tty = tty

    def isatty(self) -> bool:
        return self.tty


def progress(kind: str, *, quiet: bool = False) -> tuple[Progress, Screen]:
    tty, environment = KINDS[kind]
    screen = Screen(tty=tty)
    made = Progress(Terminal(io.StringIO()), Terminal(screen, environment))
    made.configure(quiet=quiet, verbose=False, json=False)
    return made, screen


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("quiet", [False, True], ids=["", "quiet"])
def test_what_is_always_shown_is_a_line_of_its_own_everywhere(kind: str, *, quiet: bool) -> None:
    watcher, screen = progress(kind, quiet=quiet)

    def story() -> Story[None]:
        watcher.notify("before [a] step", always=True)
        yield Started("deploy", "Deploy [it].")
        watcher.notify("pod [web] runs: python server.py", always=True)
        watcher.notify("waiting for [it]")
        yield Finished("deploy", "done", 0.1)

    watcher.follow(story())
    lines = screen.getvalue().splitlines()
    assert "  before [a] step" in lines
    assert any(line.endswith("  pod [web] runs: python server.py") for line in lines)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("quiet", [False, True], ids=["", "quiet"])
def test_what_lasts_stays_unless_it_shall_be_quiet(kind: str, *, quiet: bool) -> None:
    watcher, screen = progress(kind, quiet=quiet)

    def story() -> Story[None]:
        yield Started("install", "Install Istio.")
        watcher.notify("Istiod [encountered] an error", lasting=True)
        watcher.notify("next")
        yield Finished("install", "done", 0.1)

    watcher.follow(story())
    assert ("  Istiod [encountered] an error" in screen.getvalue()) is not quiet
    assert bool(screen.getvalue()) is not quiet


@pytest.mark.parametrize("quiet", [False, True], ids=["", "quiet"])
@pytest.mark.parametrize("kind", KINDS)
def test_who_waits_for_answers_sees_how_many_came(kind: str, *, quiet: bool) -> None:
    watcher, screen = progress(kind, quiet=quiet)
    watcher.patience = 0.01
    counts = Tally.of(["v1"])

    def story() -> Story[None]:
        yield Waiting("until the rules are live")
        yield Measuring(counts, 1_000)
        counts.add(Reply(200, "v1"))
        if not quiet:
            waiting.until(lambda: "1 of 1,000 answers" in screen.getvalue(), "it", timeout=60)
        yield Counted("after it", counts, 0.1)

    watcher.follow(story())
    assert ("1 of 1,000 answers" in screen.getvalue()) is not quiet
    assert watcher.measuring is None
    said = screen.getvalue()
    if kind != "colour" and not quiet:
        assert re.fullmatch(r"(  [01] of 1,000 answers after \d+ s\n)+", said)


@pytest.mark.parametrize("columns", [80, 50, 40])
def test_live_bars_say_which_real_shares_fit_in_the_columns_that_there_are(columns: int) -> None:
    terminal = Terminal(Screen(tty=True), {"COLUMNS": str(columns), "NO_COLOR": "1"})
    counts = Tally({"v1": 640, "v2": 600}, {"HTTP 503": 2})
    rule = judging.rule_for(expectation.parse("v1=50%,v2=50%"))
    title, *rows = live_bars(terminal, Measuring(counts, None, rule)).splitlines()
    assert title == "1,242 answers, and the real shares that fit"
    assert all(len(row) <= columns - 2 for row in rows), "beside them something turns"
    cells = [re.split(r"  +", row.strip()) for row in rows]
    fits = {80: ["(46 to 57 %)"], 50: ["(46 to 57 %)"], 40: []}[columns]
    bar = cells[0][1:2] if columns == 80 else []
    assert cells[0] == ["v1", *bar, "640", "51.5 %", *fits]
    assert set("".join(bar)) <= set("#.")
    assert cells[2][-2:] == ["2", "0.2 %"]


def test_a_heartbeat_comes_more_and_more_seldom_and_ends() -> None:
    said: list[float] = []
    heartbeat = Heartbeat(said.append, 0.01)
    waiting.until(lambda: len(said) >= 4, "four words", timeout=60)
    heartbeat.stop()
    assert said[:4] == [0.01, 0.02, 0.04, 0.08]
    heartbeat.join()
    count = len(said)
    waiting.until(lambda: not heartbeat.is_alive(), "its end", timeout=60)
    assert len(said) == count


@pytest.mark.parametrize("kind", KINDS)
def test_a_sentence_is_a_line_where_nothing_turns(kind: str) -> None:
    watcher, screen = progress(kind)
    watcher.notify("stopping the processes")
    assert screen.getvalue() == "  stopping the processes\n"


@pytest.mark.parametrize("verbose", [False, True], ids=["", "verbose"])
def test_of_many_warnings_with_one_code_the_first_are_shown(*, verbose: bool) -> None:
    watcher, screen = progress("a pipe")
    watcher.configure(quiet=True, verbose=verbose, json=False)
    many = [Problem(f"subset {n} selects no pod", code="IST0173") for n in range(300)]
    other = [Problem("it is odd", code="IST0112"), *(Problem(f"own {n}") for n in range(9))]

    def story() -> Story[None]:
        yield Accepted(Applied((), (*many, *other)))
        yield Accepted(Applied((), tuple(many)))  # the same ones again are none

    watcher.follow(story())
    lines = screen.getvalue().splitlines()
    assert len(lines) == (310 if verbose else 5 + 10 + 1)
    assert any("295 more of IST0173: -v shows them" in line for line in lines) is not verbose
    assert len(watcher.data["warnings"]) == 310
