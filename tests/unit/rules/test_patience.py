"""After how long a request is given up: not while the rules let it wait."""

from __future__ import annotations

from typing import Any

import pytest
from tests.objects import destination_rule, route, service, to, virtual_service

from meshdemo.rules import patience, request_trace
from meshdemo.rules.client_view import Client
from meshdemo.verdict.traffic import TIME_LIMIT, Request

DELAY = {"delay": {"fixedDelay": "12s", "percentage": {"value": 100}}}


@pytest.mark.parametrize(
    ("http", "expected", "seconds"),
    [
        pytest.param({}, 0, 0, id="nothing"),
        pytest.param({"fault": DELAY}, 0, 12, id="a delay"),
        pytest.param({"timeout": "1m"}, 0, 60, id="a timeout"),
        pytest.param({"fault": DELAY, "timeout": "1m"}, 0, 72, id="one after the other"),
        pytest.param({"retries": {"attempts": 2, "perTryTimeout": "6s"}}, 0, 18.5, id="attempts"),
        pytest.param(
            {"timeout": "7s", "retries": {"attempts": 2, "perTryTimeout": "6s"}},
            0,
            7,
            id="a timeout is that of all attempts",
        ),
        pytest.param(
            {"fault": {"delay": {"fixedDelay": "1h"}}}, 0, 0, id="a delay that befalls nobody"
        ),
        pytest.param({"fault": DELAY}, 13, 13, id="what a test expects"),
        pytest.param({"fault": DELAY}, 1, 12, id="the longer one"),
    ],
)
def test_what_the_rules_let_it_wait_comes_on_top(
    http: dict[str, Any], expected: float, seconds: float
) -> None:
    rule = virtual_service({**http, **route(to("v1"))})
    objects = [service(), destination_rule("v1"), rule]
    pods = [("shop", {"app": "app", "version": "v1"})]
    client = Client("shop", {"app": "client"}, injected=True)
    trace = request_trace.trace(objects, pods, Request("http://app/"), client)
    assert patience.time_limit(trace, expected) == TIME_LIMIT + seconds


def test_what_cannot_be_followed_has_the_usual_time() -> None:
    assert patience.time_limit(None) == TIME_LIMIT


def test_it_is_given_up_before_all_of_the_time_is_over() -> None:
    assert patience.within(TIME_LIMIT, 5) == 4.5
    assert patience.within(TIME_LIMIT, 300) == TIME_LIMIT
