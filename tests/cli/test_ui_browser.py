"""The live page in a real browser, where there is a Chromium: what it shows is what was counted."""

from __future__ import annotations

from itertools import cycle, islice
from typing import TYPE_CHECKING

import pytest
from tests.browser import needs_browser, tab_of_browser
from tests.cli.test_ui import HOSTILE, served

from meshdemo.verdict.expectation import ERROR
from meshdemo.verdict.traffic import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.browser import Tab
    from tests.cli.conftest import Cli

SEEN = "[...view.columns.values()].flatMap(each => [...each.values()]).reduce((a, b) => a + b, 0)"

pytestmark = needs_browser


@pytest.fixture
def tab(tmp_path: Path) -> Iterator[Tab]:
    with tab_of_browser(tmp_path) as found:
        yield found


def test_the_page_shows_each_answer_that_was_counted(meshed: Cli, tab: Tab) -> None:
    mixed = cycle([Reply(200, "v2"), Reply(200, "v1"), Reply(503, "x")])
    meshed.engine.replies = lambda count: islice(mixed, count)
    with served(meshed) as opened:
        tab.open(opened.url)
        tab.until("typeof view !== 'undefined' && view.counts && view.counts.total >= 60")
        tab.script("$('toggle').click()")
        tab.until("$('toggle').textContent === 'Start traffic'")
        tab.until(f"view.counts.total === view.counts.received && {SEEN} === view.counts.received")
        shown = tab.script("[...lanes].map(([name, parts]) => [name, parts.count.textContent])")
        total = tab.script("view.counts.total")
        assert {name for name, _ in shown} == {"v1", "v2", "errors and unknown answers"}
        assert sum(int(text.split()[0]) for _, text in shown) == total
        tab.script("$('explain').click()")
        tab.until("$('explanation').textContent.includes('by the rules')")
    assert not tab.complaints


def test_what_an_app_answers_does_not_run(meshed: Cli, tab: Tab, tmp_path: Path) -> None:
    meshed.engine.replies = lambda count: islice(cycle([Reply(200, HOSTILE)]), count)
    with served(meshed) as opened:
        tab.open(opened.url)
        tab.until("typeof view !== 'undefined' && view.counts && view.counts.total >= 20")
        tab.until("document.body.textContent.includes('<script>alert(1)')")
        assert tab.script("document.scripts.length") == 1
        file = tmp_path / "export.html"
        file.write_bytes(opened.get("/export").body)
    tab.open(file.as_uri())
    tab.until("document.body.textContent.includes('<script>alert(1)')")
    assert tab.script("document.scripts.length") == 2, "its own, and the recording, which is data"
    assert not tab.complaints


def test_a_verdict_is_a_page_that_opens_from_a_file(meshed: Cli, tab: Tab, tmp_path: Path) -> None:
    mixed = cycle([Reply(200, "v2"), Reply(200, "v1"), Reply(200, HOSTILE)])
    meshed.engine.replies = lambda count: islice(mixed, count)
    file = tmp_path / "verdict.html"
    ended = meshed("verify", "--requests", "90", "--html", str(file), "-o", "json")
    assert ended.code == 1
    tab.open(file.as_uri())
    assert tab.requested == [file.as_uri()]
    counted = tab.script("Object.fromEntries([...lanes].map(([n, l]) => [n, l.count.textContent]))")
    assert counted == dict.fromkeys(("v1", "v2", ERROR), "30 of 90")
    assert tab.script(SEEN) == 90
    assert tab.script("$('evidence').textContent").startswith("not met: ")
    tab.script("$('language').click()")
    assert tab.script("$('evidence').textContent").startswith("不符合: ")
    assert not tab.complaints
