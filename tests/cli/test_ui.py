"""``meshdemo ui``: its server over real sockets, on an engine that pretends."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import resource
import socket
import threading
import time
from collections import Counter
from contextlib import ExitStack, contextmanager, suppress
from itertools import cycle, islice, repeat
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from msgspec import structs
from tests.live_page import Page, received, told, total, until

from meshdemo.errors import EnvironmentFailed, TimedOut
from meshdemo.settings import Settings
from meshdemo.ui import door
from meshdemo.ui.application import LONGEST_BODY, POSTS_A_SECOND
from meshdemo.ui.connections import LONGEST_HEAD, MOST_CONNECTIONS
from meshdemo.ui.page import page
from meshdemo.ui.pages import MOST_PAGES, STATES, WAITING, Pages
from meshdemo.ui.scene import Scene
from meshdemo.ui.serving import Serving
from meshdemo.verdict.expectation import ERROR
from meshdemo.verdict.traffic import Reply, Request
from meshdemo.walkthrough.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Cli

HOSTILE = "<script>alert(1)</script>\r\n\r\nevent: problem\ndata: {}\n\n</script>"
GET = {"method": "GET", "url": "http://app/env/version", "headers": []}


@contextmanager
def served(cli: Cli, *, read_only: bool = False, **how: Any) -> Iterator[Page]:
    scene = Scene.of(cli.engine, Request(url=""))
    plan = Plan(Settings(timeout=30))
    serving = Serving(cli.engine, scene, read_only=read_only, plan=plan)
    thread = threading.Thread(target=serving.run, kwargs=how)
    thread.start()
    try:
        yield Page(serving.url)
    finally:
        serving.end()
        thread.join()


@pytest.fixture
def opened(meshed: Cli) -> Iterator[Page]:
    with served(meshed) as there:
        yield there


# --- who is let in -------------------------------------------------------------------------------


COMERS: list[tuple[str, str, dict[str, str], int]] = [
    ("GET", "/?token=TOKEN", {}, 200),
    ("GET", "/?token=TOKEN", {"host": "localhost:PORT"}, 200),
    ("GET", "/?token=TOKEN", {"sec_fetch_site": "none"}, 200),
    ("GET", "/", {}, 403),
    ("GET", "/?token=wrong", {}, 403),
    ("GET", "/?token=", {}, 403),
    ("GET", "/events", {}, 403),
    ("GET", "/nothing", {}, 403),
    ("GET", "/nothing?token=TOKEN", {}, 404),
    ("GET", "/?token=TOKEN", {"host": "rebound.example:PORT"}, 403),
    ("GET", "/?token=TOKEN", {"host": "127.0.0.1"}, 403),
    ("GET", "/events?token=TOKEN", {"host": "rebound.example:PORT"}, 403),
    ("GET", "/events?token=TOKEN", {"origin": "http://rebound.example:PORT"}, 403),
    ("GET", "/events?token=TOKEN", {"origin": "null"}, 403),
    ("GET", "/?token=TOKEN", {"sec_fetch_site": "cross-site"}, 403),
    ("GET", "/traffic?token=TOKEN", {}, 405),
    ("GET", "/request?token=TOKEN", {}, 405),
    ("GET", "/explain?token=TOKEN", {}, 405),
    ("DELETE", "/?token=TOKEN", {}, 405),
    ("POST", "/?token=TOKEN", {}, 403),
    ("POST", "/traffic?token=TOKEN", {"content_type": "application/json"}, 403),
    ("POST", "/traffic", {"x_meshdemo_token": "TOKEN"}, 415),
    (
        "POST",
        "/traffic",
        {"x_meshdemo_token": "TOKEN", "content_type": "text/plain"},
        415,
    ),
    (
        "POST",
        "/traffic",
        {
            "x_meshdemo_token": "TOKEN",
            "content_type": "application/json",
            "origin": "http://other.example",
        },
        403,
    ),
]


def test_only_our_own_pages_get_anything(opened: Page) -> None:
    def filled(text: str) -> str:
        return text.replace("TOKEN", opened.token).replace("PORT", opened.host.partition(":")[2])

    for method, path, headers, status in COMERS:
        sent = {name: filled(value) for name, value in headers.items()}
        answer = opened.ask(method, filled(path), **sent)
        assert answer.status == status, (method, path, headers)
        # Whatever it is, no browser takes it for more than it is, or shows it to others.
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "access-control-allow-origin" not in answer.headers
        assert opened.token.encode() not in answer.body


def test_on_the_port_of_http_browsers_name_none() -> None:
    ours = {"host": "127.0.0.1", "origin": "http://127.0.0.1", "sec-fetch-site": "same-origin"}
    at_80, elsewhere = door.Door(80, "x"), door.Door(8080, "x")
    asked = door.Asked("GET", "/", "token=x", tuple(ours.items()))
    at_80.let_in(asked)
    with pytest.raises(door.Refused):
        elsewhere.let_in(asked)
    with pytest.raises(door.Refused):
        at_80.let_in(door.Asked("GET", "/", "token=x", (("host", "rebound.example"),)))


def test_it_listens_on_loopback_alone(opened: Page) -> None:
    assert urlsplit(opened.url).hostname == door.HOST == "127.0.0.1"


def place_of(page: Page) -> tuple[str, int]:
    return door.HOST, int(page.host.partition(":")[2])


def test_whoever_holds_connections_and_has_no_token_shuts_nobody_out(opened: Page) -> None:
    place, refused = place_of(opened), b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
    with ExitStack() as stack, opened.news() as news:
        idle = []
        for said in (b"", b"GET / HT", refused * 2) * MOST_CONNECTIONS:
            idle.append(stack.enter_context(socket.create_connection(place)))
            idle[-1].sendall(said)
        assert opened.get().status == 200
        until(news, total(1))  # a page that is open stays
        for each in idle[:MOST_CONNECTIONS]:
            each.settimeout(30)
            with suppress(ConnectionResetError):
                while each.recv(4096):
                    pass


def test_a_head_that_does_not_end_in_time_or_at_all_is_not_waited_for(meshed: Cli) -> None:
    with served(meshed, head_seconds=1) as opened, opened.news() as news, ExitStack() as stack:
        place = place_of(opened)
        slow, endless = (stack.enter_context(socket.create_connection(place, 30)) for _ in "12")
        slow.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\nGET / HT")
        answer = slow.recv(4096)
        assert b" 403 " in answer, "one request was answered, and the next one does not come"
        with suppress(ConnectionError):
            endless.sendall(b"GET / HTTP/1.1\r\nx: " + b"x" * LONGEST_HEAD)
            assert not endless.recv(1)
        while slow.recv(4096):
            slow.sendall(b"T")
        until(news, total(1))


def test_what_the_server_fails_at_is_said_once_without_a_traceback(
    meshed: Cli, capfd: pytest.CaptureFixture[str]
) -> None:
    warned: SimpleQueue[str] = SimpleQueue()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with served(meshed, warn=warned.put) as opened, ExitStack() as stack:
        comers = [stack.enter_context(socket.socket()) for _ in range(3)]
        assert opened.get().status == 200, "it has all that it needs open"
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))  # what is open stays so
        try:
            for each in comers:
                each.connect(place_of(opened))
            assert "Too many open files" in warned.get(timeout=30)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert warned.empty()
    assert "Traceback" not in "".join(capfd.readouterr())


# --- the page ------------------------------------------------------------------------------------


def test_the_page_is_small_names_no_other_host_and_runs_only_its_own_script(opened: Page) -> None:
    answer = opened.get()
    body = answer.body
    text = body.decode()
    assert body == page()
    assert len(body) < 150_000
    assert not re.findall(r"[a-z]+://|[\"'(=]//", text.replace('"use strict"', ""))
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    scripts, styles = (re.findall(rf"<{t}[^>]*>(.*?)</{t}>", text, re.DOTALL) for t in KINDS)
    assert len(scripts) == len(styles) == 1
    for (part,) in (scripts, styles):
        digest = base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert not re.findall(r"\s(on\w+|style)=", text), "the policy lets none of these act"


KINDS = ("script", "style")


def test_the_script_writes_data_as_text_alone_and_knows_the_page() -> None:
    text = page().decode()
    script = text.partition("<script>")[2]
    for way in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "srcdoc",
    ):
        assert way not in script
    ids = set(re.findall(r'\sid="([\w-]+)"', text))
    used = set(re.findall(r'\$\("([\w-]+)"\)', script))
    assert used <= ids
    labels = set(re.findall(r'(?:for|aria-labelledby|aria-describedby)="([\w-]+)"', text))
    assert labels <= ids


# --- what comes ----------------------------------------------------------------------------------


def test_each_answer_is_an_event_and_counted_once(meshed: Cli) -> None:
    mixed = cycle([Reply(200, "v2"), Reply(200, "v1"), Reply(503, "x"), Reply(error="timed out")])
    meshed.engine.replies = lambda count: islice(mixed, count)
    with served(meshed) as opened, opened.news() as news:
        found = until(news, total(40))
    came: list[str] = []
    for name, data in found:
        if name == "answers":
            assert data["first"] == len(came), "none is left out, none comes twice"
            assert data["by"] == "http[0]"
            came += data["came"]
    counts = found[-1][1]
    assert counts["received"] == len(came)
    assert counts["total"] == len(came), "the rules stayed as they were"
    lanes = {name: lane["count"] for name, lane in counts["lanes"].items()}
    counted = Counter(ERROR if what.startswith("!") else what for what in came)
    assert lanes == counted
    assert {told(kind): count for kind, count in counts["others"]} == {
        "HTTP 503": came.count("!503"),
        "no answer: timed out": came.count("!error"),
    }
    assert counts["rules"] == {"http[0]": len(came)}
    assert counts["verdict"] == "not met", "all should be v2"
    assert counts["lanes"]["v2"]["promised"] == 1


def test_a_change_of_the_rules_begins_a_new_count(meshed: Cli) -> None:
    with served(meshed) as opened, opened.news() as news:
        first = until(news, total(20))
        assert meshed("route", "v1=50", "v2=50").code == 0
        changed = until(news, lambda name, _: name == "changed")
        then = until(news, total(20))
    (what,) = changed[-1][1]["what"]
    assert what == [
        "VirtualService default/app-default-v2 was changed",
        "修改了 VirtualService default/app-default-v2",
    ]
    assert changed[-1][1]["liveAfter"] >= 0
    before, after = first[-1][1], then[-1][1]
    assert before["lanes"]["v2"]["promised"] == 1
    assert after["lanes"]["v2"]["promised"] == 0.5
    assert after["total"] < after["received"], "answers of two states of the rules do not add up"
    scenes = [data for name, data in [*first, *changed, *then] if name == "scene"]
    assert [each["rules"][0]["to"] for each in scenes] == ["v2", "v1 50, v2 50"]


def test_pods_are_shown_as_a_change_leaves_them_not_as_they_are_while_it_is_on_its_way(
    meshed: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    pods, wait_ready, before = meshed.engine.pods, meshed.engine.wait_ready, meshed.engine.objects()
    is_live = threading.Event()

    def seen(*towards: str) -> Any:
        on_its_way = meshed.engine.objects() != before and not is_live.is_set()
        message = "its configuration is on its way" if on_its_way else ""
        return tuple(structs.replace(pod, message=message) for pod in pods(*towards))

    def waited(*how: Any) -> None:
        wait_ready(*how)
        if threading.current_thread().name == "meshdemo ui":  # and not the command that applies
            is_live.set()

    monkeypatch.setattr(meshed.engine, "pods", seen)
    monkeypatch.setattr(meshed.engine, "wait_ready", waited)
    with served(meshed) as opened, opened.news() as news:
        first = until(news, total(20))
        assert meshed("route", "v1=50", "v2=50").code == 0
        then = until(news, lambda name, _: name == "scene")
        then += until(news, total(20))
    scenes = [data for name, data in [*first, *then] if name == "scene"]
    assert [each["rules"][0]["to"] for each in scenes] == ["v2", "v1 50, v2 50"]
    assert {pod["message"] for each in scenes for pod in each["pods"]} == {""}


@pytest.mark.parametrize("what", ["that is about the request", "of something else"])
def test_a_change_that_begins_between_the_looks_at_rules_and_pods_shows_no_pod_as_unready(
    meshed: Cli, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    engine = meshed.engine
    pods, objects, wait_ready = engine.pods, engine.objects, engine.wait_ready
    is_due, is_begun, is_live = threading.Event(), threading.Event(), threading.Event()

    def rules(*towards: str) -> Any:
        found = objects(*towards)
        if is_due.is_set() and not is_begun.is_set():
            is_begun.set()  # now, after this look at the rules
            if what == "that is about the request":
                (rule,) = [item for item in found if item.kind == "VirtualService"]
                http = [{"route": [{"destination": {"host": "app", "subset": "v1"}}]}]
                data = {**rule.data, "spec": {**rule.spec, "http": http}}
                engine.applied[rule.key] = rule.with_data(data)
        return found

    def seen(*towards: str) -> Any:
        message = "on its way" if is_begun.is_set() and not is_live.is_set() else ""
        return tuple(structs.replace(pod, message=message) for pod in pods(*towards))

    def waited(*how: Any) -> None:
        wait_ready(*how)
        is_live.set()

    monkeypatch.setattr(engine, "objects", rules)
    monkeypatch.setattr(engine, "pods", seen)
    monkeypatch.setattr(engine, "wait_ready", waited)
    with served(meshed) as opened, opened.news() as news:
        first = until(news, total(20))
        is_due.set()
        then = until(news, received(first[-1][1]["received"] + 60))
    scenes = [data for name, data in [*first, *then] if name == "scene"]
    assert [each["rules"][0]["to"] for each in scenes] == (
        ["v2", "v1"] if what == "that is about the request" else ["v2"]
    )
    assert {pod["message"] for each in scenes for pod in each["pods"]} == {""}
    assert "happened" not in [name for name, _ in then]


def test_what_is_in_the_way_is_told_until_it_is_not(
    meshed: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = meshed.engine.send
    trouble = iter([EnvironmentFailed("the supervisor is gone")])

    def sent(*how: Any) -> Any:
        if error := next(trouble, None):
            raise error
        return send(*how)

    monkeypatch.setattr(meshed.engine, "send", sent)
    with served(meshed) as opened, opened.news() as news:
        found = until(news, total(20))
    problems = [told(data["text"]) for name, data in found if name == "problem"]
    assert problems == ["the supervisor is gone", ""]


def test_answers_from_before_a_rule_was_live_are_not_counted_for_it(
    meshed: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_ready, is_late = meshed.engine.wait_ready, threading.Event()

    def waited(*how: Any) -> None:
        if is_late.is_set() and threading.current_thread().name == "meshdemo ui":
            raise TimedOut("istiod is slow")
        wait_ready(*how)

    monkeypatch.setattr(meshed.engine, "wait_ready", waited)
    with served(meshed) as opened, opened.news() as news:
        until(news, total(20))
        is_late.set()
        meshed.engine.replies = lambda count: repeat(Reply(200, "v2"), count)
        assert meshed("route", "v1=100").code == 0
        late = until(news, lambda name, _: name == "changed")
        late += until(news, total(20))
        meshed.engine.replies = lambda count: repeat(Reply(200, "v1"), count)
        is_late.clear()
        then = until(news, received(late[-1][1]["received"] + 60))
    problems = [told(data["text"]) for name, data in [*late, *then] if name == "problem"]
    assert problems == ["counted although the rules are not live: istiod is slow", ""]
    assert late[-1][1]["lanes"]["v2"]["count"] >= 20
    assert then[-1][1]["lanes"]["v2"]["count"] == 0
    assert "changed" not in [name for name, _ in then]


def test_whoever_comes_later_gets_the_whole_state(opened: Page) -> None:
    with opened.news() as news:
        until(news, total(10))
        with opened.news() as late:
            names = [next(late)[0] for _ in STATES[:-1]]
    assert names == [name for name in STATES if name != "problem"], "there is none"


def test_what_an_app_answers_is_only_ever_data(meshed: Cli) -> None:
    hostile = cycle([Reply(200, HOSTILE), Reply(error=HOSTILE)])
    meshed.engine.replies = lambda count: islice(hostile, count)
    with served(meshed) as opened, opened.news() as news:
        found = until(news, total(10))
    assert {name for name, _ in found} <= {*STATES, "answers"} - {"problem"}
    assert set(found[-1][1]["lanes"]) == {"v1", "v2", ERROR}
    kinds = [told(kind) for kind, _ in found[-1][1]["others"]]
    assert all("\n" not in kind and len(kind) < 80 for kind in kinds)


def test_no_page_no_request(meshed: Cli) -> None:
    with served(meshed) as opened:
        meshed.engine.calls.clear()
        assert opened.get().status == 200
        threading.Event().wait(1)
        assert "send" not in meshed.engine.calls


def test_an_export_holds_what_came_and_lets_nothing_else_run(meshed: Cli) -> None:
    mixed = cycle([Reply(200, "v2"), Reply(200, HOSTILE)])
    meshed.engine.replies = lambda count: islice(mixed, count)
    with served(meshed, read_only=True) as opened, opened.news() as news:
        found = until(news, total(30))
        export = opened.get("/export")
        recording = json.loads(opened.get("/recording").body)
    came = sum(len(data["came"]) for name, data in found if name == "answers")
    kept = [data for _, name, data in recording["events"] if name == "answers"]
    assert sum(sum(data["came"].values()) for data in kept) >= came >= 30
    assert recording["events"][0][:2] == [0.0, "scene"]
    text = export.body.decode()
    assert export.headers["content-disposition"] == "attachment; filename=meshdemo.html"
    assert opened.token not in text
    assert len(export.body) < 150_000
    policy = re.findall(r'content-security-policy" content="(.*?)"', text)[0]
    assert "connect-src 'none'" in policy
    assert "unsafe" not in policy
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy
    (data,) = re.findall(r'<script id="recording" [^>]*>(.*?)</script>', text, re.DOTALL)
    assert "<" not in data
    assert HOSTILE[:20] in str(json.loads(data))


# --- what pages may do ---------------------------------------------------------------------------


def test_traffic_stops_and_starts_and_is_about_another_request(meshed: Cli) -> None:
    with served(meshed) as opened, opened.news() as news:
        assert opened.post("/traffic", {"on": False, "rate": 7}).status == 200
        until(news, lambda name, data: name == "traffic" and not data["on"] and data["rate"] == 7)
        settled = until(news, lambda name, _: name == "counts")[-1][1]["received"]
        later = until(news, lambda name, _: name == "counts")[-1][1]["received"]
        assert later - settled <= 10, "a burst that was under way, and no other"
        assert opened.post("/traffic", {"on": True, "rate": 50}).status == 200
        asked = {**GET, "headers": [["x-user", "anna"]]}
        assert opened.post("/request", asked).status == 200
        changed = until(news, lambda name, _: name == "changed")[-1][1]
        assert [*map(told, changed["what"])] == ["the request is GET http://app/env/version"]
        until(news, total(10))
        assert meshed.engine.request.headers == (("x-user", "anna"),)


def test_no_more_is_sent_than_was_asked_for_however_often_pages_steer(meshed: Cli) -> None:
    sent: list[int] = []

    def replies(count: int) -> Iterator[Reply]:
        sent.append(count)
        return islice(cycle([Reply(200, "v2")]), count)

    meshed.engine.replies = replies
    with served(meshed) as opened, opened.news() as news:
        until(news, total(1))
        began, before = time.monotonic(), sum(sent)
        for _ in range(15):
            opened.post("/traffic", {"on": True, "rate": 100})
            time.sleep(0.06)
        seconds = time.monotonic() - began
        assert sum(sent) - before <= 100 * (seconds + 1)


def test_a_request_that_is_asked_for_during_a_look_is_looked_at_at_once(
    meshed: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    pods, burst = meshed.engine.pods, 20
    asked: list[int] = []
    late: list[int] = []

    def slow(*towards: str) -> Any:  # the next look comes after ten times as long
        if opened_by and not asked:
            asked.append(opened_by[0].post("/request", {**GET, "method": "HEAD"}).status)
            time.sleep(0.3)
        return pods(*towards)

    def counted(count: int) -> Iterator[Reply]:
        if asked and meshed.engine.request.method == "GET":
            late.append(count)
        return islice(repeat(Reply(200, "v2")), count)

    opened_by: list[Page] = []
    meshed.engine.replies = counted
    monkeypatch.setattr(meshed.engine, "pods", slow)
    with served(meshed) as opened, opened.news() as news:
        opened.post("/traffic", {"on": True, "rate": 20})
        until(news, total(1))
        opened_by.append(opened)
        until(news, lambda name, data: name == "scene" and data["request"]["method"] == "HEAD")
    assert asked == [200]
    assert sum(late) <= burst, "one burst, of at most a second"


def test_a_request_is_explained(opened: Page) -> None:
    with opened.news():
        answer = opened.post("/explain", GET)
    text = json.loads(answer.body)["text"]
    assert "by the rules" in text
    assert "VirtualService default/app-default-v2" in text


def test_a_move_is_shown_before_it_is_applied_and_told_when_it_is_live(meshed: Cli) -> None:
    with served(meshed) as opened, opened.news() as news:
        levers = until(news, lambda name, _: name == "levers")[-1][1]
        assert (levers["ways"], levers["to"]["weights"]) == (["v1", "v2"], [0, 100])
        moved = {"weights": [10, 90], "abort": {"percent": 5, "status": 503}, "timeout": 0.2}
        move = {"base": levers["base"], "to": moved}
        before = dict(meshed.engine.applied)
        shown = opened.post("/preview", move)
        assert shown.status == 200, shown.body
        document = json.loads(shown.body)
        assert "+        subset: v1" in document["diff"]
        assert "+    timeout: 0.2s" in document["diff"]
        assert not [line for line in document["diff"] if line.startswith("-  ")]
        assert document["commands"][0].startswith("kubectl apply -f - <<'EOF'\n---\napiVersion")
        assert meshed.engine.applied == before, "nothing was applied"
        done = opened.post("/change", move)
        assert done.status == 200, done.body
        changed = until(news, lambda name, _: name == "changed")[-1][1]
        what = [*map(told, changed["what"])]
        assert what == ["VirtualService default/app-default-v2 was changed"]
        assert changed["now"] == "v2 90, v1 10; timeout 0.2s; abort 5 % 503"
        assert changed["byPage"]
        assert changed["liveAfter"] == json.loads(done.body)["liveAfter"]
        levers = until(news, lambda name, _: name == "levers")[-1][1]
        assert levers["to"] == {"delay": None, **moved}
        stale = opened.post("/change", move)
    assert stale.status == 400
    english, chinese = json.loads(stale.body)["why"]
    assert "changed since" in english
    assert "; Nothing was applied" in english
    assert "；没有应用任何改动" in chinese


def test_what_others_made_or_admission_refuses_is_told_and_not_applied(meshed: Cli) -> None:
    with served(meshed) as opened, opened.news() as news:
        base = until(news, lambda name, _: name == "levers")[-1][1]["base"]
        move = {"base": base, "to": {"weights": [50, 50]}}
        why = (
            "already exists, and was not made by this run of meshdemo: app-default-v2 (of kubectl)"
        )
        refusal = EnvironmentFailed(why, hint="Take another namespace")
        meshed.engine.fails |= {"dry run": refusal, "apply": refusal}
        before = dict(meshed.engine.applied)
        for path in ("/preview", "/change"):
            answer = opened.post(path, move)
            assert answer.status == 400
            assert told(json.loads(answer.body)["why"]).startswith(why)
    assert meshed.engine.applied == before


def test_pages_may_not_change_a_cluster_that_nobody_named(
    meshed: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = meshed("ui", "--port", port)
    assert "pages change no rules of it; with --engine cluster they can" in ended.err


def test_each_rule_has_a_request_to_begin_with(meshed: Cli) -> None:
    (rule,) = [item for item in meshed.engine.applied.values() if item.kind == "VirtualService"]
    (last,) = rule.spec["http"]
    http = [
        {"match": [{"headers": {"x-user": {"exact": "anna"}}}], **last},
        {"match": [{"uri": {"prefix": "/old"}}], "redirect": {"uri": "/"}},
        {"match": [{"method": {"exact": "POST"}}], **last},
    ]
    data = {**rule.data, "spec": {**rule.spec, "http": http}}
    meshed.engine.applied[rule.key] = rule.with_data(data)
    with served(meshed) as opened, opened.news() as news:
        found = until(news, lambda name, _: name == "presets")[-1][1]
    assert [(each["rule"], each["title"]) for each in found] == [
        ("http[0]", "GET / x-user: anna"),
        ("http[1]", "GET /old"),
        ("http[2]", "POST /"),
        ("", "GET /env/version"),
    ]


TOO_MANY = 429
SENSELESS: list[tuple[str, Any, int]] = [
    ("/traffic", {"on": True, "rate": 0}, 400),
    ("/traffic", {"on": True, "rate": 100_000}, 400),
    ("/traffic", {"on": "yes", "rate": 1}, 400),
    ("/traffic", {"on": True, "rate": 1, "more": 1}, 400),
    ("/traffic", [], 400),
    ("/request", {**GET, "url": "file:///etc/passwd"}, 400),
    ("/request", {**GET, "url": "tcp://app:9000"}, 400),
    ("/request", {**GET, "headers": [["x", "a\r\nb: c"]]}, 400),
    ("/explain", {**GET, "method": "G T"}, 400),
    ("/preview", {"base": "x", "to": {"weights": [50, 50]}}, 400),
    ("/change", {"base": "x", "to": {"weights": [50, 50]}}, 400),
    ("/change", {"base": "x", "to": {"weights": [-1, 101]}}, 400),
    ("/change", {"base": "x", "to": {"weights": [0, 100], "timeout": 1e9}}, 400),
    ("/change", {"to": {"weights": [50, 50]}}, 400),
    ("/explain", {**GET, "url": "http://app/" + "a" * LONGEST_BODY}, 413),
]


def test_what_makes_no_sense_is_refused(opened: Page) -> None:
    for path, document, status in SENSELESS:
        while (answer := opened.post(path, document)).status == TOO_MANY:
            time.sleep(1 / POSTS_A_SECOND)
        assert answer.status == status, (path, document)
        assert told(json.loads(answer.body)["why"]), "in words"
        assert b"Traceback" not in answer.body


def test_a_flood_is_refused(opened: Page) -> None:
    statuses = [opened.post("/traffic", []).status for _ in range(4 * POSTS_A_SECOND)]
    assert set(statuses) == {400, 429}
    assert statuses[0] == 400


def test_pages_that_can_only_look_steer_nothing(meshed: Cli) -> None:
    with served(meshed, read_only=True) as opened, opened.news() as news:
        for path, document in (
            ("/traffic", {"on": False, "rate": 1}),
            ("/request", GET),
            ("/explain", GET),
        ):
            assert opened.post(path, document).status == 403
        for path in ("/preview", "/change"):
            assert opened.post(path, {}).status == 404, "nothing is there"
        found = until(news, total(10))
    assert not {"levers", "presets"} & {name for name, _ in found}
    assert [data for name, data in found if name == "traffic"] == [
        {"on": True, "rate": 20, "readOnly": True}
    ]


def test_so_many_pages_and_no_more(opened: Page) -> None:
    connections = [opened.connect() for _ in range(MOST_PAGES + 1)]
    statuses = []
    for connection in connections:
        connection.request("GET", f"/events?token={opened.token}")
        statuses.append(connection.getresponse().status)
    for connection in connections:
        connection.close()
    assert statuses == [200] * MOST_PAGES + [503]


def test_a_page_that_does_not_read_is_cut_off() -> None:
    pages = Pages()
    seen: list[bytes] = []

    async def slow() -> None:
        pages.open(asyncio.get_running_loop())
        news = pages.news()
        await anext(news)
        for number in range(WAITING + 1):
            pages.publish("answers", number)
        await asyncio.sleep(0)
        seen.extend([text async for text in news])

    asyncio.run(slow())
    assert not seen, "it comes again, and gets the whole state anew"
    assert len(pages) == 0


# --- the command ---------------------------------------------------------------------------------


def test_without_a_test_client_there_is_no_page(cli: Cli) -> None:
    ended = cli("ui")
    assert ended.code == 3
    assert "Type: meshdemo up" in ended.err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--port 70000", "--port: 70000 is not a port"),
        ("--port -1", "--port: -1 is not a port"),
        ("--url tcp://app:9000", "tcp:// is none"),
        ("--url app", "cannot be asked for"),
    ],
)
def test_a_wrong_option_is_a_usage_error(meshed: Cli, line: str, said: str) -> None:
    ended = meshed("ui", *line.split())
    assert ended.code == 2
    assert said in ended.err


def test_a_port_that_is_taken_is_said(meshed: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = meshed("ui", "--port", str(taken.getsockname()[1]))
    assert ended.code == 3
    assert "Take another --port" in ended.err
