"""What is said of an object of any kind."""

from __future__ import annotations

from typing import Any

import pytest

from meshdemo.objects import model
from meshdemo.objects.model import Object


def test_nothing_is_applied_before_what_it_refers_to() -> None:
    kinds = ["VirtualService", "Pod", "DestinationRule", "Deployment", "Service", "Namespace"]
    ordered = model.in_apply_order(Object({"kind": kind}) for kind in kinds)
    assert [item.kind for item in ordered] == [
        "Namespace",
        "Service",
        "Pod",
        "Deployment",
        "DestinationRule",
        "VirtualService",
    ]


def test_rules_are_the_traffic_rules() -> None:
    objects = [Object({"kind": kind}) for kind in ("Pod", "VirtualService", "DestinationRule")]
    assert [item.kind for item in model.rules(objects)] == ["VirtualService", "DestinationRule"]


@pytest.mark.parametrize(
    ("api_version", "group"), [("v1", ""), ("apps/v1", "apps"), ("a.io/v1beta1", "a.io")]
)
def test_the_group_is_what_precedes_the_version(api_version: str, group: str) -> None:
    assert Object({"apiVersion": api_version}).group == group


def test_the_pod_template_of_a_pod_is_the_pod_itself() -> None:
    pod = Object({"kind": "Pod", "spec": {"x": 1}})
    deployment = Object({"kind": "Deployment", "spec": {"template": {"spec": {"x": 1}}}})
    assert pod.pod_template["spec"] == deployment.pod_template["spec"]


@pytest.mark.parametrize("kind", sorted(model.WORKLOAD_KINDS))
def test_the_pods_of_every_kind_can_be_described_anew_and_the_rest_stays(kind: str) -> None:
    spec: dict[str, Any] = {"template": {"spec": {"x": 1}}, "more": 2}
    spec = {"jobTemplate": {"spec": spec}} if kind == "CronJob" else spec
    item = Object({"kind": kind, "spec": spec, "more": 3})
    changed = item.with_pod_metadata({"name": "new"})
    assert changed.pod_template["metadata"] == {"name": "new"}
    assert changed.pod_template["spec"] == item.pod_template["spec"]
    assert changed.data["more"] == 3
    assert "metadata" not in item.pod_template


@pytest.mark.parametrize("spec", [{}, {"template": "x"}, {"template": None}], ids=str)
def test_what_describes_no_pods_has_an_empty_template(spec: dict[str, Any]) -> None:
    for kind in ("StatefulSet", "CronJob", "Service"):
        assert Object({"kind": kind, "spec": spec}).pod_template == {}
