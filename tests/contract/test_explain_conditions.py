"""What is said of headers that are special holds in a real Envoy, or is not said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.contract.test_client_reach import INJECTED, app, apply, client
from tests.contract.test_explain import tell
from tests.objects import route, service, to, virtual_service

from meshdemo.verdict.traffic import Request

if TYPE_CHECKING:
    from meshdemo.engines.local.engine import LocalEngine

TAKEN = 299
Headers = tuple[tuple[str, str], ...]
TWICE = (("x-user", "anna"), ("x-user", "bob"))


def only(path: str, **condition: dict[str, Any]) -> dict[str, Any]:
    """Give a rule that answers by itself what is of this path and fits a condition."""
    match = {"uri": {"prefix": path}, **condition}
    return {"match": [match], "directResponse": {"status": TAKEN}}


def redirected(path: str, kind: str = "prefix", **redirect: Any) -> dict[str, Any]:
    return {"match": [{"uri": {kind: path}}], "redirect": redirect}


@pytest.fixture
def mesh(local: LocalEngine) -> LocalEngine:
    apply(
        local,
        service(
            {"name": "http", "port": 80, "targetPort": 8080},
            {"name": "http-alt", "port": 8081, "targetPort": 8080},
            namespace="default",
        ),
        virtual_service(
            only("/exact", headers={"x-user": {"exact": "anna"}}),
            only("/prefix", headers={"x-user": {"prefix": "an"}}),
            only("/later", headers={"x-user": {"prefix": "bo"}}),
            only("/there", headers={"x-user": {}}),
            only("/without", withoutHeaders={"x-user": {"exact": "anna"}}),
            only("/neither", withoutHeaders={"x-user": {"exact": "carl"}}),
            only("/method", headers={":method": {"exact": "GET"}}),
            only("/host", headers={"host": {"exact": "app"}}),
            only("/authority", withoutHeaders={":authority": {"exact": "app"}}),
            only("/path", headers={":path": {"exact": "/path?a=b"}}),
            only("/length", headers={"content-length": {"exact": "0"}}),
            only("/te", headers={"te": {}}),
            redirected("/to/uri", uri="/x"),
            redirected("/to/query", uri="/x?y=z"),
            redirected("/to/authority", authority="b:90"),
            redirected("/to/all", uri="/x", port=8080, authority="b:90", scheme="https"),
            redirected("/to/port", port=8080),
            redirected("/to/default", port=80),
            redirected("/to/derived", derivePort="FROM_REQUEST_PORT"),
            redirected("/to/protocol", derivePort="FROM_PROTOCOL_DEFAULT"),
            redirected("/to/https", scheme="https", redirectCode=308),
            redirected("/to/pre", prefixRewrite="/x"),
            redirected("/to/same", "exact", authority="b"),
            redirected("/to/reg.*", "regex", uri="/x"),
            redirected("/to/relative", uri="x"),
            {
                **redirected("/to/own", uri="/x"),
                "headers": {"response": {"set": {"Location": "http://own/"}}},
            },
            {
                "match": [{"uri": {"prefix": "/marked"}}],
                "headers": {"response": {"set": {"x-by": "meshdemo"}}},
                **route(to("")),
            },
            route(to("")),
            namespace="default",
        ),
        app("v1", **INJECTED),
        client(),
    )
    return local


def test_what_is_said_of_headers_is_true_or_left_open(mesh: LocalEngine) -> None:
    asked: list[tuple[str, str, Headers, bool, int]] = [
        # method, path and headers, whether it can be known, and what Envoy 1.40 answers
        ("GET", "/exact", TWICE, False, TAKEN),
        ("GET", "/prefix", TWICE, True, TAKEN),
        ("GET", "/later", TWICE, False, TAKEN),
        ("GET", "/there", TWICE, True, TAKEN),
        ("GET", "/without", TWICE, False, 200),
        ("GET", "/neither", TWICE, True, TAKEN),
        ("GET", "/method", (), True, TAKEN),
        ("POST", "/method", (), True, 200),
        ("GET", "/host", (), True, TAKEN),
        ("GET", "/authority", (), True, 200),
        ("GET", "/path?a=b", (), True, TAKEN),
        ("GET", "/path?a=c", (), True, 200),
        ("POST", "/length", (), False, TAKEN),
        ("GET", "/length", (), True, 200),
        ("GET", "/te", (("te", "gzip"),), False, 200),
    ]
    for method, path, headers, is_known, status in asked:
        found = tell(mesh, Request(f"http://app{path}", method, headers))
        assert found.observed.reply.status == status, path
        assert found.differences == (), path
        assert bool(found.trace.undecided) is not is_known, path
        own = [each.status for each in found.trace.own_answers]
        assert own == ([TAKEN] if is_known and status == TAKEN else []), path


@pytest.mark.parametrize("host", ["app", "app:8081"])
def test_where_a_redirect_leads_is_what_the_sidecar_answers(mesh: LocalEngine, host: str) -> None:
    paths = [
        "uri",
        "query",
        "authority",
        "all",
        "port",
        "default",
        "derived",
        "protocol",
        "https",
        "pre/a",
        "same",
        "reg/a",
        "relative",
    ]
    for path in (f"/to/{name}{query}" for name in paths for query in ("", "?a=b")):
        found = tell(mesh, Request(f"http://{host}{path}"))
        assert found.trace.location, path
        assert found.observed.reply.header("location") == found.trace.location, path
        assert found.differences == (), path
    own = tell(mesh, Request(f"http://{host}/to/own"))
    assert (own.trace.location, own.differences) == ("", ())
    assert own.observed.reply.header("location") == "http://own/"
