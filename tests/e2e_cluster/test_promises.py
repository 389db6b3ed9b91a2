"""What the rules promise where more than rules decides: said, or named as not accounted for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.e2e_cluster.test_class import as_student

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Cluster = Any

pytestmark = [pytest.mark.timeout(400), pytest.mark.usefixtures("istio")]

DENY = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: closed}
spec: {action: DENY, rules: [{}], selector: {matchLabels: {app: app}}}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: strict}
spec: {mtls: {mode: STRICT}}
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: narrow}
spec: {egress: [{hosts: ["./*"]}]}
"""
HEADLESS = """
apiVersion: v1
kind: Service
metadata: {name: direct}
spec:
  clusterIP: None
  selector: {app: app}
  ports: [{name: http, port: 80}]
"""


@pytest.fixture
def applied(running: tuple[Cluster, str], tmp_path: Path) -> Iterator[Any]:
    """Apply YAML as somebody else, for one test."""
    cluster, namespace = running
    files: list[str] = []

    def apply(text: str) -> None:
        file = tmp_path / f"{len(files)}.yaml"
        file.write_text(text)
        files.append(str(file))
        cluster.kubectl("apply", "-n", namespace, "-f", str(file))

    yield apply
    for file in files:
        cluster.kubectl("delete", "-n", namespace, "-f", file)


def test_of_a_headless_service_no_split_is_promised(
    running: tuple[Cluster, str], applied: Any
) -> None:
    cluster, namespace = running
    applied(HEADLESS)
    refused = cluster.meshdemo("verify", "-n", namespace, "--url", "http://direct/", code=2)
    assert f"Service {namespace}/direct is headless, so DNS chooses the pod" in refused.err
    assert "--expect" in refused.err


def test_what_touches_the_request_beside_the_rules_is_named(
    running: tuple[Cluster, str], applied: Any
) -> None:
    cluster, namespace = running
    applied(DENY)
    ended = cluster.meshdemo("verify", "-n", namespace, "--wait", "20s", "-o", "json", code=1)
    said = ended.err
    assert "the promise does not account for what touches the request: " in said
    for kind in ("AuthorizationPolicy", "PeerAuthentication", "Sidecar"):
        assert f"{kind} {namespace}/" in said
    assert ended.json["tally"]["others"]


def test_a_service_of_another_namespace_is_followed_there_where_that_may_be_seen(
    running: tuple[Cluster, str], namespace: str, tmp_path: Path
) -> None:
    cluster, there = running
    url = f"http://app.{there}/env/version"
    student = as_student(cluster, namespace, tmp_path)
    student.meshdemo("up", "--injection", "auto", "--no-verify")
    try:
        found = cluster.meshdemo("verify", "-n", namespace, "--url", url, "-o", "json").json
        assert found["expectation"] == {
            "text": "v2=100%",
            "shares": {"v2": 1.0},
            "fromRules": True,
        }
        refused = student.meshdemo("verify", "--url", url, "-o", "json", code=2)
        message = json.loads(refused.out)["error"]["message"]
        assert f"what is in namespace {there} may not be seen" in message
        student.meshdemo("verify", "--url", url, "--expect", "v2=100%")
    finally:
        student.meshdemo("down")
