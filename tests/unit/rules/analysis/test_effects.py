"""Which of the applied rules act, and why others do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.objects import created, destination_rule, made, route, service, to, virtual_service

from meshdemo.rules.analysis.effects import Scene
from meshdemo.rules.virtual_services import Followed

if TYPE_CHECKING:
    from meshdemo.objects.model import Object

HOST = "app.shop.svc.cluster.local"
PODS = (("shop", {"app": "app", "version": "v2"}), ("shop", {"app": "testclient"}))
YEARS = created("2026-01-01T00:00:00Z"), created("2027-01-01T00:00:00Z")
APP, SUBSET_V2, TO_V2 = service(), destination_rule("v2"), route(to("v2"))
ELDER = virtual_service(TO_V2, name="elder", metadata=YEARS[0])


def rule(*http: dict[str, Any], **spec: Any) -> Object:
    return virtual_service(*(http or (TO_V2,)), metadata=YEARS[1], **spec)


def scene(*objects: Object, **more: Any) -> Scene:
    return Scene(objects, PODS, "shop", "istio-system", **more)


def idle(item: Object, *beside: Object, **more: Any) -> str:
    (found,) = scene(item, *beside, **more).effects([item])
    return found.idle


@pytest.mark.parametrize(
    ("item", "beside", "why"),
    [
        (rule(), [APP, SUBSET_V2], ""),
        (rule(), [APP, SUBSET_V2, ELDER], "VirtualService shop/elder takes precedence"),
        (rule(gateways=["gw"]), [APP], "bound to the gateway gw, which is not there"),
        (rule(gateways=["there"]), [APP], ""),
        (rule(gateways=["infra/gw", "gw"]), [APP],
         "bound to the gateways infra/gw, gw, which are not there"),
        (rule(gateways=["gw", "mesh"]), [APP, SUBSET_V2], ""),
        (rule(exportTo=["other"]), [APP, SUBSET_V2], "its exportTo leaves out namespace shop"),
        (rule(), [service({"name": "tcp", "port": 80}), SUBSET_V2],
         "no port of app is HTTP, and it has only http"),
        (rule(), [APP], "all of its requests get 503: no DestinationRule for"),
        (rule(), [APP, destination_rule("v1")],
         "all of its requests get 503: no DestinationRule for"),
        (rule(TO_V2, route(to("gone"))), [APP, SUBSET_V2], ""),
        (rule({"redirect": {"uri": "/"}}), [APP], ""),
        (rule(), [], "all of its requests get 503: no service has the host"),
        (SUBSET_V2, [APP], ""),
        (destination_rule("v2", host="nobody"), [APP], 'no service has the host "nobody"'),
        (destination_rule("v2", workloadSelector={"matchLabels": {"app": "none"}}), [APP],
         "its workloadSelector selects no pod"),
        (destination_rule("v2", exportTo=["other"]), [APP], "its exportTo leaves out the clients"),
    ],
    ids=[
        "acts", "overruled", "no gateway", "a gateway", "no gateways", "a gateway and mesh",
        "not exported", "not HTTP", "no DestinationRule", "no such subset", "some of it",
        "a redirect", "no service", "subsets", "subsets of nobody", "for nobody", "kept away",
    ],
)  # fmt: skip
def test_a_rule_acts_or_it_is_said_why_not(item: Object, beside: list[Object], why: str) -> None:
    found = idle(item, *beside, gateways=frozenset({"shop/there"}))
    assert (found.startswith(why) and bool(found)) is bool(why), found


TEAM = made("VirtualService", "team", "shop", http=[TO_V2])
HANDING = {"delegate": {"name": "team"}}


@pytest.mark.parametrize(
    ("item", "beside", "why"),
    [
        (TEAM, [APP, SUBSET_V2, rule(HANDING)], ""),
        (TEAM, [APP, SUBSET_V2, rule()], "no VirtualService delegates to it"),
        (made("VirtualService", "team", "shop", http=[TO_V2], exportTo=["far"]),
         [APP, rule(HANDING)], "VirtualService shop/app: VirtualService shop/team is not exported"),
        (rule(HANDING), [APP, SUBSET_V2, TEAM], ""),
        (rule(HANDING), [APP, TEAM], "all of its requests get 503: no DestinationRule for"),
        (rule(HANDING), [APP, SUBSET_V2], "its delegates leave no rule of it"),
    ],
    ids=["taken in", "by nobody", "not exported", "hands over", "to nowhere", "to nobody"],
)  # fmt: skip
def test_a_delegate_acts_through_whoever_takes_it_in(
    item: Object, beside: list[Object], why: str
) -> None:
    found = idle(item, *beside)
    assert (found.startswith(why) and bool(found)) is bool(why), found


def test_a_rule_that_hands_over_is_told_whole_and_what_it_loses() -> None:
    lost = {"match": [{"port": 1}], "delegate": {"name": "gone"}}
    (found,) = scene(handing := rule(lost, HANDING), APP, SUBSET_V2, TEAM).effects([handing])
    assert found.followed.spec["http"] == [{**TO_V2, "match": []}]
    (remark,) = found.remarks
    assert remark.startswith("VirtualService shop/gone is not there: Istio leaves this rule out")


def test_of_a_gateway_that_may_not_be_seen_nothing_is_said() -> None:
    assert idle(rule(gateways=["gw"]), APP, gateways=None) == ""


def test_clients_that_follow_another_destination_rule_are_told_which() -> None:
    item = made("DestinationRule", "everywhere", "istio-system", host=HOST)
    assert idle(item, APP, SUBSET_V2) == "clients here follow DestinationRule shop/app instead"


def test_a_subset_without_pods_is_remarked_and_the_rule_acts_all_the_same() -> None:
    objects = (APP, destination_rule("v1", "v2"), rule(route(to("v1", 50), to("v2", 50))))
    both = scene(*objects).effects(objects[1:])
    assert [effect.idle for effect in both] == ["", ""]
    assert [len(effect.remarks) for effect in both] == [1, 1]
    assert all("v1" in effect.remarks[0] for effect in both)
    assert "requests to it get 503" in both[0].remarks[0]


@pytest.mark.parametrize(
    ("rules", "why", "strangers"),
    [
        ((("shop", "app"),), "", []),
        ((("far", "steal"),), "the test client's sidecar follows VirtualService far/steal instead",
         ["VirtualService far/steal"]),
        ((), "the test client's sidecar has not got it", []),
    ],
    ids=["it", "another", "none"],
)  # fmt: skip
def test_what_the_sidecar_follows_has_the_last_word(
    rules: tuple[tuple[str, str], ...], why: str, strangers: list[str]
) -> None:
    followed = (Followed(HOST, rules), Followed("other.far.svc.cluster.local", (("far", "own"),)))
    there = scene(rule(), APP, SUBSET_V2, followed=followed)
    (effect,) = there.effects([rule()])
    assert effect.idle == why
    assert [each.rule.title for each in there.strangers()] == strangers
    assert not any(each.is_seen for each in there.strangers())
