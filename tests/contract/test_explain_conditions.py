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


@pytest.fixture
def mesh(local: LocalEngine) -> LocalEngine:
    apply(
        local,
        service({"name": "http", "port": 80, "targetPort": 8080}, namespace="default"),
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
