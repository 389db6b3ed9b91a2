"""Applying: ours only, all or nothing, never by force."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from tests.objects import made, route, to, virtual_service

from meshdemo.engines.cluster.objects.apply import Applier, refuse_misshapen
from meshdemo.engines.local.admission import istio_problems
from meshdemo.errors import EnvironmentFailed, InputError
from meshdemo.objects.model import Object

if TYPE_CHECKING:
    from tests.unit.engines.cluster.conftest import Dial

    from meshdemo.engines.cluster.api.kube import Kube
    from meshdemo.objects import model

    Api = Any

OURS = {"meshdemo.dev/run": "shop"}


PATH = "/api/v1/namespaces/shop/services/app"
service = partial(made, "Service")


def workload(kind: str) -> model.Object:
    return made(kind, kind.lower(), version="batch/v1", template={"spec": {"containers": []}})


def changes(handler: Api) -> list[str]:
    """Give the paths that were really changed."""
    return [
        p for method, p, query, _ in handler.requests if method != "GET" and "dryRun" not in query
    ]


def test_what_is_created_bears_our_labels_and_nothing_is_forced(
    api: tuple[Api, Kube],
) -> None:
    handler, kube = api
    (change,) = Applier(kube, "shop").apply([service(type="ClusterIP")], dry_run=False)
    assert (change.action, change.name) == ("created", "app")
    labels = handler.objects[PATH]["metadata"]["labels"]
    assert labels == {**OURS, "app.kubernetes.io/managed-by": "meshdemo"}
    _, _, query, _ = handler.requests[-1]
    assert query == {"fieldManager": ["meshdemo"], "fieldValidation": ["Strict"]}


def test_somebody_elses_object_is_refused_with_its_manager_and_the_ways_out(
    api: tuple[Api, Kube],
) -> None:
    handler, kube = api
    handler.objects[PATH] = handler.live("Service", "app", {})
    with pytest.raises(EnvironmentFailed, match=r"Service shop/app \(managed by kubectl\)") as no:
        Applier(kube, "shop").apply([service(), service("other")], dry_run=False)
    assert "-n" in no.value.hint
    assert "--adopt" in no.value.hint
    assert not changes(handler)


def test_a_field_that_somebody_else_manages_is_named_with_the_command_for_a_new_start(
    api: tuple[Api, Kube],
) -> None:
    handler, kube = api
    handler.objects[PATH] = handler.live(
        "Service", "app", OURS, conflict=True, spec={"type": "ClusterIP"}
    )
    with pytest.raises(EnvironmentFailed) as refusal:
        Applier(kube, "shop").apply([service(type="NodePort")], dry_run=False)
    assert 'spec.type: set by helm ("ClusterIP", and "NodePort" is asked for)' in str(refusal.value)
    assert "leave these fields out of your file" in refusal.value.hint
    assert not changes(handler)[1:]


def test_all_conflicts_of_all_objects_are_named_at_once_and_forced_only_when_that_is_said(
    api: tuple[Api, Kube],
) -> None:
    handler, kube = api
    others = [PATH, PATH.replace("app", "other")]
    for path in others:
        spec = {"type": "ClusterIP", "clusterIP": "None"}
        handler.objects[path] = handler.live("Service", path[-5:], OURS, conflict=True, spec=spec)
    wanted = [
        replace(service(name, type="NodePort", clusterIP="None"), file="")
        for name in ("app", "other")
    ]
    with pytest.raises(EnvironmentFailed) as refusal:
        Applier(kube, "shop").apply(wanted, dry_run=True)
    for name in ("app", "other"):
        assert f"Service shop/{name} spec.type: set by helm" in str(refusal.value)
    assert "--force-conflicts" in refusal.value.hint
    assert "file" not in refusal.value.hint
    assert not changes(handler)
    Applier(kube, "shop", force=True).apply(wanted, dry_run=False)
    assert [handler.objects[path]["spec"]["type"] for path in others] == ["NodePort"] * 2


REFERENCE = {"fieldPath": "metadata.name"}


@pytest.mark.parametrize("others", [[], [service("other")]], ids=["alone", "of two"])
def test_the_same_value_with_the_servers_defaults_is_no_conflict(
    api: tuple[Api, Kube], others: list[model.Object]
) -> None:
    handler, kube = api
    reference = {"apiVersion": "v1", **REFERENCE}
    handler.objects[PATH] = handler.live(
        "Service", "app", {}, conflict=True, spec={"ref": reference}
    )
    found = Applier(kube, "shop", adopt=True).apply(
        [service(ref=REFERENCE), *others], dry_run=False
    )
    assert "app" in [change.name for change in found]
    sent = [data for m, p, q, data in handler.requests if p == PATH and m == "PATCH"][-1]
    assert sent["spec"]["ref"] == reference
    assert all("force" not in query for _, _, query, _ in handler.requests)


def test_only_the_fields_with_another_value_are_named(api: tuple[Api, Kube]) -> None:
    handler, kube = api
    spec = {"ref": {"apiVersion": "v1", **REFERENCE}, "type": "ClusterIP"}
    handler.objects[PATH] = handler.live("Service", "app", {}, conflict=True, spec=spec)
    with pytest.raises(EnvironmentFailed, match=r"applied:\n  .* spec.type: set by helm [^\n]*$"):
        Applier(kube, "shop", adopt=True).apply(
            [service(ref=REFERENCE, type="NodePort")], dry_run=False
        )


def test_a_job_that_has_its_sidecar_is_tried_without_one_by_another_name(
    api: tuple[Api, Kube],
) -> None:
    handler, kube = api
    job, path = workload("Job"), "/apis/batch/v1/namespaces/shop/jobs/job"
    proxy = {"template": {"spec": {"containers": [{"name": "istio-proxy"}]}}}
    handler.objects[path] = {
        **handler.live("Job", "job", OURS),
        "apiVersion": "batch/v1",
        "spec": proxy,
    }
    Applier(kube, "shop").apply([job], dry_run=True)
    (trial,) = [p for m, p, _, _ in handler.requests if m == "PATCH"]
    assert trial.startswith(f"{path}-")


def test_what_cannot_be_changed_is_said_in_a_few_words(api: tuple[Api, Kube]) -> None:
    handler, kube = api
    handler.immutable = True
    with pytest.raises(InputError) as refusal:
        Applier(kube, "shop").apply([workload("Job")], dry_run=True)
    (problem,) = refusal.value.problems
    assert problem.message == "it cannot be changed once it is there"
    assert problem.field == "spec.template"
    assert "kubectl delete job job -n shop" in problem.hint


def test_every_unknown_field_of_every_object_is_told_and_nothing_changed(
    api: tuple[Api, Kube],
) -> None:
    handler, kube = api
    wrong = [service(bad1=1, bad2=2), service("other", bad3=3), service("good")]
    with pytest.raises(InputError) as refusal:
        Applier(kube, "shop").apply(wrong, dry_run=False)
    fields = [problem.field for problem in refusal.value.problems]
    assert fields == ["spec.bad1", "spec.bad2", "spec.bad3"]
    assert not changes(handler)


def test_an_object_of_a_wrong_shape_is_refused_with_all_that_the_server_says_of_the_rest(
    api: tuple[Api, Kube],
) -> None:
    handler, kube = api
    wrong = [made("Job", metadata={"labels": "hello"}, template=5), service(bad1=1)]
    with pytest.raises(InputError) as refusal:
        refuse_misshapen(wrong, partial(Applier(kube, "shop").apply, dry_run=True))
    fields = [problem.field for problem in refusal.value.problems]
    assert fields == ["metadata.labels", "spec.template", "spec.bad1"]
    assert not changes(handler)


def test_an_unknown_kind_hides_no_other_mistake(api: tuple[Api, Kube]) -> None:
    handler, kube = api
    wrong = [made("Servise"), service(bad1=1)]
    with pytest.raises(InputError) as refusal:
        Applier(kube, "shop").apply(wrong, dry_run=False)
    problems = {problem.field: problem.message for problem in refusal.value.problems}
    assert problems["kind"] == "this cluster has no kind Servise in v1"
    assert "did you mean Service?" in {problem.hint for problem in refusal.value.problems}
    assert problems.keys() == {"kind", "spec.bad1"}
    assert not changes(handler)


def test_without_istio_it_is_istio_that_is_missing(api: tuple[Api, Kube]) -> None:
    _, kube = api
    with pytest.raises(EnvironmentFailed, match="no kind Gateway") as failure:
        Applier(kube, "shop").apply([made("Gateway")], dry_run=False)
    assert "meshdemo install" in failure.value.hint


def test_what_comes_with_istio_is_judged_by_our_tables_until_it_is_there(
    api: tuple[Api, Kube],
) -> None:
    handler, kube = api
    good = virtual_service(route(to()))
    applier = Applier(kube, "shop", istio_problems)
    found = applier.apply([service(), good], dry_run=True)
    assert [(c.kind, c.action) for c in found] == [
        ("Service", "created"),
        ("VirtualService", "created"),
    ]
    assert [item.title for item in applier.untried] == ["VirtualService shop/app"]
    wrong = [service(bad1=1), virtual_service({"nonsense": 1, "mirror": {"host": "a"}})]
    with pytest.raises(InputError) as refusal:
        Applier(kube, "shop", istio_problems).apply(wrong, dry_run=True)
    assert [problem.field for problem in refusal.value.problems] == [
        "spec.bad1",
        "spec.http[0].nonsense",
        "spec.http[0]",
    ]
    assert not changes(handler)


@pytest.mark.parametrize(
    ("item", "field", "hint"),
    [
        (
            virtual_service(version="networking.istio.io/v9"),
            "apiVersion",
            "write networking.istio.io/v1",
        ),
        (workload("Jop"), "kind", "did you mean Job?"),
    ],
    ids=["a version that is not served", "a kind that nobody has"],
)
def test_a_version_or_kind_that_is_not_served_is_bad_input(
    api: tuple[Api, Kube], item: model.Object, field: str, hint: str
) -> None:
    handler, kube = api
    handler.istio = True
    with pytest.raises(InputError) as refusal:
        Applier(kube, "shop").apply([item], dry_run=False)
    (problem,) = refusal.value.problems
    assert (problem.field, problem.hint) == (field, hint)
    assert not changes(handler)


def test_a_missing_namespace_is_created_and_its_objects_are_tried_elsewhere(
    api: tuple[Api, Kube],
) -> None:
    handler, kube = api
    del handler.objects["/api/v1/namespaces/shop"]
    found = Applier(kube, "shop").apply([service(), service("other")], dry_run=False)
    assert [change.kind for change in found] == ["Namespace", "Service", "Service"]
    trials = [p for m, p, query, _ in handler.requests if m == "PATCH" and "dryRun" in query]
    assert all("/namespaces/shop/" not in path for path in trials)
    assert handler.objects["/api/v1/namespaces/shop"]["metadata"]["labels"]["meshdemo.dev/run"]


@pytest.mark.parametrize(
    ("student", "going", "said"),
    [
        ("shop", {}, ""),
        ("shop-2", {}, "not made by this run"),
        ("shop", {"deletionTimestamp": "2026-11-22T16:00:00Z"}, "is being deleted"),
    ],
    ids=["theirs", "another's", "on its way out"],
)
def test_a_student_uses_the_namespace_that_the_class_gave_them_as_it_is(
    api: tuple[Api, Kube], student: str, going: dict[str, str], said: str
) -> None:
    handler, kube = api
    path = "/api/v1/namespaces/shop-pay"
    live = handler.live("Namespace", "shop-pay", {"meshdemo.dev/student": student})
    live["metadata"] |= going
    handler.objects[path] = live
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop-pay"}}
    objects = [Object(space), made("Service", "app", "shop-pay")]
    with pytest.raises(EnvironmentFailed, match=said) if said else nullcontext():
        Applier(kube, "shop").apply(objects, dry_run=False)
    assert changes(handler) == ([] if said else [f"{path}/services/app"])


def test_a_server_that_is_not_there_is_named(dial: Dial) -> None:
    with pytest.raises(EnvironmentFailed, match=r"127\.0\.0\.1:9"):
        dial(9).version()


def test_nothing_is_put_into_a_namespace_that_is_being_deleted(api: tuple[Api, Kube]) -> None:
    handler, kube = api
    space = handler.objects["/api/v1/namespaces/shop"]
    space["metadata"]["deletionTimestamp"] = "2026-11-22T16:00:00Z"
    with pytest.raises(EnvironmentFailed, match="namespace shop is being deleted") as refusal:
        Applier(kube, "shop").apply([service()], dry_run=True)
    assert "another with -n" in refusal.value.hint
    assert not changes(handler)
