"""One request told, and the same request really sent: both agree, and what differs is seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.contract.test_client_reach import INJECTED, app, apply, client
from tests.objects import destination_rule, parsed, route, service, to, virtual_service

from meshdemo.verdict.traffic import Request
from meshdemo.walkthrough.explain import Explained, explain

if TYPE_CHECKING:
    from meshdemo.engines.local.engine import LocalEngine

RULES: list[dict[str, Any]] = [
    {
        "name": "anna",
        "match": [{"headers": {"x-user": {"exact": "anna"}}}, {"method": {"exact": "POST"}}],
        "rewrite": {"uri": "/found", "authority": "shop.example"},
        "headers": {"request": {"set": {"x-by": "meshdemo"}}},
        **route(to("v2")),
    },
    {
        "name": "retried",
        "match": [{"uri": {"prefix": "/retried"}}],
        "retries": {"attempts": 2, "retryOn": "5xx"},
        **route(to("v1")),
    },
    {
        "match": [{"uri": {"prefix": "/aborted"}}],
        "fault": {"abort": {"percentage": {"value": 100}, "httpStatus": 418}},
        **route(to("v1")),
    },
    {"match": [{"uri": {"exact": "/moved"}}], "redirect": {"uri": "/x"}},
    {
        "match": [{"uri": {"prefix": "/copied"}}],
        "mirror": {"host": "app", "subset": "v2"},
        **route(to("v1")),
    },
    {"match": [{"uri": {"regex": "/missing/[0-9]+"}}], **route(to("v9"))},
    {"match": [{"queryParams": {"to": {"exact": "v2"}}}], **route(to("v2"))},
    {"match": [{"uri": {"prefix": "/split"}}], **route(to("v1", 50), to("v2", 50))},
]

BY_CONNECTION = [{"match": [{"port": 9000}], "route": [to("v2")]}]


def told(local: LocalEngine, url: str, method: str = "GET", **headers: str) -> Explained:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return tell(local, Request(url, method, named))


def tell(local: LocalEngine, request: Request) -> Explained:
    story = explain(local, request, (), 30)
    while True:
        try:
            next(story)
        except StopIteration as end:
            found: Explained = end.value
            return found


@pytest.fixture
def mesh(local: LocalEngine) -> LocalEngine:
    apply(
        local,
        service(
            {"name": "http", "port": 80, "targetPort": 8080},
            {"name": "tcp", "port": 9000, "targetPort": 8080},
            namespace="default",
        ),
        destination_rule("v1", "v2", namespace="default"),
        virtual_service(*RULES, tcp=BY_CONNECTION, namespace="default"),
        app("v1", **INJECTED),
        app("v2", **INJECTED),
        client(),
    )
    return local


def test_what_is_told_is_what_happens(mesh: LocalEngine) -> None:
    asked: list[tuple[dict[str, str], int | None, int, str, str]] = [
        # the request, the number of the rule, status, flag, workload that answers
        ({"url": "http://app/a?b=c", "x_user": "anna"}, 0, 200, "", "app-v2"),
        ({"url": "http://app/a", "method": "POST"}, 0, 200, "", "app-v2"),
        ({"url": "http://app/retried", "x_echo_status": "503"}, 1, 503, "URX", "app-v1"),
        ({"url": "http://app/aborted"}, 2, 418, "FI", ""),
        ({"url": "http://app/moved"}, 3, 301, "", ""),
        ({"url": "http://app/copied"}, 4, 200, "", "app-v1"),
        ({"url": "http://app/missing/7"}, 5, 503, "NC", ""),
        ({"url": "http://app/missing/x?to=v2"}, 6, 200, "", "app-v2"),
        ({"url": "http://app/nothing"}, None, 404, "NR", ""),
    ]
    for request, number, status, flag, workload in asked:
        found = told(mesh, **request)
        assert found.differences == (), request
        chosen = found.trace.chosen
        assert (chosen.origin.number if chosen else None) == number, request
        assert found.observed.reply.status == status, request
        account = found.observed.account
        assert account is not None, found.observed.hidden
        assert account.flags == ((flag,) if flag else ()), request
        assert found.answered_by.startswith(workload), request
        assert bool(found.answered_by) == bool(workload), request


def test_what_the_app_saw_and_how_often_it_was_tried(mesh: LocalEngine) -> None:
    found = told(mesh, "http://app/a?b=c", x_user="anna")
    assert found.arrived is not None
    # Without a prefix that is matched "/" is, and it is replaced with its slash.
    assert (found.arrived.path, found.arrived.host) == ("/founda?b=c", "shop.example")
    assert found.arrived.headers["x-by"] == "meshdemo"
    assert found.attempts == 1
    assert told(mesh, "http://app/retried", x_echo_status="503").attempts == 3
    slow = told(mesh, "http://app/copied", x_echo_reset="1")
    assert (slow.differences, slow.observed.reply.status) == ((), 503)
    copied = told(mesh, "http://app/copied")
    assert {each.pod[:6] for each in copied.observed.arrivals or ()} == {"app-v1", "app-v2"}


def test_no_line_is_waited_for_where_the_sidecar_sees_no_requests(mesh: LocalEngine) -> None:
    found = told(mesh, "http://app:9000/")
    observed = found.observed
    assert (observed.reply.status, observed.account) == (200, None)
    assert observed.hidden.startswith("the port is not HTTP")
    assert [claim.wins for claim in found.trace.claims] == [True]
    assert [each.target.subset for each in found.trace.destinations] == ["v2"]
    assert found.answered_by.startswith("app-v2")
    assert found.differences == ()
    assert not found.incomparable


def test_what_the_sidecar_cannot_read_is_compared_with_no_rule(mesh: LocalEngine) -> None:
    for method, headers, status, details in (
        ("CONNECT", {}, 400, "http1.invalid_url"),
        ("GET", {"x": "a" * 70_000}, 431, "http1.headers_too_large"),
    ):
        found = told(mesh, "http://app/aborted", method, **headers)
        observed = found.observed
        assert (observed.reply.status, observed.unseen) == (status, True)
        assert observed.account is not None
        assert (observed.account.flags, observed.account.details) == (("DPE",), details)
        assert found.differences == ()
        assert found.incomparable == (
            f"it came to no rule: its sidecar could not read it, and answered {status}"
        )


def test_it_is_known_where_no_pod_had_it(mesh: LocalEngine) -> None:
    for path, came in (("aborted", False), ("moved", False), ("missing/7", False), ("split", True)):
        found = told(mesh, f"http://app/{path}")
        assert found.came_to_no_pod is not came, path
    assert not told(mesh, "http://app/retried", x_echo_reset="1").came_to_no_pod


def test_pods_that_are_ejected_are_named(mesh: LocalEngine) -> None:
    policy = {
        "outlierDetection": {
            "consecutive5xxErrors": 1,
            "interval": "1s",
            "baseEjectionTime": "60s",
            "maxEjectionPercent": 100,
        }
    }
    apply(mesh, destination_rule("v1", "v2", namespace="default", trafficPolicy=policy))
    url = "http://app/?to=v2"
    assert told(mesh, url, x_echo_status="500").observed.reply.status == 500
    found = told(mesh, url)
    (pod,) = found.ejected
    assert pod.startswith("app-v2")
    assert found.came_to_no_pod
    assert found.differences == ()


def test_an_answer_that_is_not_waited_for_says_nothing_of_the_rules(mesh: LocalEngine) -> None:
    found = told(mesh, "http://app/a", method="POST", x_echo_delay="11")
    assert found.given_up
    assert (found.differences, found.agrees) == ((), None)


def test_a_rule_that_the_sidecar_does_not_have_yet_is_seen(mesh: LocalEngine) -> None:
    later = parsed(
        """
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: app, namespace: default}
        spec:
          hosts: [app]
          http: [{route: [{destination: {host: app, subset: v1}}]}]
        """
    )
    # As where a command was killed: it is stored, and no Envoy was told.
    kept = [item for item in mesh.store.objects() if item.kind != "VirtualService"]
    mesh.store.replace([*kept, *later])
    found = told(mesh, "http://app/nothing")
    assert found.differences == ("the sidecar has no route for it, and by the rules there is one",)
