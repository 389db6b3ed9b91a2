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
        counted = "[...lanes].map(([name, parts]) => [name, parts.count.textContent])"
        shown, total = tab.script(f"[{counted}, view.counts.total]")
        assert {name for name, _ in shown} == {"v1", "v2", "errors and unknown answers"}
        assert sum(int(text.split()[0]) for _, text in shown) == total
        tab.script("$('explain').click()")
        tab.until("$('explanation').textContent.includes('by the rules')")
    assert not tab.complaints


def test_a_promised_share_is_not_shown_within_an_interval_that_it_is_not_in(
    meshed: Cli, tab: Tab
) -> None:
    lane = "({ count: 1, promised: 0.8, low: %s, high: 0.91 })"
    with served(meshed) as opened:
        tab.open(opened.url)
        tab.until("typeof view !== 'undefined' && view.counts && view.counts.total >= 20")
        for low, shown in (("0.8004", "80.04 %"), ("0.7996", "80.0 %")):
            draw = f"drawLane(view.counts, 'v1', lanes.get('v1'), {lane % low})"
            assert shown in tab.script(f"{draw}; lanes.get('v1').text.textContent")
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
        tab.open(file.as_uri())  # while the server is there, which the page would ask again
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
    assert tab.script("$('causes').textContent").startswith("cause: ")
    tab.script("$('language').click()")
    assert tab.script("$('evidence').textContent").startswith("不符合：")
    assert tab.script("$('causes').textContent").startswith("原因：")
    assert not tab.complaints


ENGLISH = """[...document.querySelectorAll("body *")]
  .filter(node => !node.closest("script, style, #language"))
  .flatMap(node => [...node.childNodes].filter(each => each.nodeType === 3))
  .map(each => each.textContent).filter(text => /[a-z]+ [a-z]+ [a-z]+/i.test(text))"""
"""Texts with three English words in a row, which no name and no rule of this test has."""


def test_all_that_is_said_follows_the_language_live_and_from_a_file(
    meshed: Cli, tab: Tab, tmp_path: Path
) -> None:
    (rule,) = [item for item in meshed.engine.applied.values() if item.kind == "VirtualService"]
    match = [{"uri": {"exact": "/nowhere"}}]
    http = [{**rule.spec["http"][0], "match": match}]
    late = cycle([Reply(200, "v2"), Reply(error="timed out")])
    meshed.engine.replies = lambda count: islice(late, count)
    with served(meshed) as opened:
        tab.open(opened.url)
        tab.until("typeof view !== 'undefined' && view.counts && view.counts.total >= 20")
        data = {**rule.data, "spec": {**rule.spec, "http": http}}
        meshed.engine.applied[rule.key] = rule.with_data(data)
        tab.until("$('no-promise').textContent && $('line-said').children.length")
        # They are counted anew, which only a count that is smaller than what came shows.
        tab.until("view.counts.total >= 20 && view.counts.total < view.counts.received")
        tab.script("$('url').value = 'ftp://app'; $('use').click()")
        tab.until("$('explanation').textContent.includes('cannot be sent')")
        assert tab.script(ENGLISH) != []
        tab.script("$('language').click()")
        assert tab.script(ENGLISH) == []
        why = "VirtualService default/app-default-v2 中没有规则匹配它，所以它会得到 404"
        assert tab.script("$('no-promise').textContent") == f"规则没有给出承诺：{why}"
        assert tab.script("$('levers-said').textContent").endswith("：没有规则匹配该请求")
        assert "没有响应：超时（" in tab.script("$('lanes').textContent")
        assert "秒前：修改了 VirtualService" in tab.script("$('line-said').textContent")
        assert "该请求无法发送；url: 无法请求 'ftp://app'：" in tab.script(
            "$('explanation').textContent"
        )
        file = tmp_path / "export.html"
        file.write_bytes(opened.get("/export").body)
        tab.open(file.as_uri())  # while the server is there, which the page would ask again
    assert tab.script(ENGLISH) != []
    tab.script("$('language').click()")
    assert tab.script(ENGLISH) == []
    assert tab.script("$('no-promise').textContent") == f"规则没有给出承诺：{why}"
    assert tab.script("$('recorded-at').textContent").startswith("记录于 ")
    (refused,) = tab.complaints  # what Chromium says of the request that could not be sent
    assert "status of 400" in refused["params"]["entry"]["text"]


WIDE, PHONE = (1280, 720), (390, 844)
UNREADABLE = """(() => {
  const light = text => text.match(/[\\d.]+/g).map(Number).slice(0, 3).map(part => part / 255)
    .map(part => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = node => { for (; node; node = node.parentElement) {
    const found = getComputedStyle(node).backgroundColor;
    if (!/, 0\\)$/.test(found)) return found; } return "rgb(255, 255, 255)"; };
  return [...document.querySelectorAll("body *")].filter(node => node.checkVisibility()
    && !node.closest(".sr, :disabled, select")
    && [...node.childNodes].some(each => each.nodeType === 3 && each.textContent.trim()))
    .map(node => { const [a, b] = [light(getComputedStyle(node).color), light(behind(node))];
      return [node.textContent.trim(), (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)]; })
    .filter(([, ratio]) => ratio < 4.5); })()"""
"""Texts whose contrast is too low, by WCAG 2.1, 1.4.3."""
FOCUSABLE = """[...document.querySelectorAll("a, button, input, select, summary, [tabindex]")]
  .filter(node => node.checkVisibility() && !node.disabled).length"""
SILENT = "[...document.querySelectorAll('[data-word]')].filter(e => !e.textContent).length"
FOCUSED = """document.activeElement === document.body ? ""
  : String([...document.querySelectorAll("*")].indexOf(document.activeElement))"""
ROLES = ("button", "slider", "textbox", "combobox", "checkbox", "spinbutton", "link")


def test_everybody_can_use_it(meshed: Cli, tab: Tab) -> None:
    tab.call("Accessibility.enable")
    with served(meshed) as opened:
        tab.open(opened.url)
        tab.until("view.counts && view.counts.total >= 20 && !$('levers').hidden")
        tab.script("$('weight-0').focus()")
        tab.press("ArrowRight")
        tab.until("!$('apply').disabled")
        for width, height in (WIDE, PHONE):
            tab.size(width, height)
            for _ in range(2):  # English, then Chinese
                tab.press("l")
                assert tab.script("document.documentElement.scrollWidth <= innerWidth"), width
                assert tab.script(SILENT) == 0
                if width == WIDE[0]:
                    place = "$('line').getBoundingClientRect().bottom"
                    assert tab.script(place) <= height, "what moves is seen without scrolling"
        before = tab.script("getComputedStyle(document.body).backgroundColor")
        assert tab.script(UNREADABLE) == []
        tab.press("d")
        assert tab.script("getComputedStyle(document.body).backgroundColor") != before
        assert tab.script(UNREADABLE) == []
        tree = tab.call("Accessibility.getFullAXTree")["nodes"]
        named = [
            (node["role"]["value"], node.get("name", {}).get("value", ""))
            for node in tree
            if not node["ignored"] and node["role"]["value"] in ROLES
        ]
        assert {role for role, _ in named} == set(ROLES)
        assert [each for each in named if not each[1]] == []
        everything, visited = tab.script(FOCUSABLE), set()
        for _ in range(2 * everything):
            tab.press("Tab")
            visited.add(tab.script(FOCUSED))
        assert len(visited - {""}) >= everything
        tab.script("document.activeElement.blur()")
        tab.press("t")
        tab.until("traffic && !traffic.on")
        tab.press("r")
        tab.until("recording && !$('player').hidden")
        tab.press("p")
        tab.until("playing")
        tab.press("r")
        tab.until("view === liveView")
        tab.press("e")
        assert tab.script("document.activeElement.id") == "url"
    assert not tab.complaints
