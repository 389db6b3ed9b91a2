"""Broken meshes on a real cluster: `verify` names the cause, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Cluster = Any

pytestmark = [pytest.mark.timeout(400), pytest.mark.usefixtures("istio")]

RULE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: app-default-v2}
spec:
  hosts: [app]
"""
FAULT = "fault: {abort: {httpStatus: 418, percentage: {value: 100}}}"
TO_V2 = "route: [{destination: {host: app, subset: v2}}]"
CASES = {
    "rules-say-otherwise": "http: [{route: [{destination: {host: app, subset: v1}}]}]",
    "subset-missing": "http: [{route: [{destination: {host: app, subset: gone}}]}]",
    "fault-in-force": f"http: [{{{FAULT}, {TO_V2}}}]",
    "no-rule-matches": f"http: [{{match: [{{uri: {{prefix: /nothing}}}}], {TO_V2}}}]",
}
POLICY = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: app}
spec:
  host: app
  trafficPolicy: {tls: {mode: %s}}
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
"""
IMAGE = 'jsonpath={.spec.template.spec.containers[?(@.name=="app")].image}'
BARE = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: app-v2}
spec:
  selector: {matchLabels: {app: app, version: v2}}
  template:
    metadata: {labels: {app: app, version: v2, sidecar.istio.io/inject: "false"}}
    spec: {containers: [{name: app, image: %s, ports: [{containerPort: 8000}]}]}
"""


@pytest.mark.parametrize("name", CASES)
def test_the_cause_is_named(running: tuple[Cluster, str], tmp_path: Path, name: str) -> None:
    cluster, namespace = running
    file = tmp_path / "rule.yaml"
    file.write_text(f"{RULE}  {CASES[name]}\n")
    cluster.meshdemo("route", "-f", str(file), "-n", namespace)
    argv = ("verify", "--expect", "v2=100%", "--requests", "20", "-n", namespace)
    found = cluster.meshdemo(*argv, "-o", "json", code=1).json
    (cause,) = found["causes"]
    assert cause["name"] == name
    assert cause["place"]["object"] == f"VirtualService {namespace}/app-default-v2"
    assert cause["fix"]
    said = cluster.meshdemo(*argv, code=1).out
    assert [line for line in said.splitlines() if line.startswith("cause: ")]


@pytest.fixture
def policy(running: tuple[Cluster, str], tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Give what sets the mode of TLS towards the app; afterwards there is none."""
    cluster, namespace = running
    file = tmp_path / "policy.yaml"

    def set_mode(mode: str) -> None:
        file.write_text(POLICY % mode)
        cluster.kubectl("apply", "-n", namespace, "-f", str(file))

    yield set_mode
    set_mode("DISABLE")


def test_what_only_the_analyzer_finds_is_a_guess(
    running: tuple[Cluster, str], policy: Callable[[str], None]
) -> None:
    cluster, namespace = running
    cluster.meshdemo("route", "v2", "-n", namespace)
    policy("SIMPLE")
    argv = ("verify", "--expect", "v2=100%", "--requests", "20", "-n", namespace)
    (cause,) = cluster.meshdemo(*argv, "-o", "json", code=1).json["causes"]
    assert cause["name"] == "analyzer-finds", cause
    assert not cause["verified"]
    assert cause["place"]["object"] == f"DestinationRule {namespace}/app"
    assert "IST0128" in cause["evidence"][0]


def test_an_app_without_a_sidecar_where_mutual_tls_needs_one(
    running: tuple[Cluster, str], policy: Callable[[str], None], tmp_path: Path
) -> None:
    cluster, namespace = running
    where = "-n", namespace
    cluster.meshdemo("route", "v2", *where)
    image = cluster.kubectl("get", "deploy", "app-v1", *where, "-o", IMAGE)
    bare = tmp_path / "bare.yaml"
    bare.write_text(BARE % image)
    cluster.kubectl("replace", *where, "-f", str(bare))
    cluster.kubectl("rollout", "status", "deploy/app-v2", *where)
    policy("ISTIO_MUTUAL")
    argv = ("verify", "--expect", "v2=100%", "--requests", "20", *where)
    (cause,) = cluster.meshdemo(*argv, "-o", "json", code=1).json["causes"]
    assert cause["name"] == "app-without-sidecar"
    assert cause["place"]["object"] == f"DestinationRule {namespace}/app"
    assert cause["fix"].endswith("inject")
