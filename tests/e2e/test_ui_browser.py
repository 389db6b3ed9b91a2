"""The live page on a real mesh in a real browser: a slider moves real traffic, an export opens."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING

from tests.browser import needs_browser, tab_of_browser

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Mesh

pytestmark = needs_browser
APPLIED = "/live after|毫秒后生效/.test($('moved').textContent)"


def test_a_slider_moves_real_traffic_and_an_export_opens_from_a_file(
    running: Mesh, tmp_path: Path
) -> None:
    with running.start("ui", "-o", "json") as process, tab_of_browser(tmp_path) as tab:
        try:
            assert process.stdout is not None
            url = json.loads(process.stdout.readline())["url"]
            tab.size(1280, 720)
            tab.open(url)
            tab.until("view.counts && view.counts.total >= 10 && !$('levers').hidden")
            assert tab.script("view.counts.lanes.v2.count === view.counts.total")
            # As by hand: the slider has the focus, and the key takes it to its end.
            tab.script("$('weight-1').focus()")
            tab.press("Home")
            tab.until("!$('apply').disabled")
            shown = tab.script("$('diff').textContent")
            assert "-        subset: v2" in shown
            assert "+        subset: v1" in shown
            assert "kubectl apply -f -" in tab.script("$('command').textContent")
            running.run("verify", "--expect", "v2=100%", "--requests", "20")
            tab.script("$('apply').click()")
            tab.until(APPLIED)
            running.run("verify", "--expect", "v1=100%", "--requests", "20")
            tab.until("view.marks.length && view.counts.total >= 10 && !view.counts.lanes.v2.count")
            assert "live after" in tab.script("inWords(view.marks[0].told)")
            assert tab.script("view.marks[0].told.byPage")
            with urllib.request.urlopen(tab.script("$('export').href")) as answer:  # noqa: S310 - ours
                exported = answer.read()
            assert len(exported) < 150_000
            file = tmp_path / "export.html"
            file.write_bytes(exported)
            tab.open(file.as_uri())
            assert tab.requested == [file.as_uri()], "it needs nothing else"
            at_end = tab.script("[view.counts.total, view.counts.lanes.v1.count]")
            assert at_end[0] == at_end[1] >= 10
            tab.script("seek(0)")
            assert tab.script("view.scene.rules[0].to") == "v2"
            tab.script("$('speed').value = '16'; $('play').click()")
            tab.until("!playing && view.counts.lanes.v1.count >= 10")
            assert tab.script("view.marks[0].told.byPage")
            assert not tab.complaints
        finally:
            process.terminate()
            process.wait()
