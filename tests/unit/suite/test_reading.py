"""Files of route tests: what they say, and that all that is wrong comes at once, with its line."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from meshdemo.errors import InputError
from meshdemo.suite import reading
from meshdemo.suite.model import Header, Source, StandIn, Text
from meshdemo.verdict.expectation import ERROR

if TYPE_CHECKING:
    from pathlib import Path

    from meshdemo.suite.model import TestFile

HEAD = "apiVersion: meshdemo.dev/v1\nkind: RouteTest\nmetadata: {name: shop}\n"


def read(folder: Path, text: str) -> TestFile:
    file = folder / "shop.meshtest.yaml"
    file.write_text(text)
    (folder / "rules").mkdir(exist_ok=True)
    (found,) = reading.read([str(file)])
    return found


def a_test(expect: str, request: str = '{url: "http://shop/"}') -> str:
    return f"{HEAD}rules: [rules]\ntests:\n- name: t\n  request: {request}\n  expect: {expect}\n"


def test_rules_may_be_fetched_as_those_of_an_option(tmp_path: Path) -> None:
    url = "https://rules.example/shop.yaml"
    text = a_test("{status: 200}").replace("rules: [rules]", f"rules: [rules, '{url}']")
    assert read(tmp_path, text).rules == (str(tmp_path / "rules"), url)


def test_a_file_is_read_as_it_says(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        f"""{HEAD}
rules: [rules]
standIns:
  shop: [{{version: v1, replicas: 2, delay: 1.5s}},
         {{version: v2, failing: true, labels: {{a: b}}}}]
tests:
  - name: each
    request: {{urls: ["http://shop/a", "http://shop/b"], headers: [{{x-user: anna}}, {{}}],
              from: {{app: front, namespace: web}}}}
    expect: {{version: [v1, v2], requestHeaders: {{X-Env: [canary, {{prefix: p}}], x-debug: null}},
             not: {{status: 503}}}}
  - name: canary
    expect: {{shares: {{v1: 90%, "503": 5, error: 0%}}, margin: 2.5}}
coverage: {{failUnder: 85.5%}}
""",
    )
    each, canary = found.tests
    assert found.rules == (str(tmp_path / "rules"),)
    assert found.fail_under == 85.5
    assert found.stand_ins == {
        "shop": (
            StandIn({"version": "v1"}, replicas=2, delay=1.5),
            StandIn({"a": "b", "version": "v2"}, failing=True),
        )
    }
    assert [sent.label for sent in each.sent] == [
        "http://shop/a x-user: anna",
        "http://shop/a no headers",
        "http://shop/b x-user: anna",
        "http://shop/b no headers",
    ]
    assert {sent.source for sent in each.sent} == {Source("web", (("app", "front"),))}
    assert each.line == 10
    assert each.expect.versions == ("v1", "v2")
    assert each.expect.request_headers == (
        Header("x-env", (Text("canary"), Text("p", "prefix"))),
        Header("x-debug", ()),
    )
    assert each.expect.none_of
    assert each.expect.none_of.statuses == (503,)
    assert canary.sent[0].request.url == ""
    assert canary.expect.margin == Fraction(25, 1000)
    assert canary.expect.shares
    assert dict(canary.expect.shares.shares) == {
        "v1": Fraction(9, 10),
        "HTTP 503": Fraction(1, 20),
        ERROR: Fraction(0),
    }


@pytest.mark.parametrize(
    ("expect", "wrong"),
    [
        ("{statu: 404}", "8: RouteTest shop tests[0].expect.statu: there is no such field"),
        ("{}", "expect: it is empty"),
        ("{version: 2}", 'a version or a list of versions is wanted, not the number 2; write "2"'),
        ("{status: [200, abc]}", 'status[1]: a whole number is wanted, not the text "abc"'),
        ("{status: 900}", "900 is more than 599"),
        ("{shares: {v1: 90%, v2: 20%}}", "the shares sum to 110 %"),
        ("{shares: {v1: many}}", "shares.v1"),
        ("{shares: {v1: 90%}, version: v1}", "version: it is said of one answer"),
        ("{pods: 2, version: v1}", "version: it is said of one answer, and pods of many"),
        ("{pods: 2, not: {status: 503}}", "not: pods says all of it"),
        ("{pods: 0}", "0 is less than 1"),
        ("{margin: 5}", "margin: a margin is of shares, and none are said"),
        ("{status: 200, location: /new}", "an answer with status 200 has no Location"),
        ("{seconds: [2, 1]}", "at least 2 and at most 1 never holds"),
        ("{seconds: 2}", "two numbers of seconds"),
        ("{path: {regex: 'x('}}", "it is no regular expression"),
        ("{version: v1, not: {version: [v1, v2]}}", "it leaves nothing of the version"),
        ("{version: v1, not: {shares: {v1: 1%}}}", "it takes many answers"),
        ("{not: {not: {status: 200}}}", "not.not: there is no such field"),
    ],
)
def test_an_expectation_that_makes_no_sense_is_refused(
    tmp_path: Path, expect: str, wrong: str
) -> None:
    with pytest.raises(InputError) as refused:
        read(tmp_path, a_test(expect))
    assert wrong in "\n".join(map(str, refused.value.problems))
    assert all(each.line == 8 for each in refused.value.problems)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (
            f"{HEAD}tests:\n- {{name: t, expect: {{status: 200}}}}\n",
            ":1: RouteTest shop: it says no",
        ),
        (
            f"{HEAD}rules: [gone.yaml]\ntests:\n- {{name: t, expect: {{status: 200}}}}\n",
            "gone.yaml",
        ),
        (a_test("{status: 200}", '{url: "ftp://x"}'), "tests[0].request.url"),
        (a_test("{status: 200}", '{url: "http://x/", urls: ["http://x/"]}'), "leave one of them"),
        (a_test("{status: 200}", '{headers: {"a b": c}}'), "no header can be called 'a b'"),
        (a_test("{status: 200}", "{from: {app: a, gateway: x}}"), "a gateway is no pod"),
        (
            a_test("{status: 200}") + a_test("{status: 200}").partition("tests:\n")[2],
            "of this name",
        ),
        (
            a_test("{status: 200}").replace("rules: [rules]", "rules: [rules]\nlive: true"),
            "its own",
        ),
        (HEAD.replace("v1", "v2") + "tests: []\n", '"meshdemo.dev/v1" is wanted'),
        ("kind: RouteTest\n  x: 1\n", "not YAML"),
        ("kind: Service\n", "shop.meshtest.yaml:1: no route tests in it: it says kind: Service"),
        (
            HEAD.replace("RouteTest", "RouteTests"),
            "shop.meshtest.yaml:2: no route tests in it: it says kind: RouteTests",
        ),
        ("a: b\n", "shop.meshtest.yaml: no route tests in it; documents of route tests say kind"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(tmp_path: Path, text: str, wrong: str) -> None:
    with pytest.raises(InputError) as refused:
        read(tmp_path, text)
    assert wrong in "\n".join(map(str, refused.value.problems))


def test_everything_wrong_comes_at_once_in_the_order_of_the_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        text = a_test("{status: 200, location: /x, seconds: [2, 1]}").replace("[rules]", "[gone]")
        text += "- {name: u, expect: {statu: 1}}\n"
        (tmp_path / f"{name}.meshtest.yaml").write_text(text)
    with pytest.raises(InputError) as refused:
        reading.read([str(tmp_path)])
    lines = [(each.file[-15:-14], each.line) for each in refused.value.problems]
    assert lines == [(name, line) for name in ("a", "b") for line in (4, 8, 8, 9)]


def test_a_folder_stands_for_the_tests_below_it(tmp_path: Path) -> None:
    inner = tmp_path / "inner" / "deep"
    inner.mkdir(parents=True)
    rule = "---\nkind: VirtualService\n"
    text = f"{HEAD}tests:\n- {{name: t, expect: {{status: 200}}}}\n"
    (inner / "any.yaml").write_text(text + rule)
    (inner / "template.yaml").write_text("{{ if }}\n")
    (tmp_path / "x.meshtest.yaml").write_text(text + rule)
    hidden = tmp_path / ".git"
    hidden.mkdir()
    (hidden / "y.meshtest.yaml").write_text("broken: [")
    found = reading.read([str(tmp_path), str(inner / "any.yaml")])
    assert [each.path for each in found] == [
        str(inner / "any.yaml"),
        str(tmp_path / "x.meshtest.yaml"),
    ]
    assert found[0].rules == (found[0].path,)
    assert reading.read([str(inner)], rules=["-"])[0].rules == ("-",)
    with pytest.raises(InputError, match="cannot be used"):
        reading.read([str(hidden.parent / "inner" / "template.yaml")])
