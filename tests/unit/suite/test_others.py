"""Files of others become RouteTests: what they say of rules is said of answers."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from meshdemo.errors import InputError
from meshdemo.suite import reading, running
from meshdemo.suite.others import converting

if TYPE_CHECKING:
    from pathlib import Path

    from meshdemo.suite.model import TestFile

RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: shop}
spec:
  hosts: [shop.example.com, "*.wild.example.com"]
  gateways: [web/public]
  http:
    - match: [{uri: {prefix: /api}}]
      rewrite: {uri: /v1}
      route: [{destination: {host: api}}]
    - match: [{uri: {prefix: /old}}]
      redirect: {uri: /new, redirectCode: 302}
    - match: [{headers: {x-user: {exact: anna}}, withoutHeaders: {x-bot: {}}}]
      route: [{destination: {host: shop, subset: canary}}]
    - match: [{uri: {prefix: /split}}]
      route:
        - {destination: {host: shop, subset: v1}, weight: 80}
        - {destination: {host: shop, subset: canary}, weight: 20}
    - match: [{uri: {prefix: /team}}]
      delegate: {name: team}
    - route: [{destination: {host: shop, subset: v1}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: team, namespace: shop}
spec:
  http:
    - match: [{uri: {prefix: /team/a}}]
      route: [{destination: {host: team.teams.svc.cluster.local}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: shop, namespace: shop}
spec:
  host: shop
  subsets:
    - {name: v1, labels: {version: "1.0"}}
    - {name: canary, labels: {track: canary}}
"""
SHOP = "shop.shop.svc.cluster.local"


def read(folder: Path, data: dict[str, Any]) -> TestFile:
    file, rules = folder / "tests.yml", folder / "rules.yaml"
    file.write_text(yaml.safe_dump(data, sort_keys=False))
    rules.write_text(RULES)
    (found,) = reading.read([str(file)], rules=[str(rules)])
    return found


def case(uri: str = "/", want: bool = True, sent: Any = None, **expected: Any) -> dict[str, Any]:
    """Give one test case of istio-config-validator."""
    request: dict[str, Any] = {"authority": ["shop.example.com"], "method": ["GET"], "uri": [uri]}
    request |= {"headers": sent} if sent else {}
    return {"testCases": [{"description": "t", "wantMatch": want, "request": request, **expected}]}


def to(host: str, subset: str = "", **more: Any) -> dict[str, Any]:
    return {"destination": {"host": host, **({"subset": subset} if subset else {})}, **more}


def written(found: TestFile) -> list[dict[str, Any]]:
    """Give what the tests expect, as it is written."""
    assert found.item
    return [test["expect"] for test in found.item.data["tests"]]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(
            case(route=[to("shop", "v1")]),
            [{"service": SHOP, "version": "1.0"}],
            id="a subset is known by its label",
        ),
        pytest.param(
            case(sent={"x-user": "anna"}, route=[to("shop", "canary")]),
            [{"service": SHOP, "version": "canary"}],
            id="or else by its name",
        ),
        pytest.param(
            case("/split", route=[to("shop", "v1", weight=80), to("shop", "canary", weight=20)]),
            [{"shares": {"1.0": "80%", "canary": "20%"}}],
            id="weights are shares",
        ),
        pytest.param(
            case("/split", want=False, route=[to("shop", "v1")]),
            [{"not": {"shares": {"1.0": "100%"}}}],
            id="not this list of destinations",
        ),
        pytest.param(
            case("/api/x?y=1", route=[to("api")], rewrite={"uri": "/v1"}),
            [{"path": "/v1/x?y=1", "service": "api.shop.svc.cluster.local"}],
            id="a rewrite is the path that the app sees",
        ),
        pytest.param(
            case("/api/x", rewrite={"uri": "/v2", "authority": "a.example.com"}, want=False),
            [{"not": {"path": "/v2/x", "requestHeaders": {"host": "a.example.com"}}}],
            id="not this rewrite",
        ),
        pytest.param(
            case("/api/x", rewrite={"uriRegexRewrite": {"match": "/api/(.*)", "rewrite": r"/\1"}}),
            [{"path": "/x"}],
            id="a rewrite by a regex",
        ),
        pytest.param(
            case("/old?a=b", redirect={"uri": "/new", "redirectCode": 302}),
            [{"status": 302, "location": "http://shop.example.com/new?a=b"}],
            id="a redirect is status and Location",
        ),
        pytest.param(
            case("/old", redirect={"scheme": "https", "authority": "x.example.com", "port": 8443}),
            [{"status": 301, "location": "https://x.example.com:8443/old"}],
            id="a redirect elsewhere",
        ),
        pytest.param(
            case("/old", want=False, redirect={"uri": "/new", "redirectCode": 301}),
            [{"not": {"status": 301}}],
            id="not this redirect: the code differs",
        ),
        pytest.param(
            case("/old", want=False, redirect={"uri": "/newer"}),
            [{"not": {"status": 301}}],
            id="not this redirect",
        ),
        pytest.param(
            case(fault={"abort": {"httpStatus": 403, "percentage": {"value": 100}}}),
            [{"status": 403}],
            id="an abort is its status",
        ),
        pytest.param(
            case(fault={"abort": {"httpStatus": 503, "percentage": {"value": 12.5}}}),
            [{"shares": {"503": "12.5%"}}],
            id="an abort of some is a share",
        ),
        pytest.param(
            case(fault={"delay": {"fixedDelay": "1.5s", "percentage": {"value": 100}}}),
            [{"seconds": [1.5, 2.5]}],
            id="a delay takes time",
        ),
        pytest.param(
            case(
                route=[to("shop", "v1")],
                headers={
                    "request": {"set": {"a": "1"}, "add": {"b": "2.0"}, "remove": ["c"]},
                    "response": {"set": {"d": "100%%"}},
                },
            ),
            [
                {
                    "requestHeaders": {"c": None, "a": "1", "b": {"regex": r"(.*, ?)?2\.0"}},
                    "responseHeaders": {"d": "100%"},
                    "service": SHOP,
                    "version": "1.0",
                }
            ],
            id="headers are what app and client see",
        ),
        pytest.param(
            case("/team/a", delegate={"name": "team"}),
            [{"service": "team.teams.svc.cluster.local"}],
            id="a delegate is known by its destinations",
        ),
    ],
)
def test_what_a_test_case_says_of_rules_is_said_of_answers(
    tmp_path: Path, given: dict[str, Any], expected: list[dict[str, Any]]
) -> None:
    assert written(read(tmp_path, given)) == expected


def test_requests_that_shall_get_the_same_are_one_test_and_keep_their_line(tmp_path: Path) -> None:
    data = case(route=[to("shop", "v1")], rewrite={"uri": "/x"})
    asked = data["testCases"][0]["request"]
    asked |= {"authority": ["shop.example.com", "a.wild.example.com"], "method": ["GET", "PUT"]}
    asked["uri"] = ["/", "/b"]
    found = read(tmp_path, {"testCases": [*data["testCases"], deepcopy(data["testCases"][0])]})
    assert [(test.name, len(test.sent)) for test in found.tests] == [
        ("t", 4),
        ("t (2)", 4),
        ("t (3)", 4),
        ("t (4)", 4),
    ]
    lines = (tmp_path / "tests.yml").read_text().splitlines()
    starts = [n for n, line in enumerate(lines, 1) if line.startswith("- description")]
    assert sorted({test.line for test in found.tests}) == starts
    assert {sent.request.method for sent in found.tests[0].sent} == {"GET", "PUT"}


def test_what_no_rule_names_gets_pods_so_that_the_test_can_be_wrong(tmp_path: Path) -> None:
    data = {
        "testCases": [
            *case(route=[to("elsewhere.example.com")])["testCases"],
            *case(route=[to("shop", "v9")])["testCases"],
            *case(want=False, route=[to("api")])["testCases"],
        ]
    }
    found = read(tmp_path, data)
    assert {host: [pod.version for pod in pods] for host, pods in found.stand_ins.items()} == {
        "elsewhere.example.com": ["elsewhere-example-com"],
        SHOP: ["v9"],
        "api.shop.svc.cluster.local": ["api"],
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param(
            {"uri": "/x", "authority": "a.wild.example.com"},
            "finds another rule for http://a.wild.example.com/x: it knows no wildcard",
            id="wildcard",
        ),
        pytest.param(
            {"uri": "/x", "sent": {"x-user": "anna", "x-bot": "1"}},
            "it does not look at withoutHeaders",
            id="withoutHeaders",
        ),
        pytest.param(
            {"uri": "/x", "sent": {"X-User": "anna"}},
            "it tells names of headers apart by their capitals",
            id="capitals",
        ),
        pytest.param(
            {"uri": "/team/b"},
            "it does not see that the delegate has matches of its own",
            id="delegate",
        ),
    ],
)
def test_where_the_mock_is_wrong_that_is_said_by_name(
    tmp_path: Path, given: dict[str, Any], said: str
) -> None:
    authority = given.pop("authority", "shop.example.com")
    data = case(**given, route=[to("shop", "v1")])
    data["testCases"][0]["request"]["authority"] = [authority]
    (remark,) = read(tmp_path, data).remarks
    assert remark.message.startswith("istio-config-validator finds another rule for ")
    assert said in remark.message
    assert (remark.file, remark.line) == (str(tmp_path / "tests.yml"), 2)


def test_where_the_mock_is_right_nothing_is_said(tmp_path: Path) -> None:
    for uri in ("/api/x", "/old", "/split", "/team/a", "/"):
        assert read(tmp_path, case(uri, route=[to("shop", "v1")])).remarks == ()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (case(), "it expects nothing, so it is left out"),
        (case(delegate={"name": "gone"}), "there is no VirtualService shop/gone in these rules"),
        (
            case(fault={"abort": {"httpStatus": 403}}, route=[to("shop", "v1")]),
            "without a percentage Istio aborts nothing",
        ),
        (
            case(fault={"delay": {"fixedDelay": "1s", "percentage": {"value": 5}}}),
            "a delay of some requests is not counted",
        ),
        (
            case("/old", redirect={"uri": "/new"}, rewrite={"uri": "/x"}),
            "path is not seen: what is redirected never comes to a pod",
        ),
        (
            case(headers={"request": {"set": {"a": "%REQ(b)%"}}}),
            "its value is Envoy's to make",
        ),
        (
            case(route=[to("shop", "v1", headers={"request": {"remove": ["a"]}})]),
            "headers of one destination are not tested",
        ),
    ],
)
def test_what_no_answer_tells_is_said(tmp_path: Path, given: dict[str, Any], said: str) -> None:
    data = {"testCases": [*given["testCases"], *case(route=[to("shop", "v1")])["testCases"]]}
    assert said in " ".join(remark.message for remark in read(tmp_path, data).remarks)


def router_check(validate: dict[str, Any], path: str = "/", **more: Any) -> dict[str, Any]:
    asked = {"authority": "shop.example.com", "path": path, **more}
    return {"tests": [{"test_name": "t", "input": asked, "validate": validate}]}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            router_check({"cluster_name": f"outbound|80|v1|{SHOP}"}),
            {"service": SHOP, "version": "1.0"},
        ),
        (router_check({"cluster_name": f"outbound|80||{SHOP}"}), {"service": SHOP}),
        (
            router_check({"cluster_name": f"outbound|80|canary|{SHOP}"}, "/split", random_value=90),
            {"not": {"shares": {"canary": "0%"}}},
        ),
        (
            router_check({"path_redirect": "http://shop.example.com/new", "code_redirect": 302}),
            {"location": "http://shop.example.com/new", "status": 302},
        ),
        (
            router_check({"cluster_name": ""}, "/old"),
            {"not": {"service": [
                "api.shop.svc.cluster.local", SHOP, "team.teams.svc.cluster.local"
            ]}},
        ),
        (
            router_check({"path_rewrite": "/v1", "host_rewrite": "x", "path_redirect": ""}, "/api"),
            {"path": "/v1", "requestHeaders": {"host": "x"}, "responseHeaders": {"location": None}},
        ),
        (
            router_check(
                {
                    "request_header_matches": [
                        {"name": "a", "exact_match": "1"},
                        {"name": "b", "string_match": {"prefix": "p"}},
                        {"name": "c", "string_match": {"safe_regex": {"regex": "[a-z]+"}}},
                        {"name": "d", "present_match": True},
                        {"name": "e", "present_match": True, "invert_match": True},
                        {"name": "f", "suffix_match": ".x"},
                    ],
                    "response_header_matches": [{"name": "g", "contains_match": "z"}],
                }
            ),
            {
                "requestHeaders": {
                    "a": "1",
                    "b": {"prefix": "p"},
                    "c": {"regex": "[a-z]+"},
                    "d": {"regex": ".*"},
                    "e": None,
                    "f": {"regex": r".*\.x"},
                },
                "responseHeaders": {"g": {"regex": ".*z.*"}},
            },
        ),
    ],
)  # fmt: skip
def test_what_a_route_is_validated_for_is_said_of_answers(
    tmp_path: Path, given: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert written(read(tmp_path, given)) == [expected]


def test_the_request_of_a_router_check_is_sent_as_it_says(tmp_path: Path) -> None:
    headers = [{"key": "x-user", "value": "anna"}]
    given = router_check(
        {"virtual_host_name": "x", "code_redirect": 301}, "/a?b", method="PUT", ssl=True,
        additional_request_headers=headers, internal=True,
    )  # fmt: skip
    found = read(tmp_path, given)
    (sent,) = found.tests[0].sent
    assert (sent.request.url, sent.request.method) == ("https://shop.example.com/a?b", "PUT")
    assert sent.request.headers == (("x-user", "anna"),)
    assert [remark.message.partition(",")[0] for remark in found.remarks] == [
        "virtual_host_name is not seen in an answer",
        "internal is not sent",
    ]


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"testCases": {}}, "testCases", "a list is wanted"),
        ({"testCases": ["x"]}, "testCases[0]", "a mapping is wanted"),
        (case(rout=[]), "testCases[0].rout", "there is no such field"),
        (case(route={}), "testCases[0].route", "a list is wanted"),
        (case(want="yes", route=[]), "testCases[0].wantMatch", "a boolean is wanted"),  # type: ignore[arg-type]  # it is wrong
        (case("", route=[]), "testCases[0].request.uri", "a list with at least one text is wanted"),
        (case(sent={"a": 1}, route=[]), "testCases[0].request.headers.a", "text is wanted"),
        (router_check({}), "tests[0].validate", "it validates nothing"),
        (router_check({"cluster": "a"}), "tests[0].validate.cluster", "there is no such field"),
        (router_check({"code_redirect": "301"}), "tests[0].validate.code_redirect", "a whole"),
        (
            router_check({"response_header_matches": [{"name": "a", "exact_match": 1}]}),
            "tests[0].validate.response_header_matches[0].exact_match",
            "text is wanted",
        ),
        (router_check({"cluster_name": "a"}, ""), "tests[0].input.path", "it is missing"),
    ],
)
def test_what_is_wrong_with_them_is_refused_at_its_place(
    tmp_path: Path, given: dict[str, Any], field: str, said: str
) -> None:
    with pytest.raises(InputError) as refused:
        read(tmp_path, given)
    (problem,) = refused.value.problems
    assert problem.field == field
    assert problem.message.startswith(said)
    assert problem.line


def test_what_is_converted_says_the_same_and_the_remarks_above_it(tmp_path: Path) -> None:
    data = {
        "testCases": [
            *case("/split", want=False, route=[to("shop", "v1")])["testCases"],
            *case("/x", sent={"x-user": "anna", "x-bot": "1"}, route=[to("shop", "v1")])[
                "testCases"
            ],
        ]
    }
    found = read(tmp_path, data)
    file = tmp_path / "deep" / "shop.meshtest.yaml"
    file.parent.mkdir()
    file.write_text(converting.text([found], file.parent))
    assert file.read_text().startswith("---\n# ")
    assert "it does not look at withoutHeaders" in file.read_text()
    (again,) = reading.read([str(file)])
    assert [(t.name, t.sent, t.expect) for t in again.tests] == [
        (t.name, t.sent, t.expect) for t in found.tests
    ]
    assert [(tmp_path / "rules.yaml").samefile(each) for each in again.rules] == [True]
    assert not again.is_of_others
    with pytest.raises(InputError, match="is a RouteTest already"):
        converting.text([again], tmp_path)


def test_they_are_run_by_real_requests(tmp_path: Path) -> None:
    data = {
        "testCases": [
            *case("/api/x", route=[to("api")], rewrite={"uri": "/v1"})["testCases"],
            *case("/old", redirect={"uri": "/new", "redirectCode": 302})["testCases"],
            *case("/split", want=False, route=[to("shop", "v1")])["testCases"],
            *case("/team/a", delegate={"name": "team"})["testCases"],
            *case("/", want=False, route=[to("shop", "v1")])["testCases"],
            *case("/", route=[to("elsewhere.example.com")])["testCases"],
        ]
    }
    result = running.run(read(tmp_path, data))
    assert [each.ok for each in result.cases] == [True] * 4 + [False] * 2


def test_without_rules_it_is_said_how_to_name_them(tmp_path: Path) -> None:
    file = tmp_path / "tests.json"
    file.write_text(json.dumps(case(route=[to("shop")])))
    with pytest.raises(InputError) as refused:
        reading.read([str(file)])
    (problem,) = refused.value.problems
    assert problem.hint == "name the rules: --rules PATH"
