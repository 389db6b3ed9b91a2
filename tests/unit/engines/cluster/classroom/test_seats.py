"""Whether a class can be made is known before anything is touched."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from tests.unit.engines.cluster.conftest import FakeKube

from meshdemo.engines.cluster.api.time_budget import Budget
from meshdemo.engines.cluster.classroom.seats import Classroom, Seat
from meshdemo.engines.cluster.objects import class_namespaces
from meshdemo.engines.protocol import say_nothing
from meshdemo.errors import EnvironmentFailed
from meshdemo.walkthrough import bundled


class Server(FakeKube):
    """A server that gives tokens, and each new namespace its own ServiceAccount."""

    def create(self, data: dict[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
        account = {"name": "default", "namespace": data["metadata"]["name"]}
        self.put({"kind": "ServiceAccount", "metadata": account})
        return super().create(data, dry_run=dry_run)

    def apply(
        self, data: dict[str, Any], *, dry_run: bool = False, force: bool = False
    ) -> dict[str, Any]:
        assert force, "what somebody has changed is set back"
        return super().apply(data, dry_run=dry_run)

    def patch(
        self, _version: str, kind: str, name: str, body: dict[str, Any], namespace: str = ""
    ) -> dict[str, Any]:
        item = self.objects[kind, namespace, name]
        item["metadata"] = {**item["metadata"], **body["metadata"]}
        return item

    def path(self, _version: str, kind: str, namespace: str = "", name: str = "") -> str:
        return f"/{namespace}/{kind}/{name}"

    def request(
        self, method: str, path: str, *, body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        if not path.endswith("/token"):
            return super().request(method, path)
        assert body
        return {"status": {"token": path, "expirationTimestamp": "2020-01-01T01:00:00Z"}}

    def may(self, student: str) -> list[str]:
        """Name the namespaces in which a student has rights."""
        subject = {"kind": "ServiceAccount", "name": "student", "namespace": student}
        bound = [item for (kind, *_), item in self.objects.items() if kind == "RoleBinding"]
        return [
            item["metadata"]["namespace"]
            for item in bound
            if item["subjects"] == [subject]
            and ("Role", item["metadata"]["namespace"], item["roleRef"]["name"]) in self.objects
        ]


def room(kube: FakeKube) -> Classroom:
    rights = bundled.RBAC_MANIFESTS[:1]
    as_kube: Any = kube
    return Classroom(
        as_kube,
        "lab",
        lambda space: bundled.read(rights, space),
        lambda student: (f"{student}-pay",),
        say_nothing,
        5,
    )


def space(name: str, its_class: str = "", student: str = "", **metadata: str) -> dict[str, Any]:
    labels = {"meshdemo.dev/class": its_class} if its_class else {}
    labels |= {"meshdemo.dev/student": student} if student else {}
    metadata = {"name": name, "uid": f"of {name}", **metadata}
    return {"kind": "Namespace", "metadata": {**metadata, "labels": labels}}


OURS = {"name": "app", "namespace": "lab-01", "labels": {"meshdemo.dev/run": "lab-01"}}


def test_who_is_missing_is_planned_beside_those_who_are_there(kube: FakeKube) -> None:
    kube.put(space("lab-02", "lab"), space("lab-09", "lab"), space("other-01", "other"))
    kube.put(space("lab-03-pay", "lab", "lab-03"))
    planned = room(kube).plan(3)
    assert [(seat.name, seat.is_new, seat.missing) for seat in planned] == [
        ("lab-01", True, ("lab-01", "lab-01-pay")),
        ("lab-02", False, ("lab-02-pay",)),
        ("lab-03", True, ("lab-03",)),
    ]
    assert room(kube).students() == ["lab-02", "lab-09"]


def test_each_student_has_the_same_rights_in_both_namespaces_and_all_of_a_class_goes() -> None:
    # One has nothing of it, one is of a class that is older than the lessons, one is of others.
    account = {"kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "lab-02"}}
    there = (space("lab-02", "lab"), account, space("other-01", "other"), space("lab-pay"))
    kube = Server(budget=Budget(5))
    kube.put(*there)
    seats = room(kube).up(room(kube).plan(2), 600)
    assert [seat.token for seat in seats] == [
        f"/{name}/ServiceAccount/student/token" for name in ("lab-01", "lab-02")
    ]
    for name in ("lab-01", "lab-02"):
        assert kube.may(name) == [name, f"{name}-pay"]
        assert ("ServiceAccount", f"{name}-pay", "student") not in kube.objects
        live: Any = kube
        assert class_namespaces.beside(live, name) == (f"{name}-pay",)
    assert room(kube).students() == ["lab-01", "lab-02"]

    before = {key for key in kube.objects if key[0] == "Namespace"}
    assert not any(seat.missing for seat in room(kube).plan(2))
    room(kube).up(room(kube).plan(2), 600)
    assert {key for key in kube.objects if key[0] == "Namespace"} == before

    for key in before:
        kube.objects[key]["metadata"].setdefault("uid", f"of {key[2]}")
    (check,) = room(kube).down()
    assert (check.ok, check.detail) == (True, "4 removed")
    left = [name for kind, _, name in kube.objects if kind == "Namespace"]
    assert sorted(left) == ["lab-pay", "other-01"]


def test_the_hundredth_student_comes_last(kube: FakeKube) -> None:
    kube.put(*(space(f"lab-{number:02}", "lab") for number in (100, 20, 3)))
    assert room(kube).students() == ["lab-03", "lab-20", "lab-100"]


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ([space("lab-02")], "not of the class lab: namespace lab-02"),
        ([space("lab-02", "other"), space("lab-03")], "namespace lab-02, lab-03"),
        ([space("lab-02-pay")], "not of the class lab: namespace lab-02-pay"),
        ([space("lab-02-pay", "lab", "lab-01")], "not of the class lab: namespace lab-02-pay"),
        ([space("lab-02", "lab", "lab-01")], "not of the class lab: namespace lab-02"),
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
