"""Broken meshes on a real cluster: `verify` names the cause, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
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
