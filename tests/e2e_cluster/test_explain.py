"""One request told on a real cluster, by whoever may do much, and by whoever may do little."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.e2e_cluster.test_class import as_student

if TYPE_CHECKING:
    from pathlib import Path

    Cluster = Any

pytestmark = [pytest.mark.timeout(400), pytest.mark.usefixtures("istio")]

RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: app-default-v2}
spec:
  hosts: [app]
  http:
  - match: [{headers: {x-user: {exact: tester}}}]
    route: [{destination: {host: app, subset: v1}}]
  - match: [{uri: {prefix: /env}}]
    route: [{destination: {host: app, subset: v2}}]
"""
LEVELS = (
    "meshdemo", "exec", "--", "sh", "-c",
    "curl -s -X POST http://127.0.0.1:15000/logging | grep -E ' (http|router):'",
)  # fmt: skip


def levels(cluster: Cluster, namespace: str) -> str:
    """Give how much the client's sidecar says."""
    return str(cluster.meshdemo(*LEVELS[1:2], "-n", namespace, *LEVELS[2:]).out)


def test_a_request_is_told_and_the_sidecar_says_as_much_as_before(
    running: tuple[Cluster, str], tmp_path: Path
) -> None:
    cluster, namespace = running
    file = tmp_path / "rules.yaml"
    file.write_text(RULES)
    cluster.meshdemo("route", "-f", str(file), "-n", namespace)
    before = levels(cluster, namespace)
    cases = [
        ([], "http://app/env/version", 1, "v2", 200, []),
        (["-H", "x-user: tester"], "http://app/env/version", 0, "v1", 200, []),
        ([], "http://app/nothing", None, None, 404, ["NR"]),
    ]
    for headers, url, number, subset, status, flags in cases:
        argv = ("explain", url, *headers, "-n", namespace, "-f", str(file), "-o", "json")
        found = cluster.meshdemo(*argv).json
        assert found["agrees"], found["differences"]
        takes = [step["field"] for step in found["predicted"]["tried"] if step["takes"]]
        assert takes == ([] if number is None else [f"spec.http[{number}]"])
        assert all(step["line"] for step in found["predicted"]["tried"])
        observed = found["observed"]
        assert observed["status"] == status
        assert observed["sidecar"], observed["hidden"]
        assert [each["flag"] for each in observed["sidecar"]["flags"]] == flags
        if subset:
            assert f"|{subset}|app.{namespace}." in observed["sidecar"]["cluster"]
            assert observed["body"] == subset
            assert observed["attempts"] == 1
    assert levels(cluster, namespace) == before


def test_a_student_is_told_what_may_be_seen(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    student = as_student(cluster, namespace, tmp_path)
    student.meshdemo("up", "--injection", "auto", "--no-verify")
    try:
        found = student.meshdemo("explain", "http://app/env/version", "-o", "json").json
        assert found["agrees"], found["differences"]
        assert found["observed"]["body"] == "v2"
        assert found["observed"]["sidecar"] or found["observed"]["hidden"]
    finally:
        student.meshdemo("down")
