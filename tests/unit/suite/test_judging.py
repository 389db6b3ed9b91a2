"""What is said of an answer, where no mesh is needed to have it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from meshdemo.language import spoken
from meshdemo.rules.destinations import Target
from meshdemo.suite import judging
from meshdemo.suite.answers import Answer
from meshdemo.suite.model import Expect
from meshdemo.verdict.judgement import Outcome
from meshdemo.verdict.traffic import Reply, Request

ANSWER = Answer(Request("http://app/"), Reply(200, "v1"), 0.1, None)
APP = "app.default.svc.cluster.local"


@pytest.mark.parametrize(
    ("to", "back", "said"),
    [
        ((), (), "no copy"),
        ((), (Target(APP, 80, "v1"),), "no copy but to app (v1), where the answer came from"),
        ((), (Target(APP, 80),), "no copy but to app (no subset), where the answer came from"),
        (("shadow.default.svc.cluster.local",), (Target(APP, 80, "v1"),), "a copy to shadow"),
    ],
)
def test_where_copies_went_is_said(
    to: tuple[str, ...], back: tuple[Target, ...], said: str
) -> None:
    answer = replace(ANSWER, copied_to=to, copied_back=back)
    (found,) = judging.findings(Expect(mirrored_to=("app",)), answer, "default")
    assert (found.wanted, found.found, found.ok) == ("a copy to app", said, False)


def test_where_it_is_not_known_where_copies_went_there_is_no_verdict_of_none() -> None:
    answer = replace(ANSWER, copies_hidden="nobody tells")
    for wanted in (Expect(mirrored_to=("app",)), Expect(none_of=Expect(mirrored_to=("app",)))):
        found = judging.findings(wanted, answer, "default")
        assert [(each.found, each.ok, each.known) for each in found] == [
            ("nobody tells", False, False)
        ]
        assert judging.outcome(found) is Outcome.INCONCLUSIVE
    seen = replace(answer, copied_to=(APP,))
    assert judging.outcome(judging.findings(Expect(mirrored_to=("app",)), seen, "default")) is (
        Outcome.MET
    )


def test_a_copy_that_came_to_the_pod_that_answered_is_not_passed_over_in_silence() -> None:
    wanted = Expect(mirrored_to=("app",))
    (found,) = judging.findings(wanted, replace(ANSWER, times=2), "default")
    assert (found.found, found.ok) == ("no copy: the pod that answered got it 2 times", False)


def test_what_is_expected_and_what_came_are_told_in_chinese_too() -> None:
    wanted = Expect(statuses=(404, 503), seconds=((0.4, 0.9),), mirrored_to=("app",))
    answer = replace(ANSWER, copied_back=(Target(APP, 80),))
    found = judging.findings(wanted, answer, "default")
    assert [(spoken(each.wanted, "zh"), spoken(each.found, "zh")) for each in found] == [
        ("状态码 404 或 503", "状态码 200"),
        ("0.4 到 0.9 秒", "0.10 秒"),
        ("发给 app 的副本", "除了返回响应的 app（没有子集），没有别的副本"),
    ]
