"""What a sidecar gets of a rule that hands requests to a delegate; compared with istiod's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.objects import made

from meshdemo.rules.delegates import Delegates

if TYPE_CHECKING:
    from meshdemo.objects.model import Object

HANDED = {"delegate": {"name": "team"}}
ROUTE = {"route": [{"destination": {"host": "app"}}]}


def delegate(*http: dict[str, Any], namespace: str = "shop", **spec: Any) -> Object:
    return made("VirtualService", "team", namespace, http=list(http), **spec)


def merged(root: dict[str, Any], *delegates: Object) -> tuple[list[dict[str, Any]], str]:
    """Give what comes of one http rule of ``shop/app``, and what is lost of it."""
    rule = made("VirtualService", "app", "shop", hosts=["app"], http=[root])
    known = Delegates.among([rule, *delegates])
    return known.whole(rule).spec["http"], known.handed_over(root, rule).lost


@pytest.mark.parametrize(
    ("root", "leaf", "both"),
    [
        ("[]", "[]", "[]"),
        ("[{uri: {prefix: /a}}]", "[]", "[{uri: {prefix: /a}}]"),
        ("[]", "[{uri: {prefix: /a}}]", "[{uri: {prefix: /a}}]"),
        ("[{uri: {prefix: /a}}]", "[{uri: {prefix: /a/b}}]", "[{uri: {prefix: /a/b}}]"),
        ("[{uri: {prefix: /a}}]", "[{uri: {exact: /a/b}}]", "[{uri: {exact: /a/b}}]"),
        ("[{uri: {exact: /a}}]", "[{uri: {exact: /a}}]", "[{uri: {exact: /a}}]"),
        ("[{uri: {prefix: /a/b}}]", "[{uri: {prefix: /a}}]", None),
        ("[{uri: {exact: /a}}]", "[{uri: {prefix: /a}}]", None),
        ("[{uri: {exact: /a}}]", "[{uri: {exact: /b}}]", None),
        ("[{uri: {regex: /a.*}}]", "[{uri: {exact: /a}}]", None),
        ("[{uri: {prefix: /a}}]", "[{uri: {regex: /a.*}}]", None),
        ("[{uri: {prefix: ''}}]", "[{uri: {prefix: /a}}]", None),
        ("[{uri: {prefix: /a}}]", "[{method: {exact: GET}}]",
         "[{uri: {prefix: /a}, method: {exact: GET}}]"),
        ("[{headers: {a: {exact: x}}}]", "[{headers: {b: {}}}]",
         "[{headers: {a: {exact: x}, b: {}}}]"),
        ("[{headers: {a: {prefix: x}}}]", "[{headers: {a: {exact: xy}}}]",
         "[{headers: {a: {exact: xy}}}]"),
        ("[{headers: {a: {exact: x}}}]", "[{headers: {a: {exact: y}}}]", None),
        ("[{headers: {a: {}}}]", "[{headers: {a: {exact: y}}}]", None),
        ("[{queryParams: {a: {exact: x}}}]", "[{queryParams: {a: {prefix: x}}}]", None),
        ("[{withoutHeaders: {a: {prefix: x}}}]", "[{withoutHeaders: {a: {exact: xy}}}]",
         "[{withoutHeaders: {a: {exact: xy}}}]"),
        ("[{ignoreUriCase: true}]", "[{uri: {prefix: /a}}]", None),
        ("[{ignoreUriCase: true}]", "[{ignoreUriCase: true}]", "[{ignoreUriCase: true}]"),
        ("[{port: 80}]", "[{port: 81}]", None),
        ("[{port: 80}]", "[{port: 0}]", "[{port: 80}]"),
        ("[{sourceNamespace: a}]", "[{sourceNamespace: a}]", "[{sourceNamespace: a}]"),
        ("[{sourceNamespace: a}]", "[{port: 80}]", None),  # istiod wants it said again
        ("[{}]", "[{sourceNamespace: a}]", "[{sourceNamespace: a}]"),
        ("[{sourceLabels: {a: x}}]", "[{sourceLabels: {a: z}}]", None),
        ("[{sourceLabels: {a: x}}]", "[{sourceLabels: {b: z}}]", "[{sourceLabels: {a: x, b: z}}]"),
        ("[{gateways: [mesh, edge]}]", "[{gateways: [shop/edge]}]", "[{gateways: [shop/edge]}]"),
        ("[{gateways: [mesh]}]", "[{gateways: [mesh, edge]}]", None),
        ("[{gateways: [mesh]}]", "[{port: 80}]", "[{gateways: [mesh], port: 80}]"),
        ("[{name: a, statPrefix: s}]", "[{name: b, statPrefix: t}]",
         "[{name: a-b, statPrefix: t}]"),
        ("[{uri: {prefix: /a}}, {uri: {prefix: /b}}]", "[{uri: {prefix: /b/c}}, {port: 80}]",
         "[{uri: {prefix: /b/c}}, {uri: {prefix: /a}, port: 80}, {uri: {prefix: /b}, port: 80}]"),
        ("[{uri: {prefix: /a}}]", "[{uri: {prefix: /a/b}}, {uri: {prefix: /c}}]", None),
    ],
)  # fmt: skip
def test_matches_are_joined_where_the_delegates_are_a_part(
    root: str, leaf: str, both: str | None
) -> None:
    wanted, own = yaml.safe_load(root), yaml.safe_load(leaf)
    found, lost = merged({**HANDED, "match": wanted}, delegate({**ROUTE, "match": own}))
    assert [rule["match"] for rule in found] == ([] if both is None else [yaml.safe_load(both)])
    assert ("none of the rules of VirtualService shop/team" in lost) == (both is None)


def test_what_a_delegate_does_not_say_comes_from_the_rule_that_hands_over() -> None:
    said = {"timeout": "1s", "retries": {"attempts": 1}, "name": "root", "mirror": {"host": "a"},
            "corsPolicy": {}, "headers": {"request": {"remove": ["x"]}}}  # fmt: skip
    own = {"timeout": "2s", "mirrors": [], "name": "leaf", **ROUTE}
    (found,), lost = merged({**HANDED, **said}, delegate(own))
    assert found == {**said, **own, "match": [], "name": "root-leaf"}
    assert not lost


def test_a_direct_response_that_is_handed_over_stands_beside_the_delegates_route() -> None:
    (found,), _ = merged({**HANDED, "directResponse": {"status": 503}}, delegate(ROUTE))
    assert found == {**ROUTE, "directResponse": {"status": 503}, "match": []}


def test_short_names_in_a_delegate_are_those_of_its_own_namespace() -> None:
    handing = {"delegate": {"name": "team", "namespace": "far"}, "mirror": {"host": "near"}}
    own = {
        **ROUTE,
        "mirrors": [{"destination": {"host": "a.example"}}, {"destination": {"host": "b"}}],
    }
    (found,), _ = merged(handing, delegate(own, namespace="far"), delegate(ROUTE))
    assert found["route"] == [{"destination": {"host": "app.far.svc.cluster.local"}}]
    assert [each["destination"]["host"] for each in found["mirrors"]] == [
        "a.example",
        "b.far.svc.cluster.local",
    ]
    assert found["mirror"] == {"host": "near"}


@pytest.mark.parametrize(
    ("there", "why"),
    [
        ([], "is not there"),
        ([delegate(ROUTE, hosts=["web"])], "has hosts of its own"),
        ([delegate(ROUTE, exportTo=["other"])], "is not exported to namespace shop"),
        ([delegate(ROUTE, namespace="far")], "is not there"),
        ([delegate(ROUTE, exportTo=["."])], ""),
        ([delegate(ROUTE, exportTo=["shop"])], ""),
        ([delegate(ROUTE, ROUTE | {"match": [{"port": 1}]})], "1 of 2"),
    ],
)
def test_a_rule_whose_delegate_cannot_be_taken_in_is_left_out(
    there: list[Object], why: str
) -> None:
    found, lost = merged({**HANDED, "match": [{"port": 80}]}, *there)
    assert why in lost if why else not lost
    assert len(found) == (why in ("", "1 of 2"))


@pytest.mark.parametrize("named", [{}, {"namespace": "shop"}, {"name": ""}])
def test_a_delegate_without_a_name_is_never_there(named: dict[str, str]) -> None:
    """Istio accepts it, and leaves the rule out."""
    assert merged({"delegate": named}, delegate(ROUTE)) == ([], "the delegate has no name")


def test_two_rules_may_hand_over_to_one_delegate_and_others_stay() -> None:
    http = [{**HANDED, "match": [{"port": 1}]}, ROUTE, {**HANDED, "match": [{"port": 2}]}]
    root, team = made("VirtualService", "app", "shop", hosts=["app"], http=http), delegate(ROUTE)
    known = Delegates.among([root, team])
    assert [rule.get("match") for rule in known.whole(root).spec["http"]] == [
        [{"port": 1}],
        None,
        [{"port": 2}],
    ]
    assert [each.name for each, _ in known.handing_to(team)] == ["app", "app"]
    assert known.whole(team) is team
