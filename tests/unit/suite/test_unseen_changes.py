"""What differs in the rules and no request shows is said; what means the same is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.changed_rules import CANARY, V1, V2, at, compared, rules

if TYPE_CHECKING:
    from meshdemo.suite.changes.differing import Side


def field(side: Side) -> str:
    return side.place.field if side.place else "no object"


def unseen(old: str, new: str) -> list[str]:
    """Give the fields, each as it is called in both states."""
    return [
        " -> ".join(
            side.place.field if side.place else "no object" for side in (each.old, each.new)
        )
        for each in compared(old, new).unseen
    ]


def regex(text: str) -> str:
    return rules(f"match: [{{headers: {{x: {{regex: '{text}'}}}}}}]\n    {V2}", V1)


OTHER = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a}
spec: {hosts: [shop], http: [{directResponse: {status: 418}}]}
---"""
TWO = [f"{{destination: {{host: shop, subset: v{n}}}, weight: {10 * n}}}" for n in (1, 2)]
CANARY_RULES, SWAPPED = (
    rules(f"route: [{', '.join(routes)}]") for routes in (TWO, list(reversed(TWO)))
)
HALVES = rules(
    "route: [{destination: {host: shop, subset: v1}, weight: 50}, "
    "{destination: {host: shop, subset: v2}, weight: 50}]"
)
TLS = "trafficPolicy: {tls: {mode: DISABLE}}"
POLICY = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: all}
spec: {action: ACTION}
---"""


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(
            regex("a+"),
            regex("a{1,20}"),
            ["spec.http[0].match[0].headers.x.regex -> spec.http[0].match[0].headers.x.regex"],
            id="a regex that no text tells from the other",
        ),
        pytest.param(
            rules(V1),
            rules(V1).replace("version: v1}", "version: v1, a: b}"),
            [" -> spec.subsets[0].labels.a"],
            id="a label that all pods have which are made up",
        ),
        pytest.param(
            rules(V1),
            rules(V1, head="tcp: [{route: [{destination: {host: db}}]}]\n  hosts: [shop]"),
            [" -> spec.tcp"],
            id="what is no HTTP",
        ),
        pytest.param(
            rules(at("/a", V1), V1), rules(V1), ["spec.http[0] -> "], id="a rule that did nothing"
        ),
        pytest.param(
            rules(at("/a", V1), at("/b", V2), V1),
            rules(at("/b", V2), at("/a", V1), V1),
            ["spec.http[1] -> spec.http[0]"],
            id="rules that change places to no effect",
        ),
        pytest.param(
            POLICY + rules(V1),
            POLICY.replace("ACTION", "DENY") + rules(V1),
            ["spec.action -> spec.action"],
            id="a kind that has no part in a private mesh",
        ),
        pytest.param(
            OTHER + rules(V1),
            OTHER + rules(V1).replace("{name: shop}", "{name: store}", 1),
            ["spec -> no object", "no object -> spec"],
            id="another name, where there are other rules for the host",
        ),
        pytest.param(
            rules(V1), POLICY + rules(V1), ["no object -> spec"], id="another object of that kind"
        ),
        pytest.param(
            rules("timeout: 3s\n    " + V1),
            rules("timeout: 1s\n    " + V1).replace("version: v2}", "version: v2}, " + TLS),
            [" -> spec.subsets[1].trafficPolicy"],
            id="the policy of another subset, beside a change that was seen",
        ),
        pytest.param(
            rules(at("/a", "timeout: 3s\n    " + V1), V1),
            rules("match: [{uri: {prefix: /a}, port: 80}]\n    timeout: 1s\n    " + V1, V1),
            [" -> spec.http[0].match[0].port"],
            id="a match, beside a change of what the rule does",
        ),
    ],
)
def test_a_difference_that_no_request_shows_is_said(
    old: str, new: str, expected: list[str]
) -> None:
    assert unseen(old, new) == expected


def test_it_has_file_and_line_of_both_sides() -> None:
    (each,) = compared(regex("a+"), regex("a{1,20}")).unseen
    assert each.old.place
    assert each.new.place
    assert (each.old.place.place, each.new.place.place) == ("old.yaml:8", "new.yaml:8")


GATEWAY = "hosts: [shop.example.com]\n  gateways: [public]"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(rules(V1, CANARY), rules(V1, CANARY).replace("/v1", "/v1beta1"), id="version"),
        pytest.param(
            rules(V1),
            "# a comment\n---" + rules(V1).replace("hosts: [shop]\n", "\n  hosts: [shop]\n"),
            id="other lines",
        ),
        pytest.param(
            rules(V1),
            rules(V1).replace("host: shop,", "host: shop.default.svc.cluster.local,"),
            id="a host's full name",
        ),
        pytest.param(
            rules(V1, head="hosts: [shop, cart]"),
            rules(V1, head="hosts: [cart, shop]"),
            id="the order of hosts",
        ),
        pytest.param(
            rules(V1, head=GATEWAY),
            rules(V1, head=GATEWAY.replace("public", "default/public")),
            id="a gateway's namespace",
        ),
        pytest.param(
            rules("match: [{uri: {exact: /a}}, {uri: {exact: /b}}]\n    " + V2, V1),
            rules("match: [{uri: {exact: /b}}, {uri: {exact: /a}}]\n    " + V2, V1),
            id="the order of matches",
        ),
        pytest.param(rules(V1), rules("name: all\n    " + V1), id="the name of a rule"),
        pytest.param(rules(V1), rules(V1.replace("}]", ", weight: 100}]")), id="all the weight"),
        pytest.param(CANARY_RULES, SWAPPED, id="the order of destinations"),
        pytest.param(
            rules(V1), rules("match: [{uri: {prefix: /}}]\n    " + V1), id="a match of everything"
        ),
        pytest.param(HALVES, HALVES.replace("weight: 50", "weight: 1"), id="the same shares"),
        pytest.param(
            rules(V1), rules(V1, head='exportTo: ["*"]\n  hosts: [shop]'), id="exported as before"
        ),
        pytest.param(
            rules(V1), rules(V1).replace("{name: shop}", "{name: store}"), id="another name"
        ),
    ],
)
def test_what_means_the_same_changes_nothing(old: str, new: str) -> None:
    found = compared(old, new)
    assert (found.changes, found.unseen) == ((), ())
