"""Whether a class can be made is known before anything is touched."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from meshdemo.engines.cluster.classroom.seats import Classroom, Seat
from meshdemo.engines.protocol import say_nothing
from meshdemo.errors import EnvironmentFailed
from meshdemo.walkthrough import bundled

if TYPE_CHECKING:
    from tests.unit.engines.cluster.conftest import FakeKube


def room(kube: FakeKube) -> Classroom:
    rights = bundled.RBAC_MANIFESTS[:1]
    as_kube: Any = kube
    return Classroom(as_kube, "lab", lambda space: bundled.read(rights, space), say_nothing, 5)


def space(name: str, its_class: str = "", **metadata: str) -> dict[str, Any]:
    labels = {"meshdemo.dev/class": its_class} if its_class else {}
    return {"kind": "Namespace", "metadata": {"name": name, "labels": labels, **metadata}}


OURS = {"name": "app", "namespace": "lab-01", "labels": {"meshdemo.dev/run": "lab-01"}}


def test_who_is_missing_is_planned_beside_those_who_are_there(kube: FakeKube) -> None:
    kube.put(space("lab-02", "lab"), space("lab-09", "lab"), space("other-01", "other"))
    planned = room(kube).plan(3)
    assert [(seat.name, seat.is_new) for seat in planned] == [
        ("lab-01", True),
        ("lab-02", False),
        ("lab-03", True),
    ]
    assert room(kube).students() == ["lab-02", "lab-09"]


def test_the_hundredth_student_comes_last(kube: FakeKube) -> None:
    kube.put(*(space(f"lab-{number:02}", "lab") for number in (100, 20, 3)))
    assert room(kube).students() == ["lab-03", "lab-20", "lab-100"]


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ([space("lab-02")], "not of the class lab: namespace lab-02"),
        ([space("lab-02", "other"), space("lab-03")], "namespace lab-02, lab-03"),
        (
            [space("lab-01", "lab", deletionTimestamp="2020-01-01T00:00:00Z")],
            "on its way out: namespace lab-01",
        ),
    ],
)
def test_a_namespace_in_the_way_is_named_and_nothing_is_touched(
    kube: FakeKube, there: list[dict[str, Any]], said: str
) -> None:
    before = copy.deepcopy(kube.put(*there).objects)
    with pytest.raises(EnvironmentFailed, match=said):
        room(kube).plan(3)
    assert kube.objects == before


@pytest.mark.parametrize(
    ("verb", "resource"),
    [("create", "namespaces"), ("create", "serviceaccounts/token"), ("patch", "rolebindings")],
)
def test_a_right_that_is_missing_is_named(kube: FakeKube, verb: str, resource: str) -> None:
    kube.may_not = {(verb, resource)}
    with pytest.raises(EnvironmentFailed, match=f"not allowed to: {verb} {resource}$") as refused:
        room(kube).plan(3)
    assert "cluster-admin" in refused.value.hint
    assert kube.objects == {}


def test_who_may_remove_no_namespace_empties_none(kube: FakeKube) -> None:
    kube.put(space("lab-01", "lab"), {"kind": "Service", "metadata": OURS})
    before = copy.deepcopy(kube.objects)
    kube.may_not = {("delete", "namespaces")}
    with pytest.raises(EnvironmentFailed, match="not allowed to: delete namespaces"):
        list(room(kube).down())
    assert kube.objects == before


HOUR, TOKEN = 3600, "t"
IN_AN_HOUR = Seat("lab-01", is_new=True, token=TOKEN, expires="2020-01-01T01:00:00Z")
"""By the clock of the server, which is far from ours."""


@pytest.mark.parametrize(
    ("server", "seconds", "said"),
    [
        ("https://10.0.0.1:6443", HOUR, []),
        ("https://10.0.0.1:6443", None, []),
        ("https://10.0.0.1:6443", 8 * HOUR, ["no token for longer than 1.0 h"]),
        ("https://127.0.0.1:6443", HOUR, ["work on this machine alone"]),
    ],
)
def test_what_will_surprise_is_said(
    meshed: FakeKube, server: str, seconds: int | None, said: list[str]
) -> None:
    meshed.server = server
    found = list(room(meshed).remarks([IN_AN_HOUR], seconds))
    assert len(found) == len(said)
    assert all(part in remark for part, remark in zip(said, found, strict=True))


def test_that_istio_is_yet_to_come_is_said(kube: FakeKube) -> None:
    kube.server = "https://10.0.0.1:6443"
    (remark,) = room(kube).remarks([IN_AN_HOUR], HOUR)
    assert "meshdemo install" in remark
