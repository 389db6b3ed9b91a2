"""Route tests, and what a change of rules changes, asked of a real mesh that is up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    Cluster = Any

pytestmark = [pytest.mark.timeout(400), pytest.mark.usefixtures("istio")]

TESTS = """
apiVersion: meshdemo.dev/v1
kind: RouteTest
metadata: {name: walkthrough}
live: true
tests:
- name: right
  request: {url: "http://app/env/version"}
  expect: {version: v2, status: 200, service: app}
- {name: shares, request: {url: "http://app/env/version"}, expect: {shares: {v2: 100%}}}
- {name: wrong, request: {url: "http://app/env/version"}, expect: {version: v1}}
"""
TO_V1 = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: app-default-v2}
spec:
  hosts: [app]
  http: [{route: [{destination: {host: app, subset: v1}}]}]
"""


def test_the_mesh_that_is_up_is_tested_and_compared(
    running: tuple[Cluster, str], tmp_path: Path
) -> None:
    cluster, namespace = running
    tests, rule = tmp_path / "live.meshtest.yaml", tmp_path / "rule.yaml"
    tests.write_text(TESTS)
    rule.write_text(TO_V1)
    cluster.meshdemo("route", "v2", "-n", namespace)
    found = cluster.meshdemo("test", str(tests), "-n", namespace, "-o", "json", code=1).json
    assert [(each["name"], each["ok"]) for each in found["tests"]] == [
        ("right", True), ("shares", True), ("wrong", False),
    ]  # fmt: skip
    assert found["coverage"]["percent"] == 100
    changed = cluster.meshdemo("diff", "live", str(rule), "-n", namespace, "--exit-code", code=1)
    assert "moves from v2 to v1" in changed.out
    rules = cluster.kubectl(
        "get", "virtualservice", "app-default-v2", "-n", namespace, "-o", "yaml"
    )
    assert "subset: v2" in rules
