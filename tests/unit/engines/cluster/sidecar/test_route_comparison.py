"""Whether a rule is in a sidecar's configuration."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests import objects

from meshdemo.engines.cluster.api.remote_exec import Target
from meshdemo.engines.cluster.sidecar import route_comparison
from meshdemo.engines.cluster.sidecar.config_dump import Dump
from meshdemo.engines.cluster.sidecar.readiness import SidecarReadiness
from meshdemo.errors import EnvironmentFailed, TimedOut

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.objects import model

FQDN = "app.shop.svc.cluster.local"
RECORDED = json.loads((Path(__file__).parent / "routes" / "1.32.json").read_text())
BASE = "/apis/networking.istio.io/v1/namespaces/shop"


def origin(kind: str, name: str) -> dict[str, Any]:
    return {"filter_metadata": {"istio": {"config": f"{BASE}/{kind}/{name}"}}}


def dump(
    *routes: dict[str, Any], subsets: tuple[str, ...] = (), dr: str = "app", of: str = "split"
) -> Dump:
    hosts = [
        {
            "name": f"{FQDN}:80",
            "routes": [{"route": r, "metadata": origin("virtual-service", of)}],
        }
        for r in routes
    ]
    clusters: list[dict[str, Any]] = [{"cluster": {"name": f"outbound|80||{FQDN}"}}]
    clusters += [
        {"cluster": {"name": f"outbound|80|{s}|{FQDN}", "metadata": origin("destination-rule", dr)}}
        for s in subsets
    ]
    return Dump.of({"configs": [{"route_config": {"virtual_hosts": hosts}}]}, {"configs": clusters})


def to(subset: str) -> dict[str, Any]:
    return {"cluster": f"outbound|80|{subset}|{FQDN}"}


def weighted(**weights: int) -> dict[str, Any]:
    clusters = [{"name": to(s)["cluster"], "weight": w} for s, w in weights.items()]
    return {"weighted_clusters": {"clusters": clusters}}


rule = partial(objects.virtual_service, name="split")


def split(**weights: int) -> model.Object:
    one = len(weights) == 1
    ways = [objects.to(s, None if one else w) for s, w in weights.items()]
    return rule(objects.route(*ways))


SUBSETS = objects.destination_rule("v1", "v2")


@pytest.mark.parametrize(
    ("wanted", "there", "live"),
    [
        (split(v2=100), dump(to("v2")), True),
        (split(v2=100), dump(to("v1")), False),
        (split(v2=100), dump(), False),
        (split(v1=90, v2=10), dump(weighted(v1=90, v2=10)), True),
        (split(v1=50, v2=50), dump(weighted(v1=90, v2=10)), False),
        (split(v1=100, v2=0), dump(weighted(v1=100)), True),
        (SUBSETS, dump(subsets=("v1", "v2")), True),
        (SUBSETS, dump(subsets=("v1",)), False),
    ],
    ids=["one", "another", "none", "weights", "other weights", "weight 0", "subsets",
         "a subset is missing"],
)  # fmt: skip
def test_a_rule_is_live_when_the_sidecar_has_what_it_says(
    wanted: model.Object, there: Dump, live: bool
) -> None:
    assert there.is_live(wanted) is live


def recorded(name: str) -> Dump:
    return Dump((tuple(RECORDED[name]["routes"]),), (f"{FQDN}:80",))


def recorded_rule(name: str) -> model.Object:
    return rule(*RECORDED[name]["http"])


@pytest.mark.parametrize("name", RECORDED)
def test_what_istiod_made_of_a_rule_is_live_in_every_detail(name: str) -> None:
    wanted = recorded_rule(name)
    assert recorded(name).is_live(wanted)
    assert recorded(name).deviations(wanted) == []


@pytest.mark.parametrize(
    ("wanted", "there", "names"),
    [
        ("timeout", "plain", ["timeout"]),
        ("plain", "timeout", ["timeout"]),
        ("timeout2", "timeout", ["timeout"]),
        ("retries", "plain", ["retries"]),
        ("retries0", "retries", ["retries"]),
        ("abort", "plain", ["abort"]),
        ("plain", "abort", ["abort"]),
        ("abort", "abort_nopct", ["abort"]),
        ("delay", "delay_percent", ["delay"]),
        ("both", "abort", ["delay", "abort"]),
        ("rewriteregex", "plain", ["rewrite"]),
        ("redirect", "plain", ["redirect"]),
        ("plain", "redirect", []),
        ("direct", "redirect", ["direct response"]),
        ("mirror", "mirror50", ["mirrors"]),
        ("plain", "mirrors", ["mirrors"]),
        ("headers", "plain", ["headers"]),
        ("plain", "headers", ["headers"]),
        ("match", "plain", ["number of routes"]),
        ("named", "rewrite", ["path", "rewrite"]),
    ],
    ids=str,
)
def test_an_older_version_of_a_rule_is_not_live(wanted: str, there: str, names: list[str]) -> None:
    new = recorded_rule(wanted)
    assert recorded(there).deviations(new) == names
    assert bool(names) or not recorded(there).is_live(new)


def test_of_retries_that_a_rule_leaves_to_the_mesh_nothing_is_wanted() -> None:
    plain = recorded_rule("plain")
    assert recorded("retries").deviations(plain) == []


def test_older_releases_spell_the_same_match_in_another_way() -> None:
    match = {
        "uri": {"prefix": "/a"}, "headers": {"x": {"exact": "1"}, "y": {"regex": "b+"}, "z": {}},
    }  # fmt: skip
    route = {
        "match": {
            "prefix": "/a",
            "headers": [
                {"name": "x", "exact_match": "1"},
                {"name": "y", "safe_regex_match": {"google_re2": {}, "regex": "b+"}},
                {"name": "z", "present_match": True},
            ],
        },
        "route": {"timeout": "0s"},
    }
    assert (
        route_comparison.differing(
            route_comparison.wanted({}, match, "shop"), route_comparison.found(route)
        )
        == []
    )


@pytest.mark.parametrize("there", [to("v1"), weighted(v1=100)], ids=["one cluster", "weighted"])
def test_a_single_target_with_a_weight_is_spelled_in_two_ways(there: dict[str, Any]) -> None:
    wanted = split(v1=100, v2=0)
    assert dump(there).is_live(wanted)


def test_after_a_match_that_takes_everything_no_route_is_wanted() -> None:
    first = {
        "match": [{"uri": {"prefix": "/"}}],
        "route": [{"destination": {"host": "app", "subset": "v2"}}],
    }
    then = {"route": [{"destination": {"host": "app", "subset": "v1"}}]}
    both = rule(first, then)
    assert dump(to("v2")).is_live(both)
    assert "number of routes" not in dump(to("v2")).deviations(both)
    assert not dump(to("v1")).is_live(both)


@dataclass
class Sidecar:
    """Shows one configuration after the other, the last one for ever."""

    shown: list[Dump]
    target: Target = field(default_factory=lambda: Target("shop", "testclient", "app"))
    looks: int = 0

    def dumps(self, _deadline: float) -> Iterator[Dump]:
        self.looks += 1
        yield self.shown.pop(0) if len(self.shown) > 1 else self.shown[0]


def waiter(said: list[str], seconds: float, patience: float) -> SidecarReadiness:
    def notify(text: str, *, lasting: bool = False, always: bool = False) -> None:
        said.append(f"{text} (stays)" if always and not lasting else text)

    kube: Any = None  # nothing is asked of it
    return SidecarReadiness(kube, notify, time.monotonic() + seconds, patience=patience)


def test_the_details_of_a_rule_are_waited_for() -> None:
    sidecar: Any = Sidecar([recorded("plain"), recorded("plain"), recorded("timeout")])
    wanted = [recorded_rule("timeout")]
    waiter([], 10, 10).wait_for_rules(sidecar, wanted, None)
    assert sidecar.shown == [recorded("timeout")]


def test_details_that_do_not_come_in_time_are_named() -> None:
    sidecar: Any = Sidecar([recorded("plain")])
    wanted = [recorded_rule("timeout")]
    with pytest.raises(TimedOut, match=r"what VirtualService shop/split says now \(timeout\)"):
        waiter([], 0.3, 10).wait_for_rules(sidecar, wanted, None)


def test_details_on_which_somebody_else_has_the_last_word_do_not_keep_a_command_for_ever() -> None:
    said: list[str] = []
    sidecar: Any = Sidecar([recorded("plain")])
    wanted = [recorded_rule("timeout")]
    waiter(said, 60, 0.3).wait_for_rules(sidecar, wanted, None)
    (text,) = said
    assert "(timeout)" in text
    assert text.endswith("does an EnvoyFilter change it? (stays)")


def test_what_is_left_of_a_rule_is_seen() -> None:
    assert dump(to("v2")).has_rule(split(v2=100))
    assert not dump(subsets=("v1",)).has_rule(split(v2=100))
    assert dump(subsets=("v1",)).has_rule(SUBSETS)


def test_a_sidecar_that_is_looked_at_in_vain_is_given_time_between_the_looks() -> None:
    sidecar: Any = Sidecar([dump(to("v2"))])
    with pytest.raises(TimedOut, match="still has VirtualService shop/split"):
        waiter([], 0.5, 10).wait_for_absence(sidecar, [split(v2=100)])
    assert sidecar.looks <= 4


def test_the_rule_that_a_sidecar_follows_in_the_place_of_ours_is_named() -> None:
    there = dump(to("v1"), of="theirs")
    (followed,) = there.followed()
    assert (followed.host, followed.rules) == (FQDN, (("shop", "theirs"),))
    sidecar: Any = Sidecar([there])
    with pytest.raises(EnvironmentFailed, match="it follows VirtualService shop/theirs") as found:
        waiter([], 0.3, 10).wait_for_rules(sidecar, [split(v2=100)], None)
    assert "has not got VirtualService shop/split" in found.value.message
    assert "exportTo" in found.value.hint
