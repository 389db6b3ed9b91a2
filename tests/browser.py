"""A real browser for tests of the live page: Chromium, steered by Chrome's DevTools protocol."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.request
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import websocket

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), "")
SECONDS = 60

needs_browser = pytest.mark.skipif(
    not CHROMIUM,
    reason="NO BROWSER: what the page's script does is NOT tested. Install chromium",
)


class Tab:
    """One tab of a browser."""

    def __init__(self, place: str) -> None:
        asked = urllib.request.Request(f"http://{place}/json/new?about:blank", method="PUT")
        with urllib.request.urlopen(asked) as answer:  # noqa: S310 - the browser that we started
            address = json.load(answer)["webSocketDebuggerUrl"]
        self.socket = websocket.create_connection(address, timeout=SECONDS)
        self.number = 0
        self.complaints: list[Any] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.requested: list[str] = []

    def call(self, method: str, **parameters: Any) -> Any:
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        self.socket.send(json.dumps(message))
        while (said := json.loads(self.socket.recv())).get("id") != self.number:
            if said.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.complaints.append(said)
            if said.get("method") == "Network.requestWillBeSent":
                self.requested.append(said["params"]["request"]["url"])
        assert "error" not in said, said
        return said["result"]

    def open(self, url: str) -> None:
        self.requested = []
        self.call("Page.navigate", url=url)
        self.until(f"location.href === {json.dumps(url)} && document.readyState === 'complete'")

    def script(self, text: str) -> Any:
        """Evaluate a script. News from the server may draw the page anew between two of them, so
        what belongs together is one script."""
        found = self.call(
            "Runtime.evaluate", expression=text, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def until(self, text: str) -> None:
        deadline = time.monotonic() + SECONDS
        while not self.script(text):
            assert time.monotonic() < deadline, (text, self.complaints)
            time.sleep(0.05)

    def size(self, width: int, height: int) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    def press(self, key: str, text: str | None = None) -> None:
        """Press a key as a user does: the browser sees to what it means."""
        codes = {"Tab": 9, "ArrowLeft": 37, "ArrowRight": 39, "Enter": 13, " ": 32, "Home": 36}
        more: dict[str, Any] = (
            {"windowsVirtualKeyCode": codes[key]} if key in codes else {"text": text or key}
        )
        if key == "Enter":
            more["text"] = "\r"
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **more)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, **more)


@contextmanager
def tab_of_browser(folder: Path) -> Iterator[Tab]:
    """Start a browser that keeps all of it in a folder, and give a tab of it."""
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-lcd-text"]
    own = [
        "--remote-debugging-port=0",
        f"--user-data-dir={folder / 'browser'}",
        "--remote-allow-origins=*",
    ]
    with subprocess.Popen(
        [CHROMIUM, *options, *own, "about:blank"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "HOME": str(folder)},
    ) as browser:
        try:
            assert browser.stderr is not None
            said = next(line for line in browser.stderr if "DevTools listening on" in line)
            found = Tab(said.partition("ws://")[2].partition("/")[0])
            with closing(found.socket):
                yield found
        finally:
            browser.kill()
