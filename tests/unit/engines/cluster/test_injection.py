from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from meshdemo.engines.cluster import injection
from meshdemo.engines.cluster.istio import control_plane
from meshdemo.engines.options import Injection
from meshdemo.errors import EnvironmentFailed
from meshdemo.objects import labels, reading
from meshdemo.objects.model import WORKLOAD_KINDS, Object

RECORDED = (Path(__file__).parent / "istioctl/1.32/kube-inject-app.stdout").read_text()
LABEL = "sidecar.istio.io/inject"
TEMPLATE = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: app, namespace: default}
spec:
  template:
    metadata: {labels: {app: app%s}}
    spec: {containers: [{name: app, image: x}]}
"""


class Replayed:
    """istioctl, as it was recorded."""

    def __init__(self, answer: str = RECORDED) -> None:
        self.answer, self.asked = answer, ""

    def kube_inject(self, manifests: str, timeout: float) -> str:  # noqa: ARG002 - it answers at once
        self.asked = manifests
        return self.answer


def deployment(labels: str = "") -> Object:
    (item,) = reading.parse(TEMPLATE % labels, "app.yaml", [])
    return item


def walkthrough() -> tuple[Object, ...]:
    """The plain objects of which the recording is the answer, in its namespace (none)."""
    plain = reading.parse(RECORDED, "app.yaml", [])
    for item in plain:
        item.pod_template.get("metadata", {}).pop("annotations", None)
        item.data.pop("status", None)
    return tuple(plain)


def labels_of(item: Object) -> dict[str, str]:
    labels: dict[str, str] = item.pod_template["metadata"]["labels"]
    return labels


def inject(item: Object, mode: Injection, **namespace: str) -> Object:
    labels = {name.replace("_", "-"): value for name, value in namespace.items()}
    (done,) = injection.inject([item], mode, Replayed(), {"default": labels})
    return done


def test_istioctls_sidecars_go_where_the_objects_were() -> None:
    objects, replayed = walkthrough(), Replayed()
    done = injection.inject(objects, Injection.KUBE_INJECT, replayed, {})
    assert [item.title for item in done] == [item.title for item in objects]
    assert [injection.is_kube_injected(item) for item in done] == [False, True, True]
    assert "kind: Service" not in replayed.asked
    assert done[1].file == "app.yaml"


def test_what_only_a_server_writes_is_left_out() -> None:
    done = injection.inject(walkthrough(), Injection.KUBE_INJECT, Replayed(), {})
    assert all("status" not in item.data for item in done)


@pytest.mark.parametrize("kind", sorted(WORKLOAD_KINDS))
def test_istioctl_is_asked_for_every_kind_that_makes_pods(kind: str) -> None:
    metadata = {"name": "app", "namespace": "default"}
    plain = Object({"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": {"more": 1}})
    pods = {"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": {"containers": []}}
    item = plain.with_pod_template(pods)
    replayed = Replayed(reading.dump([marked(item)]))
    (done,) = injection.inject([item], Injection.KUBE_INJECT, replayed, {})
    assert f"kind: {kind}" in replayed.asked
    assert injection.is_kube_injected(done)
    assert not injection.is_kube_injected(item)
    assert "status" not in done.data
    assert [key for key in done.data if key not in item.data] == []


def marked(item: Object) -> Object:
    """What istioctl makes of an object, status and all; of a CronJob it marks the Jobs."""
    annotations = {"annotations": {labels.INJECTED: "{}"}, "creationTimestamp": None}
    metadata = {**item.metadata, **annotations}
    if item.kind != "CronJob":
        item = item.with_pod_metadata(metadata)
        return item.with_data({**item.data, "status": {}})
    jobs = {**item.spec["jobTemplate"], "metadata": annotations}
    return item.with_data({**item.data, "spec": {"jobTemplate": jobs}, "status": {}})


def test_another_groups_kind_of_the_same_name_stays_as_it_is() -> None:
    metadata = {"name": "app", "namespace": "default"}
    volcano = Object({"apiVersion": "batch.volcano.sh/v1alpha1", "kind": "Job",
                      "metadata": metadata, "spec": {"tasks": []}})  # fmt: skip
    replayed = Replayed(reading.dump([volcano]))
    assert injection.inject([volcano], Injection.KUBE_INJECT, replayed, {}) == (volcano,)


@pytest.mark.parametrize("answer", ["", "a: [", "kind: Deployment\n"])
def test_an_answer_that_lacks_objects_is_an_error(answer: str) -> None:
    with pytest.raises(EnvironmentFailed, match="no usable manifests"):
        injection.inject(walkthrough(), Injection.KUBE_INJECT, Replayed(answer), {})


def test_without_workloads_istioctl_is_not_asked() -> None:
    replayed = Replayed()
    assert injection.inject([], Injection.KUBE_INJECT, replayed, {}) == ()
    assert not replayed.asked


def test_auto_leaves_the_pods_as_they_are_written_and_notes_the_choice() -> None:
    item = deployment()
    done = inject(item, Injection.AUTO)
    assert done.pod_template == item.pod_template
    assert injection.chosen(done) == "auto"


@pytest.mark.parametrize(
    ("label", "namespace", "wanted"),
    [
        pytest.param("", {}, None, id="nobody would inject"),
        pytest.param(f', {LABEL}: "true"', {}, "false", id="the pod asks"),
        pytest.param("", {"istio_injection": "enabled"}, "false", id="the namespace asks"),
        pytest.param("", {"istio_injection": "disabled"}, None, id="the namespace forbids"),
        pytest.param(f', {LABEL}: "false"', {"istio_injection": "enabled"}, "false", id="user's"),
    ],
)
def test_none_keeps_the_webhook_away_only_where_it_would_come(
    label: str, namespace: dict[str, str], wanted: str | None
) -> None:
    done = inject(deployment(label), Injection.NONE, **namespace)
    assert labels_of(done).get(LABEL) == wanted
    assert injection.chosen(done) == "none"


def test_after_none_the_sidecar_can_come_back() -> None:
    out = inject(deployment(), Injection.NONE, istio_injection="enabled")
    assert LABEL in labels_of(out)
    back = inject(out, Injection.AUTO, istio_injection="enabled")
    assert LABEL not in labels_of(back)
    assert back.annotations == {labels.INJECTION_CHOICE: "auto"}


@pytest.mark.parametrize("mode", [Injection.AUTO, Injection.NONE], ids=str)
def test_what_was_chosen_before_is_chosen_again(mode: Injection) -> None:
    live = inject(deployment(", istio.io/rev: canary"), mode, istio_injection="enabled")
    again = injection.as_chosen_before(deployment(), live)
    assert injection.chosen(again) == mode.value
    assert labels_of(again) == labels_of(live)
    assert again.annotations == live.annotations


def test_a_users_own_false_stays() -> None:
    own = deployment(f', {LABEL}: "false"')
    out = inject(own, Injection.NONE, istio_injection="enabled")
    assert labels_of(inject(out, Injection.AUTO))[LABEL] == "false"


@pytest.mark.parametrize(
    ("label", "namespace", "does"),
    [
        ("", {}, False),
        ("", {"istio-injection": "enabled"}, True),
        ("", {"istio.io/rev": "canary"}, True),
        (', istio.io/rev: "canary"', {}, True),
        (f', {LABEL}: "true"', {"istio-injection": "disabled"}, False),
        (f', {LABEL}: "false"', {"istio-injection": "enabled"}, False),
    ],
)
def test_the_webhook_goes_by_labels(label: str, namespace: dict[str, str], does: bool) -> None:
    template = deployment(label).pod_template
    assert injection.webhook_injects(template, namespace) is does


def require(kube: Any) -> None:
    planes = control_plane.control_planes(kube)
    injection.require_istiod(kube, planes, control_plane.choose(planes or ()))


def test_kube_inject_fails_at_once_without_istio(kube: Any) -> None:
    with pytest.raises(EnvironmentFailed, match="no istiod is there") as caught:
        require(kube)
    assert "meshdemo install" in caught.value.hint


def test_kube_inject_fails_at_once_while_no_istiod_answers(meshed: Any) -> None:
    status = meshed.objects["Deployment", "istio-system", "istiod"]["status"]
    status["availableReplicas"] = 0
    with pytest.raises(EnvironmentFailed, match="no istiod answers"):
        require(meshed)


def test_who_may_not_reach_istiod_is_told_of_the_webhook(meshed: Any) -> None:
    meshed.may_not.add(("create", "pods/portforward"))
    meshed.forbidden.add("Deployment")
    with pytest.raises(EnvironmentFailed, match="pods/portforward") as caught:
        require(meshed)
    assert "--injection auto" in caught.value.hint


def test_a_student_who_may_port_forward_may_kube_inject(meshed: Any) -> None:
    meshed.forbidden.add("Deployment")
    require(meshed)


@pytest.mark.parametrize(
    ("labels", "served", "why"),
    [
        ({}, frozenset({"default"}), ""),
        ({"istio-injection": "enabled"}, frozenset({"default"}), ""),
        ({"istio-injection": "disabled"}, None, "istio-injection=disabled"),
        ({"istio-injection": "enabled", "istio.io/rev": "old"}, frozenset({"default"}), ""),
        ({"istio.io/rev": "canary"}, frozenset({"default", "canary"}), ""),
        ({"istio.io/rev": "old"}, frozenset({"default"}), "istio.io/rev=old"),
        ({"istio.io/rev": "old"}, None, ""),
    ],
    ids=["none", "enabled", "disabled", "enabled wins", "there", "not there", "not to be seen"],
)
def test_a_namespace_whose_label_keeps_the_webhook_away_is_named(
    labels: dict[str, str], served: frozenset[str] | None, why: str
) -> None:
    if not why:
        injection.require_webhook({"shop": labels}, served)
        return
    with pytest.raises(EnvironmentFailed, match=f"namespace shop is labelled {why}") as refusal:
        injection.require_webhook({"shop": labels}, served)
    assert f"kubectl label namespace shop {why.partition('=')[0]}-" in refusal.value.hint
