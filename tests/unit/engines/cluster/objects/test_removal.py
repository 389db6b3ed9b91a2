"""Removing what is ours, and nothing else."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from tests.objects import made

from meshdemo.engines.cluster.api.connection import Forbidden
from meshdemo.engines.cluster.objects.apply import Applier
from meshdemo.engines.cluster.objects.removal import Removal
from meshdemo.engines.protocol import say_nothing
from meshdemo.errors import TimedOut

if TYPE_CHECKING:
    from meshdemo.engines.cluster.api.kube import Kube

    Api = Any

OURS = {"meshdemo.dev/run": "shop"}


PATH = "/api/v1/namespaces/shop/services/app"
service = partial(made, "Service")


def test_an_adopted_object_is_not_ours_and_outlives_down(api: tuple[Api, Kube]) -> None:
    handler, kube = api
    handler.objects[PATH] = handler.live("Service", "app", {})
    Applier(kube, "shop", adopt=True).apply([service()], dry_run=False)
    assert "meshdemo.dev/adopted" in handler.objects[PATH]["metadata"]["annotations"]
    Applier(kube, "shop").apply([service()], dry_run=False)  # once is enough
    (change,) = Removal(kube, "shop", say_nothing, 5).delete([service()])
    assert (change.action, change.reason) == ("kept", "manager unknown (adopted)")
    assert PATH in handler.objects


@pytest.mark.parametrize(
    ("labels", "whose"),
    [({}, "managed by kubectl"), ({"meshdemo.dev/run": "other"}, "of the run in namespace other")],
    ids=["kubectl's", "another run's"],
)
def test_what_is_not_ours_is_kept_and_its_owner_is_said(
    api: tuple[Api, Kube], labels: dict[str, str], whose: str
) -> None:
    handler, kube = api
    handler.objects[PATH] = handler.live("Service", "app", labels)
    (change,) = Removal(kube, "shop", say_nothing, 5).delete([service(), service("gone")])
    assert (change.action, change.reason) == ("kept", whose)
    assert PATH in handler.objects


def test_a_deletion_returns_when_the_object_is_gone(api: tuple[Api, Kube]) -> None:
    handler, kube = api
    handler.objects[PATH] = handler.live("Service", "app", OURS)
    handler.lingering = 2
    (change,) = Removal(kube, "shop", say_nothing, 5).delete([service()])
    assert (change.action, handler.lingering) == ("deleted", 0)


def test_what_does_not_go_is_said(api: tuple[Api, Kube]) -> None:
    handler, kube = api
    handler.objects[PATH] = handler.live("Service", "app", OURS)
    handler.lingering = 1_000_000
    with pytest.raises(TimedOut, match=r"not gone within 0.1 s: Service app"):
        Removal(kube, "shop", say_nothing, 0.1).delete([service()])


def run_down(kube: Kube) -> dict[str, Any]:
    return {check.name: check for check in Removal(kube, "shop", say_nothing, 5).everything()}


def test_down_also_removes_what_is_ours_outside_all_namespaces(
    api: tuple[Api, Kube],
) -> None:
    handler, kube = api
    path = "/apis/batch/v1/wides/reader"
    handler.objects[path] = {**handler.live("Wide", "reader", OURS), "apiVersion": "batch/v1"}
    del handler.objects[path]["metadata"]["namespace"]
    handler.objects["/apis/batch/v1/wides/theirs"] = handler.live("Wide", "theirs", {})
    check = run_down(kube)["no object of ours is left"]
    assert check.ok
    assert check.detail == "1 removed, also cluster-wide: Wide reader"
    assert "/apis/batch/v1/wides/theirs" in handler.objects


def test_who_may_not_see_what_is_cluster_wide_can_still_go_down(
    api: tuple[Api, Kube],
) -> None:
    handler, kube = api
    handler.forbidden = ("/apis/batch/v1/wides",)
    handler.objects[PATH] = handler.live("Service", "app", OURS)
    assert run_down(kube)["no object of ours is left"].detail == "1 removed"
    assert PATH not in handler.objects


def test_a_student_leaves_nothing_in_the_namespace_beside_their_own(
    api: tuple[Api, Kube],
) -> None:
    handler, kube = api
    handler.forbidden = ("/api/v1/services", "/api/v1/namespaces/other/")
    handler.objects[SPACE]["metadata"]["annotations"] = {"meshdemo.dev/beside": "shop-pay"}
    beside = "/api/v1/namespaces/shop-pay/services/app"
    for path in (PATH, beside):
        handler.objects[path] = handler.live("Service", "app", OURS)
    handler.objects[beside]["metadata"] |= {"namespace": "shop-pay", "uid": "u2"}
    assert run_down(kube)["no object of ours is left"].detail == "2 removed"
    assert handler.objects.keys() == {SPACE}


@pytest.mark.parametrize(("chosen", "grace"), [(30, 2), (45, None)], ids=["default", "chosen"])
@pytest.mark.parametrize("kind", ["Job", "Pod"])
def test_a_pod_that_says_how_long_it_needs_has_that_time(
    api: tuple[Api, Kube], kind: str, chosen: int, grace: int | None
) -> None:
    handler, kube = api
    pod = {**handler.live("Pod", "one", OURS), "spec": {"terminationGracePeriodSeconds": chosen}}
    pods = "/api/v1/namespaces/shop/pods/one"
    handler.objects[pods] = pod
    if kind == "Job":
        pod["metadata"] |= {
            "labels": {},
            "ownerReferences": [{"kind": "Job", "name": "job", "uid": "u1"}],
        }
        job = {**handler.live("Job", "job", OURS), "apiVersion": "batch/v1"}
        handler.objects["/apis/batch/v1/namespaces/shop/jobs/job"] = job
    assert all(check.ok for check in run_down(kube).values())
    sent = [data for m, p, _, data in handler.requests if m == "DELETE" and p == pods]
    told = kind == "Pod" or grace is not None  # else it goes with its Job
    assert [data.get("gracePeriodSeconds") for data in sent] == ([grace] if told else [])


def test_only_the_very_object_that_was_seen_is_deleted(api: tuple[Api, Kube]) -> None:
    handler, kube = api
    handler.objects[PATH] = handler.live("Service", "app", OURS)
    handler.made_anew = PATH
    (change,) = Removal(kube, "shop", say_nothing, 5).delete([service()])
    assert (change.action, change.reason) == ("kept", "somebody has just made it anew")
    assert handler.objects[PATH]["metadata"]["uid"] == "u2"


def test_who_may_not_look_is_not_told_that_nothing_is_left(api: tuple[Api, Kube]) -> None:
    handler, kube = api
    handler.objects[PATH] = handler.live("Service", "app", OURS)
    kube.api.configuration.api_key["authorization"] = "Bearer nobody"
    with pytest.raises(Forbidden, match="cannot list"):
        list(Removal(kube, "shop", say_nothing, 5).everything())


def test_only_pods_of_what_goes_are_ended_and_none_of_the_workload_that_replaces_it(
    api: tuple[Api, Kube],
) -> None:
    handler, kube = api
    job = {**handler.live("Job", "job", OURS), "apiVersion": "batch/v1"}
    handler.objects["/apis/batch/v1/namespaces/shop/jobs/job"] = job
    for name, uid in (("old", "u1"), ("new", "u2")):
        pod = handler.live("Pod", name, {}, spec={})
        owner = {"kind": "Job", "name": "job" if name == "old" else "replaced", "uid": uid}
        pod["metadata"] |= {"uid": name, "ownerReferences": [owner]}
        handler.objects[f"/api/v1/namespaces/shop/pods/{name}"] = pod
    # As soon as the old one is told to go, another `meshdemo up` makes the next one of that name.
    new = handler.objects["/api/v1/namespaces/shop/pods/new"]
    handler.meanwhile = (lambda: new["metadata"]["ownerReferences"][0].update(name="job"),)
    assert all(check.ok for check in run_down(kube).values())
    ended = [path for method, path, *_ in handler.requests if method == "DELETE"]
    assert "/api/v1/namespaces/shop/pods/old" in ended
    assert "/api/v1/namespaces/shop/pods/new" not in ended


SPACE = "/api/v1/namespaces/shop"


@pytest.mark.parametrize(
    ("kind", "name", "kept"),
    [("Service", "default", True), ("ServiceAccount", "default", False)],
    ids=["somebody's", "each namespace's"],
)
def test_only_of_its_kind_is_an_object_named_default_one_that_nobody_misses(
    api: tuple[Api, Kube], kind: str, name: str, *, kept: bool
) -> None:
    handler, kube = api
    handler.objects[SPACE] = handler.live("Namespace", "shop", OURS)
    handler.objects[f"{SPACE}/{kind.lower()}s/{name}"] = handler.live(kind, name, {})
    checks = run_down(kube)
    assert (SPACE in handler.objects) == kept
    assert ("namespace shop is not ours alone" in checks) == kept


@pytest.mark.parametrize(
    ("forbidden", "said"),
    [("/api/v1/namespaces/shop/services", "Service (v1)"), ("/apis/batch/v1", "kinds of batch/v1")],
    ids=["a kind", "a group"],
)
def test_a_namespace_of_which_not_all_can_be_seen_is_kept(
    api: tuple[Api, Kube], forbidden: str, said: str
) -> None:
    handler, kube = api
    handler.objects[SPACE] = handler.live("Namespace", "shop", OURS)
    handler.unavailable = (forbidden,)
    check = run_down(kube)["namespace shop is ours alone"]
    assert not check.ok
    assert said in check.detail
    assert SPACE in handler.objects
