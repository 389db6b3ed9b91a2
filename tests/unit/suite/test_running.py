"""Route tests that are run: real Envoys, and what is said of what comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psutil
import pytest
from tests import chance
from tests.objects import manifest
from tests.unit.suite.conftest import HEAD, RULES

from meshdemo.errors import EnvironmentFailed, InputError
from meshdemo.objects.model import Object
from meshdemo.suite import preparing, reading
from meshdemo.suite.private_mesh import PrivateMesh
from meshdemo.verdict.judgement import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from meshdemo.suite.results import FileResult

    Run = Callable[..., FileResult]

RIGHT = """
- {name: anna, request: {url: "http://shop/", headers: {x-user: anna}}, expect: {version: v2}}
- name: canary
  request: {url: "http://shop/"}
  expect: {shares: {v1: 90%, v2: 10%}, margin: 5}
- name: old
  request: {url: "http://shop/old"}
  expect: {status: [301, 302], location: "http://shop/new"}
- name: api
  request: {url: "http://shop/api/x?y=1", method: POST, body: hello, headers: {x-debug: "1"}}
  expect: {service: shop, path: /x?y=1, mirroredTo: shop-shadow,
           requestHeaders: {x-env: [prod, canary], x-debug: null, content-length: "5"},
           responseHeaders: {x-out: {regex: "[0-9]"}, x-no: null},
           not: {version: v2, mirroredTo: slow, responseHeaders: {x-out: null}}}
- {name: slow, request: {url: "http://shop/slow"}, expect: {status: 504, seconds: [0.25, 0.9]}}
- {name: none, request: {url: "http://shop/admin"}, expect: {status: 404, not: {service: shop}}}
- {name: either, request: {url: "http://shop/"}, expect: {version: [v1, v2], status: 200}}
- {name: pods, request: {}, expect: {pods: 2}}
- {name: not half, request: {}, expect: {not: {shares: {v1: 50%, v2: 50%}}}}
"""


def test_what_is_right_is_met_and_what_is_missing_is_made_up(run: Run) -> None:
    result = run(RIGHT, more="standIns: {slow: [{delay: 2s}]}\ncoverage: {failUnder: 100}")
    assert chance.failed(result) == {}
    assert result.coverage.percent == 100
    assert set(result.made_up) == {
        "Service default/shop",
        "Service default/shop-shadow",
        "Service default/slow",
        "pod default/shop-shadow",
        "pod default/shop-v1",
        "pod default/shop-v2",
    }


@pytest.mark.parametrize(
    ("test", "expected", "got", "line"),
    [
        ("{url: 'http://shop/', headers: {x-user: anna}}~{version: v1}", "version v1", "v2", 18),
        ("{url: 'http://shop/'}~{version: v1}", "version v1", "version v2", 31),
        ("{url: 'http://shop/'}~{shares: {v1: 50%, v2: 50%}}", "shares v1=50%", "v1 ", 31),
        (
            "{url: 'http://shop/', headers: {x-user: anna}}~{not: {shares: {v2: 100%}}}",
            "not shares",
            "v2 100",
            17,
        ),
        ("{url: 'http://shop/old'}~{location: 'http://shop/x'}", "Location", "http://shop/new", 19),
        ("{url: 'http://shop/old'}~{status: 302}", "status 302", "status 301", 20),
        ("{url: 'http://shop/api/x'}~{path: /api/x}", "path /api/x", "path /x", 21),
        ("{url: 'http://shop/api/x'}~{requestHeaders: {x-env: null}}", "no request", "canary", 21),
        ("{url: 'http://shop/api/x'}~{not: {mirroredTo: shop-shadow}}", "not a copy", "a copy", 21),
        ("{url: 'http://shop/api/x'}~{mirroredTo: slow}", "a copy to slow", "shop-shadow", 21),
        ("{url: 'http://shop/slow'}~{seconds: [2, 3]}", "2 to 3 s", "0.0", 26),
        ("{url: 'http://shop/'}~{pods: 1}", "answers of 1 pod", "2 pods in ", 31),
        ("{url: 'http://shop/'}~{pods: 3}", "answers of 3 pods", "2 pods in 459", 31),
        ("{url: 'http://shop/admin'}~{service: shop}", "service shop", "the proxy itself", 29),
        ("{url: 'http://shop/admin'}~{body: hello}", "body hello", "body", 29),
    ],
)
def test_what_is_wrong_says_what_came_and_which_rule_decided(
    run: Run, test: str, expected: str, got: str, line: int
) -> None:
    request, expect = test.split("~")
    result = run(f"- {{name: t, request: {request}, expect: {expect}}}\n")
    (case,) = result.cases
    assert case.outcome is Outcome.NOT_MET
    assert expected in case.expected
    assert got in case.got
    assert case.cause
    assert case.place
    assert (case.place.file.rpartition("/")[2], case.place.line) == ("rules.yaml", line)
    assert case.explained
    assert case.explained.differences == ()


def test_a_host_that_nothing_has_is_to_be_corrected_where_the_test_says_it(run: Run) -> None:
    result = run("- {name: t, request: {url: 'http://shopp/'}, expect: {version: v1}}\n")
    (case,) = result.cases
    assert case.cause
    assert case.fix.startswith("correct request.url: there is shop")


def test_an_answer_is_waited_for_as_long_as_a_test_expects(run: Run) -> None:
    slow = "- {name: t, request: {url: 'http://shop/admin'}, expect: {seconds: [10.4, 12]}}\n"
    rules = RULES.replace(
        "    directResponse: {status: 404}",
        "    fault: {delay: {fixedDelay: 10.5s, percentage: {value: 100}}}\n"
        "    route: [{destination: {host: shop, subset: v1}}]",
    )
    (case,) = run(slow, rules).cases
    assert case.ok, case.got


def test_many_answers_that_are_slow_are_waited_for_no_longer_than_is_said(run: Run) -> None:
    either = "- {name: t, request: {url: 'http://shop/'}, expect: {version: [v1, v2]}}\n"
    rules = RULES.replace(
        "  - route:\n",
        "  - fault: {delay: {fixedDelay: 0.4s, percentage: {value: 100}}}\n    route:\n",
    )
    result = run(either, rules, timeout=1)
    (case,) = result.cases
    assert case.outcome is Outcome.INCONCLUSIVE
    assert "when the time was over" in case.cause
    assert 1 < case.requests < 10


@pytest.mark.parametrize(
    ("expect", "wrong"),
    [
        ("{version: v3}", "no pod has the version v3; there are v1, v2"),
        ("{not: {version: canary}}", "expect.not.version: no pod has the version canary"),
        ("{shares: {v1: 90%, v9: 10%}}", "expect.shares: no pod has the version v9"),
        ("{service: shopp}", "no Service is called shopp; did you mean shop?"),
        ("{mirroredTo: nowhere}", "no Service is called nowhere"),
    ],
)
def test_what_nothing_could_meet_is_refused_before_anything_is_sent(
    run: Run, expect: str, wrong: str
) -> None:
    with pytest.raises(InputError) as refused:
        run(f"- {{name: t, request: {{url: 'http://shop/'}}, expect: {expect}}}\n")
    (problem,) = refused.value.problems
    assert wrong in str(problem)
    assert problem.line == 7


GATEWAY = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw, namespace: istio-system}
spec:
  selector: {istio: ingressgateway}
  servers:
  - {hosts: ["*.example.com"], port: {number: 80, name: http, protocol: HTTP},
     tls: {httpsRedirect: true}}
  - {hosts: ["*.example.com"], port: {number: 443, name: https, protocol: HTTPS},
     tls: {mode: SIMPLE, credentialName: x}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a}
spec:
  hosts: [shop.example.com]
  gateways: [istio-system/gw]
  http:
  - route: [{destination: {host: shop}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: b}
spec:
  hosts: [shop.example.com, other.org]
  gateways: [istio-system/gw, mesh]
  http:
  - match: [{uri: {prefix: /b}, gateways: [istio-system/gw]}]
    directResponse: {status: 418}
  - match: [{uri: {prefix: /b}, gateways: [mesh]}]
    directResponse: {status: 410}
"""


def test_a_gateway_answers_by_the_rules_that_are_bound_to_it(run: Run) -> None:
    result = run(
        """
- {name: redirects, request: {url: "http://shop.example.com/b", from: {gateway: istio-system/gw}},
   expect: {status: 301, location: "https://shop.example.com/b"}}
- {name: merged, request: {url: "https://shop.example.com/b", from: {gateway: istio-system/gw}},
   expect: {status: 418}}
- {name: whole, request: {url: "https://shop.example.com/", from: {gateway: istio-system/gw}},
   expect: {status: 200, service: shop, requestHeaders: {x-forwarded-proto: https}}}
- {name: not its host, request: {url: "http://other.org/b", from: {gateway: istio-system/gw}},
   expect: {status: 404}}
- {name: a sidecar, request: {url: "http://other.org/b"}, expect: {status: 410}}
""",
        rules=GATEWAY,
    )
    wrong = {case.name: (case.expected, case.got) for case in result.cases if not case.ok}
    assert wrong == {}
    assert any("TLS is not tested" in note for note in result.notes)


def test_a_request_goes_through_the_gateway_that_all_rules_for_its_host_are_bound_to(
    run: Run,
) -> None:
    only = GATEWAY.replace("gateways: [istio-system/gw, mesh]", "gateways: [istio-system/gw]")
    tests = """
- {name: t, request: {url: "https://shop.example.com/b"}, expect: {status: 418}}
- {name: u, request: {url: "https://shop.example.com/c"}, expect: {status: 200}}
"""
    assert run(tests, rules=only).outcome is Outcome.MET
    two = only.replace("[istio-system/gw]\n  http:\n  - match", "[other/gw]\n  http:\n  - match")
    with pytest.raises(InputError, match="cannot be run") as refused:
        run(tests, rules=two)
    assert "bound to 2 gateways" in str(refused.value.problems[0])


RETRIES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop]
  http:
  - route: [{destination: {host: shop}}]
    retries: {attempts: 5, retryOn: "connect-failure,5xx"}
"""


def test_stand_ins_fail_answer_late_and_with_a_status(run: Run) -> None:
    tests = """
- {name: t, request: {url: "http://shop/"}, expect: {status: 200, version: v2}}
"""
    pods = "standIns: {shop: [{version: v1, failing: true}, {version: v2}]}"
    assert run(tests, rules=RETRIES, more=pods).outcome is Outcome.MET
    pods = "standIns: {shop: [{version: v1, status: 503}, {version: v2}]}"
    assert run(tests, rules=RETRIES, more=pods).outcome is Outcome.MET
    without = RETRIES.replace('{attempts: 5, retryOn: "connect-failure,5xx"}', "{attempts: 0}")
    assert run(tests, rules=without, more=pods).outcome is Outcome.NOT_MET


def rule(http: str, kind: str = "VirtualService") -> str:
    return f"""apiVersion: networking.istio.io/v1
kind: {kind}
metadata: {{name: shop}}
spec: {http.replace("SEND", TO_SHOP)}
"""


TO_SHOP = "route: [{destination: {host: shop}}]"


@pytest.mark.parametrize(
    ("rules", "wrong"),
    [
        (rule("{hosts: [shop], http: [{rout: []}]}"), "rout"),
        (rule("{hosts: [shop], http: [{}]}"), "http[0]"),
        (rule("{hosts: ['*'], http: [{SEND}]}"), 'the host "*" is not allowed'),
        (rule("{hosts: [shop], http: [{match: [{uri: {regex: '('}}], SEND}]}"), "regex"),
        (rule("{hosts: [shop], http: [{timeout: soon, SEND}]}"), "timeout"),
        (
            rule("{hosts: [shop], http: [{redirect: {uri: /x}, SEND}]}"),
            "redirect",
        ),
        (
            rule(
                "{hosts: [shop], http: [{route: [{destination: {host: a}, weight: 0}, "
                "{destination: {host: b}, weight: 0}]}]}"
            ),
            "the total destination weight is 0",
        ),
        (rule("{host: shop, subsets: [{name: V_1, labels: {a: b}}]}", "DestinationRule"), "V_1"),
        (rule("{hosts: [shop], http: [{SEND}]}").replace("{name: shop}", "{}"), "name"),
        ("apiVersion: v1\nkind: VirtualService\nmetadata: [\n", "not YAML"),
        (rule("{hosts: [shop, shop], http: [{SEND}]}"), "duplicate hosts"),
    ],
)
def test_rules_that_are_refused_are_told_apart_with_file_and_line(
    run: Run, rules: str, wrong: str
) -> None:
    with pytest.raises(InputError) as refused:
        run("- {name: t, request: {url: 'http://shop/'}, expect: {status: 200}}\n", rules=rules)
    said = "\n".join(map(str, refused.value.problems))
    assert wrong in said
    assert all("rules.yaml:" in line for line in said.splitlines())


HTTP_80 = {"number": 80, "name": "http", "protocol": "HTTP"}


@pytest.mark.parametrize(
    ("kind", "spec", "field"),
    [
        ("VirtualService", {"hosts": 1}, "spec.hosts"),
        ("VirtualService", {"hosts": ["a"], "http": {"route": []}}, "spec.http"),
        ("VirtualService", {"hosts": ["a"], "http": [{"route": 5}]}, "spec.http[0].route"),
        ("DestinationRule", {"host": "a", "subsets": 3}, "spec.subsets"),
        ("Service", {"ports": "80"}, "spec.ports"),
        ("Gateway", {"servers": 5}, "spec.servers"),
        ("Gateway", {"servers": [3]}, "spec.servers[0]"),
        ("Gateway", {"servers": [{"port": 80, "hosts": ["a"]}]}, "spec.servers[0].port"),
        ("Gateway", {"servers": [{"port": HTTP_80, "hosts": 7}]}, "spec.servers[0].hosts"),
        ("Gateway", {"servers": [{"port": HTTP_80}]}, "spec.servers[0].hosts"),
        ("Gateway", {"selector": 4, "servers": []}, "spec.selector"),
    ],
)
def test_a_value_of_a_wrong_type_is_refused_with_its_place(
    kind: str, spec: dict[str, Any], field: str
) -> None:
    version = "networking.istio.io/v1" if kind == "Gateway" else ""
    item = Object(manifest(kind, "x", "default", version=version, **spec), "rules.yaml")
    beside = Object(manifest("VirtualService", "y", "default", hosts=[]), "rules.yaml")
    with pytest.raises(InputError) as caught:
        PrivateMesh([item, beside])
    about = [(problem.subject, problem.field) for problem in caught.value.problems]
    assert (f"{kind} default/x", field) in about
    assert "VirtualService default/y" in dict(about), "all at once"


def test_an_envoy_that_has_ended_is_no_answer_of_the_rules(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULES)
    file = tmp_path / "shop.meshtest.yaml"
    test = '{name: t, request: {url: "http://shop/admin"}, expect: {status: 404}}'
    file.write_text(f"{HEAD}rules: [rules.yaml]\ntests:\n- {test}\n")
    prepared = preparing.prepare(reading.read([str(file)])[0])
    assert isinstance(prepared.mesh, PrivateMesh)
    (case,) = prepared.cases
    with prepared.mesh as mesh:
        assert mesh.ask(case.sent.request).reply.status == 404
        guard = psutil.Process(mesh.envoy(case.source)._guard._guard.pid)
        (envoy,) = guard.children()
        envoy.kill()
        with pytest.raises(EnvironmentFailed, match="Envoy has ended"):
            mesh.ask(case.sent.request)


def test_what_the_rule_lacks_is_said(run: Run) -> None:
    result = run(
        """
- {name: redirects, request: {}, expect: {status: 301}}
- {name: mirrors, request: {}, expect: {mirroredTo: shop-shadow}}
- {name: delays, request: {}, expect: {seconds: [1, 2]}}
- {name: binds requests, request: {}, expect: {pods: 1}}
- {name: aborts, request: {}, expect: {shares: {v1: 50%, "503": 50%}}}
"""
    )
    for case in result.cases:
        first, *rest = case.name.split()
        said = " ".join([first, "nothing", *rest])
        assert (said in case.cause) or (f"nothing {case.name}" in case.cause), case.cause


def test_an_exact_share_is_tested_as_finely_as_the_margin_says(run: Run) -> None:
    anna = """{url: "http://shop/", headers: {x-user: anna}}"""
    result = run(
        f"""
- {{name: fine, request: {anna}, expect: {{shares: {{v2: 100%}}}}}}
- {{name: coarse, request: {anna}, expect: {{shares: {{v2: 100%}}, margin: 20}}}}
"""
    )
    assert [case.requests for case in result.cases] == [459, 21]


PORTS = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw}
spec:
  servers:
  - {hosts: [shop.org], port: {number: 80, name: http, protocol: HTTP}}
  - {hosts: [shop.org, admin.org], port: {number: 8080, name: http-b, protocol: HTTP}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop.org, admin.org]
  gateways: [gw]
  http:
  - match: [{port: 8080}]
    directResponse: {status: 208}
  - route: [{destination: {host: shop}}]
"""


def test_a_gateway_has_each_port_of_its_servers_with_the_hosts_of_that_port(run: Run) -> None:
    result = run(
        """
- {name: the first, request: {url: "http://shop.org/"}, expect: {service: shop}}
- {name: the other, request: {url: "http://shop.org:8080/"}, expect: {status: 208}}
- {name: of a load balancer, request: {url: "http://shop.org:30080/"}, expect: {service: shop}}
- {name: not there, request: {url: "http://admin.org/"}, expect: {status: 404}}
- {name: there alone, request: {url: "http://admin.org:8080/"}, expect: {status: 208}}
""",
        rules=PORTS,
        more="coverage: {failUnder: 100}",
    )
    assert {case.name: case.got for case in result.cases if not case.ok} == {}
    assert result.outcome is Outcome.MET, "the rules that were followed are those that answered"


def test_pods_of_one_name_in_two_namespaces_are_told_apart(run: Run) -> None:
    of_one = """---
apiVersion: v1
kind: Service
metadata: {{name: db, namespace: {0}}}
spec: {{ports: [{{port: 80, name: http}}], selector: {{app: db}}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: db, namespace: {0}}}
spec:
  serviceName: db
  selector: {{matchLabels: {{app: db}}}}
  template:
    metadata: {{labels: {{app: db, version: {0}}}}}
    spec: {{containers: [{{name: db, image: db}}]}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: db, namespace: {0}}}
spec: {{hosts: [db], http: [{{route: [{{destination: {{host: db}}}}]}}]}}
"""
    tests = """
- {name: one, request: {url: "http://db.one/"}, expect: {version: one, service: db.one}}
- {name: two, request: {url: "http://db.two/"}, expect: {shares: {two: 100%}}}
- {name: still, request: {url: "http://db.three/"}, expect: {status: 503}}
"""
    more = "standIns: {db.three.svc.cluster.local: [{status: 503}]}\ncoverage: {failUnder: 100}"
    rules = "".join(of_one.format(each) for each in ("one", "two", "three"))
    result = run(tests, rules=rules, more=more)
    assert {case.name: case.got for case in result.cases if not case.ok} == {}
    assert result.outcome is Outcome.MET, "each destination was touched"
