"""The live page in a real browser, where there is a Chromium: what it shows is what was counted."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.request
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

import pytest
import websocket
from tests.cli.test_ui import HOSTILE, served

from meshdemo.verdict.traffic import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Cli

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), "")
SECONDS = 60
SEEN = "[...seconds.values()].flatMap(each => [...each.values()]).reduce((a, b) => a + b, 0)"

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="NO BROWSER: the page's script is not tested")


class Tab:
    """One tab of a browser, by Chrome's DevTools protocol."""

    def __init__(self, place: str) -> None:
        asked = urllib.request.Request(f"http://{place}/json/new?about:blank", method="PUT")
        with urllib.request.urlopen(asked) as answer:  # noqa: S310 - the browser that we started
            address = json.load(answer)["webSocketDebuggerUrl"]
        self.socket = websocket.create_connection(address, timeout=SECONDS)
        self.number = 0
        self.complaints: list[Any] = []
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> Any:
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        self.socket.send(json.dumps(message))
        while (said := json.loads(self.socket.recv())).get("id") != self.number:
            if said.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.complaints.append(said)
        return said["result"]

    def script(self, text: str) -> Any:
        found = self.call("Runtime.evaluate", expression=text, returnByValue=True)
        return found["result"].get("value")

    def until(self, text: str) -> None:
        deadline = time.monotonic() + SECONDS
        while not self.script(text):
            assert time.monotonic() < deadline, (text, self.complaints)
            time.sleep(0.05)


@pytest.fixture
def tab(tmp_path: Path) -> Iterator[Tab]:
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]
    own = [f"--user-data-dir={tmp_path / 'browser'}", "--remote-allow-origins=*"]
    with subprocess.Popen(
        [CHROMIUM, *options, *own, "about:blank"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "HOME": str(tmp_path)},
    ) as browser:
        try:
            assert browser.stderr is not None
            said = next(line for line in browser.stderr if "DevTools listening on" in line)
            found = Tab(said.partition("ws://")[2].partition("/")[0])
            yield found
            found.socket.close()
        finally:
            browser.kill()


def test_the_page_shows_each_answer_that_was_counted(meshed: Cli, tab: Tab) -> None:
    mixed = cycle([Reply(200, "v2"), Reply(200, "v1"), Reply(503, "x")])
    meshed.engine.replies = lambda count: islice(mixed, count)
    with served(meshed) as opened:
        tab.call("Page.navigate", url=opened.url)
        tab.until("typeof counts !== 'undefined' && counts && counts.total >= 60")
        tab.script("$('toggle').click()")
        tab.until("$('toggle').textContent === 'Start traffic'")
        tab.until(f"counts.total === counts.received && {SEEN} === counts.received")
        shown = tab.script("[...lanes].map(([name, parts]) => [name, parts.count.textContent])")
        total = tab.script("counts.total")
        assert {name for name, _ in shown} == {"v1", "v2", "errors and unknown answers"}
        assert sum(int(text.split()[0]) for _, text in shown) == total
        tab.script("$('explain').click()")
        tab.until("$('explanation').textContent.includes('by the rules')")
    assert not tab.complaints


def test_what_an_app_answers_does_not_run(meshed: Cli, tab: Tab) -> None:
    meshed.engine.replies = lambda count: islice(cycle([Reply(200, HOSTILE)]), count)
    with served(meshed) as opened:
        tab.call("Page.navigate", url=opened.url)
        tab.until("typeof counts !== 'undefined' && counts && counts.total >= 20")
        tab.until("document.body.textContent.includes('<script>alert(1)')")
        assert tab.script("document.scripts.length") == 1
    assert not tab.complaints
