"""``meshdemo explain``: what the rules say of one request, and what happened, side by side."""

from __future__ import annotations

import json
from itertools import repeat
from typing import TYPE_CHECKING

import pytest

from meshdemo.engines.access_log import Account
from meshdemo.verdict.traffic import Reply

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli

URL = "http://app/env/version"
TO_V2 = "outbound|80|v2|app.default.svc.cluster.local"
TO_V1 = "outbound|80|v1|app.default.svc.cluster.local"
RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: app-default-v2}
spec:
  hosts: [app]
  http:
  - match: [{uri: {prefix: /admin}}, {headers: {x-user: {exact: anna}}}]
    route: [{destination: {host: app, subset: v1}}]
  - name: rest
    route: [{destination: {host: app, subset: v2}}]
"""


@pytest.fixture
def ruled(meshed: Cli, tmp_path: Path) -> Cli:
    file = tmp_path / "rules.yaml"
    file.write_text(RULES)
    assert meshed("route", "-f", str(file)).code == 0
    meshed.engine.account = Account(200, cluster=TO_V2, route="rest", details="via_upstream")
    return meshed


def test_it_tells_the_rule_its_place_and_why_none_before_it(ruled: Cli) -> None:
    ended = ruled("explain", URL)
    assert ended.code == 0, ended.err
    assert "VirtualService default/app-default-v2" in ended.out
    assert "rules.yaml:8): path starts with /admin; it is /env/version, or x-user = anna; " in (
        ended.out
    )
    assert 'takes it "rest"' in ended.out
    assert "rules.yaml:10)" in ended.out
    assert f"subset v2 of {TO_V2.rpartition('|')[2]}, port 80: app-v2-abc" in ended.out
    assert "it went as the rules say" in ended.out
    assert "NOT AS THE RULES SAY" not in ended.out


@pytest.mark.parametrize(
    ("account", "reply", "said"),
    [
        (Account(200, cluster=TO_V1), Reply(200, "v1"), f"the sidecar sent it to {TO_V1}, and by"),
        (Account(404, flags=("NR",)), Reply(404), "the sidecar has no route for it"),
        (Account(200, cluster=TO_V2, route="old"), Reply(200), "the sidecar took the route old"),
        (
            None,
            Reply(200, json.dumps({"pod": "app-v1-abc", "headers": {}})),
            "app-v1-abc answered, and by the rules it goes to app-v2-abc",
        ),
        (
            None,
            Reply(200, json.dumps({"path": "/other", "headers": {}})),
            "the app saw the path /other, and by the rules it is /env/version",
        ),
    ],
)
def test_what_is_not_as_the_rules_say_is_said_loudly(
    ruled: Cli, account: Account | None, reply: Reply, said: str
) -> None:
    ruled.engine.account, ruled.engine.replies = account, lambda _: repeat(reply)
    ended = ruled("explain", URL)
    assert ended.code == 0
    assert f"NOT AS THE RULES SAY: {said}" in ended.out
    document = ruled("explain", URL, "-o", "json").json
    assert document["agrees"] is False
    assert any(said in each for each in document["differences"])


OWN = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: app-default-v2}
spec:
  hosts: [app]
  http:
  - match: [{uri: {prefix: /env}}]
    fault: {abort: {percentage: {value: 30}, httpStatus: 500}}
    route:
    - {destination: {host: app, subset: v1}, weight: 50}
    - {destination: {host: app, subset: v2}, weight: 50}
  - redirect: {uri: /new}
"""


@pytest.fixture
def own(meshed: Cli, tmp_path: Path) -> Cli:
    file = tmp_path / "own.yaml"
    file.write_text(OWN)
    assert meshed("route", "-f", str(file)).code == 0
    return meshed


@pytest.mark.parametrize(("came", "agrees"), [("/new", True), ("/old", False)])
def test_where_a_redirect_leads_is_told_and_compared(own: Cli, came: str, *, agrees: bool) -> None:
    headers = (("location", f"http://app{came}"), ("date", "today"), ("x-by", "meshdemo"))
    own.engine.account = Account(301, details="direct_response")
    own.engine.replies = lambda _: repeat(Reply(301, headers=headers))
    ended = own("explain", "http://app/old")
    assert "redirected to http://app/new" in ended.out
    assert f"location: http://app{came}\n" in ended.out
    assert "x-by: meshdemo\n" in ended.out
    assert "date: " not in ended.out
    said = f"it is redirected to http://app{came}, and by the rules to http://app/new"
    assert (said in ended.out) is not agrees
    document = own("explain", "http://app/old", "-o", "json").json
    assert document["predicted"]["location"] == "http://app/new"
    assert document["agrees"] is agrees


def test_parts_of_what_is_not_aborted_are_parts_of_all(own: Cli) -> None:
    out = own("explain", URL).out
    assert "answers    30 % with 500" in out
    assert out.count("to         35 % subset") == 2
    shares = own("explain", URL, "-o", "json").json["predicted"]["destinations"]
    assert [each["share"] for each in shares] == [0.5, 0.5]


def test_json_has_the_same_as_data(ruled: Cli) -> None:
    document = ruled("explain", URL, "-H", "x-user: anna", "-o", "json").json
    assert document["command"] == "explain"
    (step,) = document["predicted"]["tried"]
    assert (step["field"], step["takes"], step["line"]) == ("spec.http[0]", True, 8)
    assert document["predicted"]["destinations"][0]["pods"] == ["app-v1-abc"]
    sent = {each["name"]: each["value"] for each in document["request"]["headers"]}
    assert sent["x-user"] == "anna"
    assert sent["x-request-id"] == document["request"]["requestId"]
    assert document["observed"]["sidecar"]["cluster"] == TO_V2
    assert document["agrees"] is False, "the fake sidecar sends it elsewhere"


def test_where_nothing_came_to_a_pod_nothing_is_said_to_be_sent(ruled: Cli) -> None:
    for flag in ("FI", "UH"):
        ruled.engine.account = Account(503, (flag,), "fault_filter_abort", cluster=TO_V2, retries=0)
        ruled.engine.replies = lambda _: repeat(Reply(503))
        out = ruled("explain", URL).out
        assert f"meant for  {TO_V2}" in out
        assert "sent to" not in out
        assert "app saw    nothing: it came to no pod" in out


def test_where_copies_went_is_told(ruled: Cli) -> None:
    ruled.engine.account = Account(200, cluster=TO_V2, copies=(TO_V1,))
    assert f"copied to  {TO_V1}" in ruled("explain", URL).out
    assert ruled("explain", URL, "-o", "json").json["observed"]["sidecar"]["copies"] == [TO_V1]


def test_an_id_that_is_empty_is_replaced(ruled: Cli) -> None:
    document = ruled("explain", URL, "-H", "X-Request-Id:", "-o", "json").json
    (name,) = [
        each for each in document["request"]["headers"] if "request-id" in each["name"].lower()
    ]
    assert name["value"] == document["request"]["requestId"] != ""


def test_what_cannot_be_followed_is_compared_with_nothing(ruled: Cli) -> None:
    ended = ruled("explain", "http://app/a/../b")
    assert "not followed: its path has '.' or '..' in it" in ended.out
    assert "as the rules say" not in ended.out
    assert ruled("explain", "http://app/a/../b", "-o", "json").json["agrees"] is None


def test_an_answer_to_what_the_sidecar_saw_not_is_compared_with_nothing(ruled: Cli) -> None:
    ruled.engine.account, ruled.engine.unseen = None, True
    ruled.engine.replies = lambda _: repeat(Reply(400))
    ended = ruled("explain", URL)
    said = "it came to no rule: 400 was answered, and its sidecar saw no HTTP request"
    assert said in " ".join(ended.out.split())
    assert "as the rules say" not in ended.out
    assert ruled("explain", URL, "-o", "json").json["agrees"] is None


def test_what_cannot_be_seen_is_said(ruled: Cli) -> None:
    ruled.engine.account = None
    assert "not known: nobody saw it" in ruled("explain", URL).out


def test_a_file_that_has_changed_since_gives_no_lines_and_f_names_another(
    ruled: Cli, tmp_path: Path
) -> None:
    (tmp_path / "rules.yaml").write_text(RULES.replace("anna", "bert"))
    assert "rules.yaml:" not in ruled("explain", URL).out
    other = tmp_path / "other.yaml"
    other.write_text(RULES)
    assert "other.yaml:10)" in ruled("explain", URL, "-f", str(other)).out


@pytest.mark.parametrize(
    "argv",
    [
        ("ftp://app/",),
        ("tcp://app:1",),
        (),
        (URL, "-H", "nothing"),
        (URL, "-X", "G T"),
        (URL, "-f", "no-such-file"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_before_anything_is_sent(
    ruled: Cli, argv: tuple[str, ...]
) -> None:
    ruled.engine.calls.clear()
    assert ruled("explain", *argv).code == 2
    assert "send" not in ruled.engine.calls
