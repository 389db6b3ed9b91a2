"""Admission of objects that no recorded case is about, and of arbitrary data."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest
from tests.objects import parsed

from meshdemo.engines.local.admission import Admission, admit

if TYPE_CHECKING:
    from meshdemo.objects.model import Object

APP = """
apiVersion: v1
kind: Service
metadata: {name: app, namespace: default}
spec:
  selector: {app: app}
  ports: [{name: http, port: 80}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: app-v1, namespace: default}
spec:
  selector: {matchLabels: {app: app, version: v1}}
  template:
    metadata: {labels: {app: app, version: v1}}
    spec: {containers: [{name: app, image: meshdemo/echo, ports: [{containerPort: 80}]}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: app, namespace: default}
spec: {host: app, subsets: [{name: v1, labels: {version: v1}}]}
"""


def rule(spec: str, name: str = "mine") -> str:
    head = "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
    return f"{head}metadata: {{name: {name}, namespace: default}}\nspec:\n" + textwrap.indent(
        textwrap.dedent(spec), "  "
    )


def judged(text: str) -> Admission:
    return admit(parsed(text), parsed(APP))


def said(text: str) -> list[str]:
    return [str(problem) for problem in judged(text).problems]


def test_the_usual_objects_are_admitted_without_a_word() -> None:
    objects = parsed(APP)
    assert admit(objects, []) == Admission(objects=tuple(objects))


def test_a_route_to_what_exists_gets_no_warning() -> None:
    spec = """
        hosts: [app]
        http: [{route: [{destination: {host: app, subset: v1, port: {number: 80}}}]}]
    """
    assert judged(rule(spec)) == Admission(objects=tuple(parsed(rule(spec))))


@pytest.mark.parametrize(
    ("http", "words"),
    [
        ("{route: []}", "needs a route"),
        ("{redirect: {}}", "says no uri, authority, scheme or port"),
        ("{redirect: {redirectCode: 302}}", "says no uri"),
        (
            "{redirect: {prefixRewrite: /b}, match: [{uri: {exact: /a}}]}",
            "every uri match to be a prefix",
        ),
        ("{redirect: {port: 1, derivePort: FROM_REQUEST_PORT}}", "only one of these"),
        ("{route: *r, headers: {request: {set: {':path': /x}}}}", 'begins with ":"'),
        ("{route: *r, headers: {response: {set: {Host: x}}}}", "cannot be changed here"),
        ("{route: *r, headers: {request: {remove: [host]}}}", "cannot be changed here"),
        ("{route: *r, headers: {request: {add: {x: 50%}}}}", "percent sign"),
        (
            "{route: *r, rewrite: {authority: a}, headers: {request: {set: {Host: b}}}}",
            "the authority header is set twice",
        ),
        ("{route: *r, rewrite: {uriRegexRewrite: {match: a}}}", "needs both match and rewrite"),
        (
            "{route: *r, rewrite: {uriRegexRewrite: {match: '(?=a)', rewrite: b}}}",
            "not known in RE2",
        ),
        ("{route: *r, match: [{headers: {'a b': {exact: x}}}]}", "not a valid name for a header"),
        (
            "{route: *r, match: [{headers: {'@request.auth.claims.g': {exact: x}}}]}",
            "only gateways",
        ),
        ("{route: *r, match: [{method: {prefix: ''}}]}", "the prefix is empty"),
        ("{route: *r, match: [{uri: {regex: ''}}]}", "regular expression is empty"),
        ("{route: *r, match: [{uri: {exact: /a, prefix: /b}}]}", "only one of these"),
        ("{route: *r, match: [{sourceNamespace: A_b}]}", "is not a namespace"),
        ("{route: *r, match: [{sourceLabels: {app: 'a b'}}]}", "not a valid label value"),
        ("{route: *r, match: [{gateways: [a/]}]}", "not the NAMESPACE/NAME"),
        ("{route: *r, fault: {abort: {http2Error: x}}}", "Istio refuses it"),
        ("{route: *r, fault: {abort: {grpcStatus: NOPE}}}", "not among the values"),
        ("{route: *r, fault: {delay: {exponentialDelay: 1s}}}", "Istio refuses it"),
        ("{route: *r, retries: {attempts: 0, perTryTimeout: 1s}}", "attempts are 0"),
        ("{route: *r, corsPolicy: {maxAge: 1.5s}}", "finer than a second"),
        ("{route: *r, corsPolicy: {allowOrigins: [{exact: ''}]}}", "the origin is empty"),
        ("{route: *r, mirrors: [{destination: {host: '*'}}]}", "is not a host"),
        (
            "{route: *r, mirrors: [{percentage: {value: 1}}]}",
            "mirrors[0].destination: it is missing",
        ),
        ("{route: *r, delegate: {name: a}}", "with a delegate cannot contain a route"),
        ("{route: [{destination: {host: app, port: {}}}]}", "the port has no number"),
        ("{route: [{destination: {host: app, subset: a.b}}]}", "not a valid name for a subset"),
        ("{route: [{destination: {host: a_b}}]}", "not a valid domain name"),
        ("{timeout: 1s, timeOut: 1s, route: *r}", "did you mean timeout?"),
        ("{redirect: {uri: /a, redirectCode: 304}}", "Envoy knows only 301"),
        ("{directResponse: {status: 600}}", "Envoy no status above 599"),
        ("{route: *r, fault: {abort: {httpStatus: 600}}}", "Envoy no status above 599"),
        ("null", "a mapping is wanted, not nothing (null)"),
    ],
)
def test_what_istio_refuses_in_a_rule_is_refused(http: str, words: str) -> None:
    http = http.replace("*r", "[{destination: {host: app}}]")
    found = said(rule(f"hosts: [app]\nhttp: [{http}]"))
    assert [text for text in found if words in text], found
    assert all(
        text.startswith("my.yaml:6: VirtualService default/mine spec.http") for text in found
    )


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("hosts: ['*']", "not allowed in the mesh"),
        ("hosts: [a.b.com, '*.b.com']", "duplicate hosts"),
        ("hosts: [app, app]", "duplicate hosts"),
        ("hosts: []\ngateways: [mesh]", "is a delegate, and must not have gateways"),
        ("hosts: []\ntcp: [{route: [{destination: {host: app}}]}]", "must not have tcp"),
        ("hosts: [app]\nexportTo: ['.', default]", "duplicate entry in exportTo"),
        ("hosts: [app]\nexportTo: ['*', other]", "nothing may stand beside it"),
        ("hosts: [app]\nexportTo: ['~']", "neither"),
        ("hosts: [app]\ngateways: [a_b]", "not a valid domain name"),
        ("hosts: [app]\ntcp: [{route: []}]", "the rule has no route"),
        ("hosts: [app]\ntls: [{route: []}]", "tls[0].match: it is missing"),
    ],
)
def test_what_istio_refuses_in_a_virtual_service_is_refused(spec: str, words: str) -> None:
    found = said(rule(spec + "\nhttp: [{route: [{destination: {host: app}}]}]"))
    assert [text for text in found if words in text], found


@pytest.mark.parametrize(
    ("more", "http"),
    [
        ("gateways: [mesh, 'a_b']", "{}"),  # Istio looks at none after the first short name
        ("exportTo: ['*']", "{}"),
        ("", "{match: [{headers: {'a,b': {exact: x}}}]}"),
        ("", "{match: [{withoutHeaders: {x: {regex: '*'}}}]}"),
        ("", "{match: [{queryParams: {x: {}}, port: 0}]}"),
        ("", "{match: [{uri: {prefix: ''}}]}"),
        ("", "{match: []}"),
        ("", "{headers: {request: {set: {'a b': x}}}}"),
        ("", "{fault: {abort: {}}}"),
    ],
)
def test_what_looks_wrong_and_istio_accepts_is_accepted(more: str, http: str) -> None:
    http = f"{{route: [{{destination: {{host: app}}}}], {http[1:]}"
    assert said(rule(f"hosts: [app]\n{more}\nhttp: [{http}]")) == []


def test_an_address_and_the_host_of_a_gateway_are_hosts() -> None:
    http = "http: [{route: [{destination: {host: app}}]}]"
    assert said(rule(f"hosts: [10.0.0.1]\n{http}")) == []
    assert said(rule(f"hosts: ['*']\ngateways: [edge]\n{http}")) == []


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("{tunnel: {targetHost: a, targetPort: 1}, proxyProtocol: {}}", "together"),
        ("{tunnel: {protocol: UDP, targetHost: a, targetPort: 1}}", "neither CONNECT nor POST"),
        ("{tunnel: {targetHost: a_b, targetPort: 0}}", "neither a host nor an address"),
        ("{connectionPool: {}}", "http or tcp must be there"),
        (
            "{connectionPool: {http: {h2UpgradePolicy: UPGRADE, useClientProtocol: true}}}",
            "contradicts",
        ),
        ("{connectionPool: {http: {http2KeepAlive: {interval: 1s}}}}", "timeout: it is missing"),
        ("{outlierDetection: {consecutiveLocalOriginFailures: 1}}", "splitExternalLocalOrigin"),
        ("{loadBalancer: {consistentHash: {maglev: {tableSize: 4}}}}", "not a prime number"),
        ("{loadBalancer: {consistentHash: {maglev: {}}}}", "not a prime number"),
        ("{loadBalancer: {consistentHash: {ringHash: {}, maglev: {tableSize: 3}}}}", "only one"),
        ("{loadBalancer: {consistentHash: {minimumRingSize: 1, ringHash: {}}}}", "only one"),
        ("{loadBalancer: {consistentHash: {httpCookie: {name: ''}}}}", "httpCookie is empty"),
        ("{loadBalancer: {warmup: {}}}", "warmup.duration: it is missing"),
        ("{loadBalancer: {warmup: {duration: 1s, aggression: 0}}}", "not greater than 0"),
        ("{loadBalancer: {localityLbSetting: {distribute: [{to: {a: 50}}]}}}", "sum to 50"),
        (
            "{loadBalancer: {localityLbSetting: {distribute: [{to: {a: 50, a/b: 50}}]}}}",
            "overlap",
        ),
        ("{loadBalancer: {localityLbSetting: {failover: [{from: a, to: a}]}}}", "comes from"),
        ("{loadBalancer: {localityLbSetting: {}, zoneAwareLbSetting: {}}}", "together"),
        ("{portLevelSettings: [{port: {number: 80}}]}", "settings of the port are empty"),
        ("{tls: {mode: MUTUAL}}", "mode MUTUAL needs clientCertificate"),
        ("{tls: {mode: NONE}}", "not among the values"),
        ("{proxyProtocol: {version: V3}}", "not among the values"),
    ],
)
def test_what_istio_refuses_in_a_traffic_policy_is_refused(policy: str, words: str) -> None:
    text = f"""
        apiVersion: networking.istio.io/v1beta1
        kind: DestinationRule
        metadata: {{name: other, namespace: default}}
        spec: {{host: app, trafficPolicy: {policy}}}
    """
    found = said(text)
    assert [item for item in found if words in item], found


def test_ten_mistakes_in_a_thousand_lines_are_ten_problems_with_their_lines() -> None:
    head = "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: s{n}\n"
    good = head + "spec:\n  ports:\n  - port: 80\n"
    bad = good.replace("port: 80", "port: eighty")
    wrong = range(5, 125, 12)
    text = "".join((bad if n in wrong else good).format(n=n) for n in range(125))
    problems = judged(text).problems
    assert len(text.splitlines()) == 1000
    assert [problem.line for problem in problems] == [8 * n + 8 for n in wrong]


@pytest.mark.parametrize(
    ("created", "winner"),
    [("2020-01-01T00:00:00Z", "second"), (None, "first")],
    ids=["the older one", "the first by name"],
)
def test_two_rules_for_one_host_get_a_warning_that_names_the_other_and_the_winner(
    created: str | None, winner: str
) -> None:
    spec = "hosts: [{host}]\nhttp: [{{route: [{{destination: {{host: app}}}}]}}]"
    first = parsed(rule(spec.format(host="app"), "first"))
    second = parsed(rule(spec.format(host="app.default.svc.cluster.local"), "second"))
    if created:
        second[0].metadata["creationTimestamp"] = created
    (warning,) = admit(first, parsed(APP) + second).warnings
    assert warning.code == "IST0109"
    assert "VirtualService default/second" in warning.message
    assert f"VirtualService default/{winner} takes precedence" in warning.hint
    assert admit(second, parsed(APP) + second).warnings == ()


@pytest.mark.parametrize(
    ("one", "other"),
    [("[.]", "[far]"), ("['~']", "['*']"), ("['~']", "['~']")],
    ids=["different namespaces", "one for nobody", "both for nobody"],
)
def test_two_rules_that_no_client_sees_both_do_not_conflict(one: str, other: str) -> None:
    spec = "hosts: [app]\nhttp: [{{route: [{{destination: {{host: app}}}}]}}]\nexportTo: {to}"
    first, second = (rule(spec.format(to=to), name) for to, name in ((one, "a"), (other, "b")))
    assert admit(parsed(first), parsed(APP) + parsed(second)).warnings == ()


def subsets(name: str, spec: str) -> list[Object]:
    head = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\n"
    place = f"metadata: {{name: {name}, namespace: default}}\n"
    return parsed(f"{head}{place}spec: {{host: app.default.svc.cluster.local, {spec}}}\n")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("subsets: [{name: v1, labels: {version: v1}}]", ""),
        ("subsets: [{name: v1, labels: {app: app}}]", 'has another subset "v1"'),
        ("subsets: [{name: all, labels: {app: app}}]", ""),
        ("trafficPolicy: {loadBalancer: {simple: RANDOM}}", ""),
        ("exportTo: [.], subsets: [{name: v1, labels: {app: app}}]", ""),
    ],
)
def test_what_istio_drops_when_it_merges_two_rules_is_named(spec: str, words: str) -> None:
    found = admit(subsets("mine", spec), parsed(APP)).warnings
    assert [words in item.message for item in found] == [True] * bool(words)
    assert all("only that of DestinationRule default/app holds" in item.hint for item in found)


def test_of_two_traffic_policies_for_one_host_only_the_older_holds() -> None:
    spec = "trafficPolicy: {{loadBalancer: {{simple: {}}}}}"
    mine, other = (spec.format(name) for name in ("RANDOM", "ROUND_ROBIN"))
    (found,) = admit(subsets("mine", mine), parsed(APP) + subsets("bold", other)).warnings
    assert "DestinationRule default/bold has another trafficPolicy" in found.message
    assert "that of DestinationRule default/bold holds" in found.hint


@pytest.mark.parametrize(
    ("first", "second", "codes"),
    [
        ("[&m {uri: {prefix: /a}}]", "[*m]", ["IST0131", "IST0130"]),
        ("[{uri: {prefix: /a}}]", "[{uri: {prefix: /ab}}]", ["IST0131"]),
        ("[{uri: {prefix: /a}}]", "[{uri: {prefix: /ab}, port: 1}]", ["IST0131"]),
        ("[{uri: {prefix: /ab}}]", "[{uri: {prefix: /a}}]", []),
        ("[{uri: {prefix: /a}, port: 1}]", "[{uri: {prefix: /ab}}]", []),
        ("[{uri: {prefix: /a}}]", "[{uri: {prefix: /ab}, ignoreUriCase: true}]", []),
    ],
)
def test_a_match_that_an_earlier_one_covers_gets_a_warning(
    first: str, second: str, codes: list[str]
) -> None:
    route = "route: [{destination: {host: app}}]"
    http = f"[{{match: {first}, {route}}}, {{match: {second}, {route}}}]"
    warnings = judged(rule(f"hosts: [app]\nhttp: {http}")).warnings
    assert [item.code for item in warnings] == codes


@pytest.mark.parametrize(
    ("copies", "words", "codes"),
    [
        ("mirror: {host: app}, mirrorPercentage: {value: 0}", "", []),
        ("mirror: {host: gone}", "copies for it are lost", ["IST0101"]),
        ("mirrors: [{destination: {host: gone}}]", "copies for it are lost", ["IST0101"]),
        ("mirror: {host: app, subset: v9}", "copies for it are lost", ["IST0101"]),
        ("mirror: {host: app, port: {number: 1}}", "copies for it are lost", ["IST0101"]),
        ("mirrorPercentage: {value: 10}", "mirror, which is not there", [""]),
        ("mirrors: [{destination: {host: app}}], mirrorPercent: 5", "which is not there", [""]),
        ("mirror: {host: app}, mirrorPercent: 10", "mirrorPercent is deprecated", [""]),
        (
            "mirror: {host: app}, mirrorPercentage: {value: 1}, mirror_percent: 10",
            "mirrorPercentage decides",
            [""],
        ),
    ],
)
def test_a_mirror_that_is_not_there_and_a_share_that_does_nothing_get_a_warning(
    copies: str, words: str, codes: list[str]
) -> None:
    http = f"{{route: [{{destination: {{host: app}}}}], {copies}}}"
    warnings = judged(rule(f"hosts: [app]\nhttp: [{http}]")).warnings
    assert [item.code for item in warnings] == codes
    assert all(words in f"{item.message}; {item.hint}" for item in warnings)


TEAM = rule("http: [{match: [{uri: {prefix: /a}}], route: [{destination: {host: app}}]}]", "team")


@pytest.mark.parametrize(
    ("handing", "words", "hint"),
    [
        ("{delegate: {name: team}}", "", ""),
        ("{delegate: {name: team}, mirrorPercentage: {value: 1}}", "", ""),
        ("{delegate: {name: gone}}", "VirtualService default/gone is not there", "this rule out"),
        ("{delegate: {name: mine}}", "has hosts of its own", "this rule out"),
        ("{delegate: {name: team}, match: [{uri: {prefix: /b}}]}", "match no more", "this rule"),
    ],
)
def test_a_delegate_that_istio_does_not_take_in_gets_a_warning(
    handing: str, words: str, hint: str
) -> None:
    root = rule(f"hosts: [app]\nhttp: [{handing}, {{route: [{{destination: {{host: app}}}}]}}]")
    found = judged(f"{root}\n---\n{TEAM}").warnings
    assert len(found) == bool(words)
    assert all(words in item.message and hint in item.hint for item in found)
    assert all(item.field == "spec.http[0].delegate" for item in found)


def test_a_delegate_that_delegates_is_refused() -> None:
    assert "cannot contain a delegate" in said(rule("http: [{delegate: {name: team}}]"))[0]


@pytest.mark.parametrize(
    ("host", "hint"),
    [("ap", "did you mean app?"), ("app.default", "did you mean app.default.svc.cluster.local?")],
)
def test_an_unknown_host_gets_a_hint_when_a_known_one_is_close(host: str, hint: str) -> None:
    spec = f"hosts: [app]\nhttp: [{{route: [{{destination: {{host: {host}}}}}]}}]"
    (warning,) = judged(rule(spec)).warnings
    assert warning.code == "IST0101"
    assert hint in warning.hint


def test_a_destination_rule_for_an_unknown_host_gets_a_warning() -> None:
    text = APP.rpartition("---")[2].replace("host: app", "host: nowhere")
    assert [item.code for item in judged(text).warnings] == ["IST0174"]
