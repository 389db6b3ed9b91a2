"""Which workloads get a sidecar."""

from __future__ import annotations

from typing import Any

import pytest
from tests.objects import made

from meshdemo.engines.local.injection import inject, is_injected, keep, webhook_injects
from meshdemo.engines.options import Injection
from meshdemo.objects.labels import INJECT_LABEL, INJECTION_CHOICE
from meshdemo.objects.model import Object


def deployment(
    label: str = "", *, annotation: str = "", namespace: str = "default", **spec: Any
) -> Object:
    metadata: dict[str, Any] = {"labels": {"app": "app"}}
    if label:
        metadata["labels"][INJECT_LABEL] = label
    if annotation:
        metadata["annotations"] = {INJECT_LABEL: annotation}
    template = {"metadata": metadata, "spec": spec}
    return made("Deployment", namespace=namespace, template=template)


def space(**labels: str) -> Object:
    named = {key.replace("_", "-"): value for key, value in labels.items()}
    metadata = {"name": "default", "labels": named}
    return Object({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})


def gets_one(item: Object, mode: Injection, *stored: Object) -> bool:
    settled = keep(inject([item], stored, mode), stored)
    return is_injected(settled[0].pod_template)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        pytest.param(deployment(), True, id="unlabelled"),
        pytest.param(deployment("true"), True, id="true"),
        pytest.param(deployment("false"), False, id="false"),
        pytest.param(deployment(annotation="false"), False, id="annotation-false"),
        pytest.param(deployment("true", annotation="false"), True, id="label-before-annotation"),
        pytest.param(deployment(hostNetwork=True), False, id="host-network"),
        pytest.param(deployment(namespace="kube-system"), False, id="kube-system"),
    ],
)
def test_kube_inject_takes_every_workload_that_does_not_refuse(
    item: Object, expected: bool
) -> None:
    assert gets_one(item, Injection.KUBE_INJECT) is expected


@pytest.mark.parametrize(
    ("labels", "label", "expected"),
    [
        pytest.param({}, "", False, id="nothing-said"),
        pytest.param({}, "true", True, id="pod-true"),
        pytest.param({"istio_injection": "enabled"}, "", True, id="enabled"),
        pytest.param({"istio_injection": "enabled"}, "false", False, id="enabled-but-pod-false"),
        pytest.param({"istio_injection": "disabled"}, "true", False, id="disabled-beats-pod-true"),
    ],
)
@pytest.mark.parametrize("where", ["given", "stored"])
def test_auto_does_what_the_webhook_would(
    labels: dict[str, str], label: str, expected: bool, where: str
) -> None:
    item, namespace = deployment(label), space(**labels)
    if where == "stored":
        assert gets_one(item, Injection.AUTO, namespace) is expected
    else:
        settled = inject([item, namespace], (), Injection.AUTO)
        assert is_injected(settled[0].pod_template) is expected


@pytest.mark.parametrize(("revision", "expected"), [("default", True), ("canary", False)])
@pytest.mark.parametrize("label", ["", "true"])
def test_a_pod_that_names_a_revision_is_for_that_revision_only(
    label: str, revision: str, *, expected: bool
) -> None:
    labels = {"istio.io/rev": revision} | ({"sidecar.istio.io/inject": label} if label else {})
    assert webhook_injects("default", {}, {"metadata": {"labels": labels}}) is expected


def test_none_takes_the_sidecar_out_and_kube_inject_may_put_it_back() -> None:
    (stored,) = inject([deployment()], (), Injection.KUBE_INJECT)
    (without,) = inject([deployment()], [stored], Injection.NONE)
    assert not is_injected(without.pod_template)
    assert gets_one(without, Injection.KUBE_INJECT, without)
    assert INJECTION_CHOICE not in str(inject([without], [without], Injection.KUBE_INJECT))


def test_what_the_user_labelled_false_is_never_put_back() -> None:
    item = deployment("false")
    assert inject([item], (), Injection.NONE) == (item,)
    assert not gets_one(item, Injection.KUBE_INJECT, item)


@pytest.mark.parametrize("label", ["true", "false"])
def test_an_object_applied_as_it_is_keeps_the_label_it_has(label: str) -> None:
    (settled,) = keep([deployment()], [deployment(label)])
    assert settled.data == deployment(label).data


def test_an_object_applied_as_it_is_follows_its_namespace() -> None:
    (settled,) = keep([deployment()], [space(istio_injection="enabled")])
    assert is_injected(settled.pod_template)


def test_injection_leaves_everything_else_as_it_was() -> None:
    service, item = made("Service"), deployment()
    before = repr(item.data)
    given, changed = inject([service, item], (), Injection.KUBE_INJECT)
    assert given is service
    assert repr(item.data) == before
    del changed.data["spec"]["template"]["metadata"]["labels"][INJECT_LABEL]
    assert changed.data == item.data
