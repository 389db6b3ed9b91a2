from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdemo.errors import InputError
from meshdemo.rules import hosts, http_matches
from meshdemo.rules.http_matches import Call
from meshdemo.rules.virtual_services import VirtualService
from meshdemo.verdict.traffic import Request


def call(
    url: str = "http://app/env/version",
    method: str = "GET",
    headers: dict[str, str] | None = None,
    twice: tuple[str, str] | None = None,
) -> Call:
    more = [("x-a", value) for value in twice or ()]
    request = Request(url, method, (*(headers or {}).items(), *more))
    return Call.of(request, "default", {"app": "testclient", "team": "red"})


def rule(*matches: dict[str, Any]) -> VirtualService:
    """Make one with an HTTP rule that has these matches."""
    return VirtualService("app", "shop", ("app",), ({"match": list(matches)},), frozenset("*"))


@pytest.mark.parametrize(
    ("match", "sent", "takes"),
    [
        pytest.param({}, call(), True, id="no condition"),
        pytest.param({"uri": {"exact": "/a"}}, call("http://app/a?b=c"), True, id="path, no query"),
        pytest.param({"uri": {"exact": "/a"}}, call("http://app/a/"), False, id="whole path"),
        pytest.param({"uri": {"exact": "/"}}, call("http://app"), True, id="no path is the root"),
        pytest.param({"uri": {"prefix": "/api"}}, call("http://app/apifoo"), True, id="any prefix"),
        pytest.param({"uri": {"prefix": "/A"}}, call("http://app/a"), False, id="case matters"),
        pytest.param(
            {"uri": {"prefix": "/A"}, "ignoreUriCase": True},
            call("http://app/ab"),
            True,
            id="or not",
        ),
        pytest.param(
            {"uri": {"regex": "/A"}, "ignoreUriCase": True},
            call("http://app/a"),
            False,
            id="regex case",
        ),
        pytest.param({"uri": {"regex": "/i/[0-9]+"}}, call("http://app/i/42"), True, id="regex"),
        pytest.param({"uri": {"regex": "/i"}}, call("http://app/i/42"), False, id="whole regex"),
        pytest.param({"method": {"exact": "GET"}}, call(), True, id="method"),
        pytest.param({"method": {"exact": "get"}}, call(), False, id="method's case"),
        pytest.param({"scheme": {"exact": "http"}}, call(), True, id="scheme"),
        pytest.param(
            {"authority": {"exact": "app"}}, call("http://app:80/"), True, id="default port"
        ),
        pytest.param(
            {"authority": {"exact": "app"}}, call("http://app:81/"), False, id="other port"
        ),
        pytest.param(
            {"headers": {"X-A": {"exact": "1"}}}, call(headers={"x-a": "1"}), True, id="header"
        ),
        pytest.param({"headers": {"x-a": {"prefix": ""}}}, call(), False, id="header missing"),
        pytest.param({"headers": {"x-a": {}}}, call(headers={"x-a": ""}), True, id="header there"),
        pytest.param({"headers": {"x-a": {"regex": "*"}}}, call(), False, id="star is presence"),
        pytest.param({"withoutHeaders": {"x-a": {}}}, call(), True, id="without a header"),
        pytest.param(
            {"withoutHeaders": {"x-a": {}}}, call(headers={"x-a": "1"}), False, id="but it is there"
        ),
        pytest.param(
            {"withoutHeaders": {"x-a": {"exact": "1"}}},
            call(headers={"x-a": "2"}),
            True,
            id="other value",
        ),
        pytest.param(
            {"withoutHeaders": {"x-a": {"exact": ""}}}, call(), False, id="missing is empty"
        ),
        pytest.param(
            {"queryParams": {"u": {"exact": "1"}}}, call("http://app/?u=1&u=2"), True, id="first"
        ),
        pytest.param(
            {"queryParams": {"u": {"exact": "2"}}}, call("http://app/?u=1&u=2"), False, id="second"
        ),
        pytest.param({"queryParams": {"u": {}}}, call("http://app/?u"), True, id="parameter there"),
        pytest.param({"queryParams": {"u": {}}}, call(), False, id="parameter missing"),
        pytest.param({"port": 80}, call(), True, id="port"),
        pytest.param({"port": 81}, call(), False, id="not this port"),
        pytest.param({"sourceLabels": {"team": "red"}}, call(), True, id="client's label"),
        pytest.param({"sourceLabels": {"team": "blue"}}, call(), False, id="not its label"),
        pytest.param({"sourceNamespace": "default"}, call(), True, id="client's namespace"),
        pytest.param({"sourceNamespace": "shop"}, call(), False, id="not its namespace"),
        pytest.param({"gateways": ["mesh", "gw"]}, call(), True, id="in the mesh"),
        pytest.param({"gateways": ["gw"]}, call(), False, id="at a gateway"),
        pytest.param(
            {"gateways": ["mesh"], "sourceLabels": {"team": "blue"}},
            call(),
            True,
            id="gateways first",
        ),
        pytest.param(
            {"uri": {"prefix": "/"}, "headers": {"x-a": {"exact": "1"}}},
            call(),
            False,
            id="all of them",
        ),
    ],
)
def test_a_rule_takes_a_request_when_all_conditions_of_a_match_hold(
    match: dict[str, Any], sent: Call, *, takes: bool
) -> None:
    found = [each for _, each in rule(match).http_rules(sent.port, sent.namespace, sent.labels)]
    assert any(http_matches.takes(each, sent) for each in found) is takes


def test_one_of_several_matches_is_enough() -> None:
    several = rule({"uri": {"exact": "/a"}}, {"uri": {"exact": "/b"}})
    matches = [match for _, match in several.http_rules(80, "shop", {})]
    assert any(http_matches.takes(match, call("http://app/b")) for match in matches)
    assert not any(http_matches.takes(match, call("http://app/c")) for match in matches)


@pytest.mark.parametrize(
    ("match", "concerned"),
    [
        ({"port": 81}, False),
        ({"uri": {"exact": "/elsewhere"}}, True),
        ({"gateways": ["gw"]}, False),
    ],
)
def test_a_rule_for_other_clients_or_ports_is_none_at_all(
    match: dict[str, Any], *, concerned: bool
) -> None:
    assert any(rule(match).http_rules(80, "shop", {})) is concerned


@pytest.mark.parametrize(
    "match",
    [
        pytest.param(
            {"headers": {"user-agent": {"prefix": "curl"}}}, id="header set by the client"
        ),
        pytest.param({"withoutHeaders": {"X-Request-Id": {}}}, id="header set by the sidecar"),
        pytest.param({"headers": {":protocol": {}}}, id="pseudo-header"),
        pytest.param({"uri": {"regex": "/[[:alpha:]]+"}}, id="class that only RE2 has"),
        pytest.param({"uri": {"regex": r"/\pL+"}}, id="escape that only RE2 has"),
    ],
)
def test_what_cannot_be_known_here_is_not_guessed(match: dict[str, Any]) -> None:
    with pytest.raises(InputError) as error:
        http_matches.takes(match, call())
    assert "--expect" in error.value.hint


def test_a_header_that_the_user_sets_is_known() -> None:
    match = {"headers": {"user-agent": {"prefix": "curl"}}}
    assert http_matches.takes(match, call(headers={"User-Agent": "curl/8"}))


def test_a_condition_that_fails_anyway_spares_the_one_that_cannot_be_known() -> None:
    match = {"uri": {"exact": "/x"}, "headers": {"user-agent": {"exact": "a"}}}
    assert not http_matches.takes(match, call())


@pytest.mark.parametrize(
    "request_",
    [
        Request("https://app/"),
        Request("app/env/version"),
        Request("http://app:port/"),
        Request("http://[app/"),
        Request("http:///x"),
        Request("http://app/public/../admin"),
        Request("http://app/public/%2e%2E/admin"),
        Request("http://app/", "GET", (("Host", "other"),)),
    ],
    ids=lambda request: request.url,
)
def test_a_request_that_no_rule_can_be_tried_on_is_refused(request_: Request) -> None:
    with pytest.raises(InputError):
        Call.of(request_, "default", {})


@pytest.mark.parametrize(
    ("path", "matched"),
    [("/%6C%7e", "/l~"), ("/a%2Fb", "/a%2Fb"), ("/%41%20", "/A%20"), ("/100%", "/100%")],
)
def test_a_path_is_matched_as_envoy_decodes_it(path: str, matched: str) -> None:
    assert call(f"http://app{path}").path == matched


@pytest.mark.parametrize(
    ("condition", "values", "takes"),
    [
        # True and False as every Envoy says; None where one before 1.39 says something else.
        ({"exact": "anna"}, ("anna", "bob"), None),
        ({"exact": "anna"}, ("bob", "anna"), None),
        ({"exact": "anna,bob"}, ("anna", "bob"), None),
        ({"exact": "anna"}, ("anna", "anna"), None),
        ({"exact": "carl"}, ("anna", "bob"), False),
        ({"prefix": "an"}, ("anna", "bob"), True),
        ({"prefix": "bo"}, ("anna", "bob"), None),
        ({"regex": "an.*"}, ("anna", "bob"), True),
        ({"regex": "b.*"}, ("anna", "bob"), None),
        ({"regex": "[a-z,]+"}, ("anna", "bob"), True),
        ({}, ("anna", "bob"), True),
        ({"regex": "*"}, ("anna", "bob"), True),
    ],
)
@pytest.mark.parametrize("without", [False, True])
def test_of_repeated_headers_only_what_every_envoy_says_is_known(
    condition: dict[str, str], values: tuple[str, str], *, takes: bool | None, without: bool
) -> None:
    match = {"withoutHeaders" if without else "headers": {"x-a": condition}}
    sent = call(twice=values)
    if takes is not None:
        assert http_matches.takes(match, sent) is (takes != without)
        return
    with pytest.raises(InputError, match="there more than once"):
        http_matches.takes(match, sent)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "app:81"),
        ("host", "app:81"),
        ("Host", "app:81"),
        (":path", "/a?b=c"),
    ],
)
def test_method_and_host_and_path_are_headers_too(name: str, value: str) -> None:
    sent = call("http://app:81/a?b=c")
    assert http_matches.takes({"headers": {name: {"exact": value}}}, sent)
    assert not http_matches.takes({"headers": {name: {"exact": "else"}}}, sent)
    assert not http_matches.takes({"withoutHeaders": {name: {"exact": value}}}, sent)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_whether_a_client_says_that_there_is_no_body_is_not_known(method: str) -> None:
    match = {"headers": {"content-length": {"exact": "0"}}}
    with pytest.raises(InputError, match="others set by themselves"):
        http_matches.takes(match, call(method=method))
    assert not http_matches.takes(match, call())
    assert http_matches.takes(match, call(method=method, headers={"Content-Length": "0"}))


@pytest.mark.parametrize("name", ["te", "connection", "x-envoy-retry-on"])
def test_a_header_that_sidecars_take_out_is_not_known_even_where_it_is_sent(name: str) -> None:
    with pytest.raises(InputError, match="sidecars change"):
        http_matches.takes({"headers": {name: {}}}, call(headers={name: "gzip"}))


@pytest.mark.parametrize(
    ("host", "full"),
    [
        ("app", "app.shop.svc.cluster.local"),
        ("App", "app.shop.svc.cluster.local"),
        ("app.shop", "app.shop"),
        ("*", "*"),
        ("*.local", "*.local"),
    ],
)
def test_only_a_host_without_a_dot_is_completed(host: str, full: str) -> None:
    assert hosts.full_name(host, "shop") == full


def test_an_exact_host_fits_closer_than_a_wildcard_and_a_long_one_closer_than_a_short_one() -> None:
    host = "app.shop.svc.cluster.local"
    patterns = [host, "*.shop.svc.cluster.local", "*.local", "*", "*.default.svc.cluster.local"]
    closest = [hosts.most_specific(host, patterns[place:]) for place in range(len(patterns))]
    assert closest == [*patterns[:-1], None]


@given(st.text(alphabet="ab/?&=.%:", max_size=20))
def test_any_url_is_taken_apart_or_refused(rest: str) -> None:
    try:
        taken = Call.of(Request(f"http://app{rest}"), "default", {})
    except InputError:
        return
    assert taken.path.startswith("/")
    assert "?" not in taken.path
