"""What is known of a mesh that is up: of copies by sidecars, of many answers by replies."""

from __future__ import annotations

import pytest
from tests.objects import destination_rule, route, service, to, virtual_service

from meshdemo.engines.access_log import Account
from meshdemo.engines.results import Observed, Pod
from meshdemo.rules import request_trace
from meshdemo.rules.client_view import Client
from meshdemo.suite import judging, live_arrivals
from meshdemo.verdict.traffic import Reply, Request


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ({"account": Account(copies=())}, ""),
        ({"account": Account(), "arrivals": ()}, ""),
        ({"hidden": "no HTTP", "unseen": True}, ""),
        ({"account": Account()}, judging.COPIES_UNTOLD),
        ({"hidden": "may not be read"}, "may not be read"),
    ],
)
def test_where_nobody_tells_of_copies_it_is_said_why(what: dict[str, object], why: str) -> None:
    observed = Observed(Reply(200), 0.1, **what)  # type: ignore[arg-type]
    assert live_arrivals.why_copies_are_hidden(observed) == why


def pod(name: str, version: str, app: str = "app") -> Pod:
    labels = {"app": app, "version": version}
    workload = name.rpartition("-")[0]
    return Pod(name, "shop", labels, (), injected=True, phase="Running", workload=workload)


PODS = (
    pod("other-v3-a", "v3", "other"),
    pod("app-v1-a", "v1"),
    pod("app-v2-a", "v2"),
    pod("app-v2-b", "v2"),
)


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        pytest.param(Reply(200, "v1"), ("app-v1-a", "v1"), id="the only pod of a version"),
        pytest.param(Reply(200, "v2"), ("a pod of app-v2", "v2"), id="one of two"),
        pytest.param(Reply(200, '{"pod": "app-v2-b"}'), ("app-v2-b", "v2"), id="it names itself"),
        pytest.param(Reply(503, '{"pod": "app-v2-b"}'), ("app-v2-b", "v2"), id="failing, too"),
        pytest.param(Reply(200, "v3"), None, id="a version that is elsewhere"),
        pytest.param(Reply(200, '{"pod": "who"}'), None, id="a pod that is not there"),
        pytest.param(Reply(200, "hello"), None, id="it tells nothing"),
        pytest.param(Reply(503, ""), None, id="anybody's 503"),
        pytest.param(Reply(418, '{"pod": "app-v1-a"}'), None, id="the status of a fault"),
    ],
)
def test_a_reply_tells_which_pod_gave_it_or_that_is_not_known(
    reply: Reply, found: tuple[str, str] | None
) -> None:
    http = {
        **route(to("v1", 50), to("v2", 50)),
        "fault": {"abort": {"httpStatus": 418, "percentage": {"value": 10}}},
    }
    objects = [service(), destination_rule("v1", "v2"), virtual_service(http)]
    client = Client("shop", {"app": "client"}, injected=True, root_namespace="istio-system")
    trace = request_trace.trace(
        objects, [(each.namespace, each.labels) for each in PODS], Request("http://app/"), client
    )
    said = live_arrivals.replied(reply, trace, PODS)
    assert (said and (said.pod, said.version)) == found
