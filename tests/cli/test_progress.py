"""What a person sees while a command runs, on a terminal and without one."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from meshdemo.report.progress import Progress
from meshdemo.report.terminal import Terminal
from meshdemo.walkthrough.events import Finished, Started

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


@pytest.mark.parametrize("kind", KINDS)
def test_a_sentence_is_a_line_where_nothing_turns(kind: str) -> None:
    watcher, screen = progress(kind)
    watcher.notify("stopping the processes")
    assert screen.getvalue() == "  stopping the processes\n"
