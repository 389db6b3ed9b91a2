"""Which DestinationRule a client follows, and what is merged into it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.agreement import disagreement
from tests.objects import (
    created,
    deployment,
    destination_rule,
    route,
    service,
    to,
    virtual_service,
)
from tests.worlds import World

from meshdemo.rules import destination_rules

if TYPE_CHECKING:
    from meshdemo.objects.model import Object

HOST = "app.shop.svc.cluster.local"
LABELS = {"app": "testclient"}
MINE, THEIRS = {"matchLabels": LABELS}, {"matchLabels": {"app": "another"}}
TO_V1, TO_V2 = {"version": "v1"}, {"version": "v2"}
CONTAINER = {"ports": [{"containerPort": 80}]}


def rule(
    name: str, labels: dict[str, str] | None = None, namespace: str = "shop", **spec: Any
) -> Object:
    """Make one with the subset s, the younger the later its name comes in the alphabet."""
    return destination_rule(
        name=name,
        namespace=namespace,
        metadata=created(f"2024-{name}"),
        host=HOST,
        subsets=[{"name": "s", "labels": labels}] if labels else [],
        **spec,
    )


def followed(
    *rules: Object, namespace: str = "shop", root: str = destination_rules.ROOT_NAMESPACE
) -> destination_rules.DestinationRule | None:
    known = destination_rules.read_rules(rules, root)
    return destination_rules.choose(known, HOST, namespace, LABELS)


def names(rule: destination_rules.DestinationRule | None) -> tuple[str, ...]:
    return (rule.name, *rule.joined) if rule else ()


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([rule("a"), rule("b")], ("a", "b")),
        ([rule("a"), rule("b", workloadSelector=MINE)], ("b",)),
        ([rule("a", workloadSelector=MINE), rule("b")], ("a",)),
        ([rule("a", workloadSelector=THEIRS), rule("b")], ("b",)),
        ([rule("a", workloadSelector=THEIRS)], ()),
        ([rule("a", workloadSelector=MINE), rule("b", workloadSelector=MINE)], ("a", "b")),
        ([rule("a", workloadSelector={}), rule("b")], ("a",)),
        ([rule("a", workloadSelector=None), rule("b")], ("a", "b")),
        ([rule("a", exportTo=["."]), rule("b")], ("b",)),
        ([rule("a", exportTo=["."], workloadSelector=MINE), rule("b", exportTo=["."])], ("a", "b")),
        ([rule("a"), rule("b", namespace="other")], ("a",)),
        ([rule("a", exportTo=["other"])], ()),
    ],
    ids=[
        "merged", "one for this client wins", "also if it is older", "one for others is none",
        "and nothing else is there", "alike selectors are merged", "an empty selector is for all",
        "null is no selector", "exported otherwise stays apart", "a private one is merged",
        "another namespace's", "not for its own namespace",
    ],
)  # fmt: skip
def test_the_rule_that_a_client_follows(rules: list[Object], expected: tuple[str, ...]) -> None:
    assert names(followed(*rules)) == expected


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([rule("a"), rule("b", namespace="client")], ("b",)),
        ([rule("a"), rule("b", namespace="root")], ("a",)),
        ([rule("a", exportTo=["."]), rule("b", namespace="root")], ("b",)),
        ([rule("a", exportTo=["client"]), rule("b", namespace="root")], ("a",)),
        ([rule("a", workloadSelector=MINE), rule("b", namespace="root")], ("b",)),
        ([rule("b", namespace="istio-system")], ()),
        ([rule("a", namespace="root", exportTo=["~"])], ()),
    ],
    ids=["the client's own", "the service's", "its private one is for itself", "for this client",
         "one with a selector is private", "not the root namespace", "for nobody"],
)  # fmt: skip
def test_the_nearest_namespace_counts(rules: list[Object], expected: tuple[str, ...]) -> None:
    assert names(followed(*rules, namespace="client", root="root")) == expected


EXPORTS = st.sampled_from([None, ["."], ["*"], ["shop"], ["other"], ["~"]])
RULES = st.lists(
    st.builds(
        lambda labels, spec, namespace: (labels, spec, namespace),
        st.sampled_from([TO_V1, TO_V2]),
        st.fixed_dictionaries(
            {"exportTo": EXPORTS, "workloadSelector": st.sampled_from([None, MINE, THEIRS, {}])}
        ),
        st.sampled_from(["shop", "shop", "other", "istio-system"]),
    ),
    max_size=5,
).map(lambda found: [rule(f"r{n}", *each[:1], each[2], **each[1]) for n, each in enumerate(found)])


@given(RULES, st.randoms())
def test_the_order_in_which_rules_are_listed_decides_nothing(rules: list[Object], by: Any) -> None:
    before = followed(*rules)
    by.shuffle(rules)
    assert followed(*rules) == before


@given(RULES)
def test_nothing_of_a_rule_for_other_workloads_is_followed(rules: list[Object]) -> None:
    found = followed(*rules)
    theirs = [r for r in rules if r.spec["workloadSelector"] == THEIRS]
    assert not (found and any(found.has(each) for each in theirs))


@given(RULES)
def test_what_is_promised_is_what_the_local_engine_does(rules: list[Object]) -> None:
    apps = [
        deployment(name, labels={"app": "app", **labels}, container=CONTAINER)
        for name, labels in (("app-v1", TO_V1), ("app-v2", TO_V2))
    ]
    there = (service(), virtual_service(route(to("s"))), *apps, *rules)
    assert disagreement(World(there, "shop", LABELS, "app", 80, "/", "", {})) == ""
