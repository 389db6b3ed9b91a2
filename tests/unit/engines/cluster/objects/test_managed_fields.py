"""Our part of a live object is what we applied."""

from __future__ import annotations

from typing import Any

from meshdemo.engines.cluster.objects import managed_fields
from meshdemo.objects.model import Object

FIELDS: dict[str, Any] = {
    "f:metadata": {"f:labels": {"f:app": {}}},
    "f:spec": {
        "f:template": {
            "f:spec": {
                "f:containers": {
                    'k:{"name":"app"}': {".": {}, "f:name": {}, "f:image": {}, "f:env": {
                        'k:{"name":"version"}': {".": {}, "f:name": {}, "f:value": {}}}}
                }
            }
        },
        "f:finalizers": {'v:"ours"': {}},
        "f:selector": {},
    },
}  # fmt: skip
LIVE: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {
        "name": "app",
        "namespace": "shop",
        "uid": "u1",
        "creationTimestamp": "2026-11-22T16:00:00Z",
        "generation": 3,
        "resourceVersion": "7",
        "labels": {"app": "app", "theirs": "x"},
        "managedFields": [
            {"manager": "kubectl", "operation": "Update", "time": "2", "fieldsV1": {}},
            {"manager": "meshdemo", "operation": "Apply", "time": "1", "fieldsV1": FIELDS},
        ],
    },
    "spec": {
        "replicas": 1,
        "finalizers": ["theirs", "ours"],
        "selector": {"matchLabels": {"app": "app"}},
        "template": {
            "spec": {
                "dnsPolicy": "ClusterFirst",
                "containers": [
                    {"name": "other", "image": "x"},
                    {"name": "app", "image": "a:1", "imagePullPolicy": "Always",
                     "env": [{"name": "version", "value": "v1"}, {"name": "theirs"}]},
                ],
            }
        },
    },
    "status": {"replicas": 1},
}  # fmt: skip


def test_only_our_fields_come_back() -> None:
    container = {"name": "app", "image": "a:1", "env": [{"name": "version", "value": "v1"}]}
    assert managed_fields.applied(LIVE).data == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "app",
            "namespace": "shop",
            "uid": "u1",
            "creationTimestamp": "2026-11-22T16:00:00Z",
            "generation": 3,
            "labels": {"app": "app"},
        },
        "spec": {
            "finalizers": ["ours"],
            "selector": {"matchLabels": {"app": "app"}},
            "template": {"spec": {"containers": [container]}},
        },
    }


def test_of_somebody_elses_object_all_comes_back_but_what_a_server_writes() -> None:
    foreign = {**LIVE, "metadata": {**LIVE["metadata"], "managedFields": []}}
    found = managed_fields.applied(foreign)
    assert found.spec == LIVE["spec"]
    assert not {"managedFields", "resourceVersion"} & found.metadata.keys()
    assert "status" not in found.data


def test_what_is_applied_again_has_nothing_of_the_servers() -> None:
    found = managed_fields.as_written(Object(LIVE))
    assert found.metadata.keys() == {"name", "namespace", "labels"}
    assert managed_fields.managers(LIVE) == ["meshdemo", "kubectl"]


def test_a_null_time_in_a_pod_template_is_left_out() -> None:
    template = {"metadata": {"creationTimestamp": None, "labels": {"a": "b"}}, "spec": {}}
    item = Object({"kind": "Deployment", "metadata": {"name": "a", "creationTimestamp": None},
                   "spec": {"template": template}, "status": {}})  # fmt: skip
    found = managed_fields.as_written(item)
    assert found.data == {
        "kind": "Deployment",
        "metadata": {"name": "a"},
        "spec": {"template": {"metadata": {"labels": {"a": "b"}}, "spec": {}}},
    }


def test_of_a_rule_all_holds_also_what_somebody_else_wrote() -> None:
    ours = {"f:metadata": {"f:labels": {"f:app": {}}}, "f:spec": {"f:hosts": {}}}
    managed = [
        {"manager": "meshdemo", "operation": "Apply", "time": "1", "fieldsV1": ours},
        {"manager": "kubectl", "operation": "Update", "time": "2", "fieldsV1": {}},
    ]
    spec = {"hosts": ["app"], "http": [{"route": [{"destination": {"host": "app"}}]}]}
    metadata = {**LIVE["metadata"], "managedFields": managed}
    live = {"kind": "VirtualService", "apiVersion": "v1", "metadata": metadata, "spec": spec}
    found = managed_fields.applied(live)
    assert found.spec == spec
    assert found.labels == {"app": "app"}


def test_a_service_leads_where_it_leads_now_whoever_changed_that() -> None:
    ours: dict[str, Any] = {
        "f:spec": {"f:type": {}, "f:ports": {'k:{"port":80,"protocol":"TCP"}': {"f:port": {}}}}
    }
    managed = [{"manager": "meshdemo", "operation": "Apply", "time": "1", "fieldsV1": ours}]
    ports = [{"name": "tcp", "port": 80, "protocol": "TCP", "targetPort": 8080}]
    spec = {"type": "ClusterIP", "clusterIP": "10.0.0.1", "ports": ports, "selector": {"app": "b"}}
    metadata = {**LIVE["metadata"], "managedFields": managed}
    found = managed_fields.applied({"kind": "Service", "apiVersion": "v1", "metadata": metadata,
                             "spec": spec})  # fmt: skip
    assert found.spec == {"type": "ClusterIP", "ports": ports, "selector": {"app": "b"}}
