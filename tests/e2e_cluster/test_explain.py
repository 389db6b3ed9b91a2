"""One request told on a real cluster, by whoever may do much, and by whoever may do little."""

from __future__ import annotations

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from tests.e2e_cluster.test_causes import RULE, TO_V1, TO_V2, put, rule
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
RETRIED = "retries: {attempts: 2, retryOn: 5xx}"
COPIED = "mirror: {host: app, subset: v1}, mirrorPercentage: {value: 100}"
DELAYED = "fault: {delay: {fixedDelay: 30s, percentage: {value: 100}}}"
TRACED = "x-request-id: 00000000-0000-4000-8000-000000000001"
"""An id of which Istio's default tracing always takes the request for its 1 %, and changes it."""
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


def test_rivals_retries_and_copies_are_told(running: tuple[Cluster, str], tmp_path: Path) -> None:
    cluster, namespace = running
    put(running, RULE % rule(f"{RETRIED}, {COPIED}, {TO_V2}"), tmp_path)
    later = tmp_path / "later.yaml"
    later.write_text((RULE % rule(TO_V1)).replace("app-default-v2", "later"))
    cluster.kubectl("create", "-n", namespace, "-f", str(later))
    try:
        argv = ("explain", "http://app/env/not-set", "-n", namespace, "-o", "json")
        found = cluster.meshdemo(*argv, "-H", TRACED).json
    finally:
        cluster.kubectl("delete", "-n", namespace, "-f", str(later))
    claims = found["predicted"]["claims"]
    assert [(each["object"].rpartition("/")[2], each["wins"]) for each in claims] == [
        ("app-default-v2", True),
        ("later", False),
    ]
    assert "it is older" in claims[1]["why"]
    assert [each["subset"] for each in found["predicted"]["mirrors"]] == ["v1"]
    assert found["observed"]["status"] == 500
    assert found["observed"]["attempts"] == 3
    assert found["observed"]["sidecar"]["copies"] == [
        f"outbound|80|v1|app.{namespace}.svc.cluster.local"
    ]
    assert found["observed"]["pod"].startswith("app-v2-")
    assert found["agrees"], found["differences"]


def test_an_interrupt_leaves_the_sidecar_as_it_was(
    running: tuple[Cluster, str], tmp_path: Path
) -> None:
    cluster, namespace = running
    put(running, RULE % rule(f"{DELAYED}, {TO_V2}"), tmp_path)
    before = levels(cluster, namespace)
    told = cluster.start("explain", "http://app/env/version", "-n", namespace)
    try:
        while "debug" not in levels(cluster, namespace):
            assert told.poll() is None
        told.send_signal(signal.SIGINT)
        out, err = told.communicate(timeout=60)
    finally:
        told.kill()
        told.communicate()
    assert told.returncode == 130, f"{out}\n{err}"
    while levels(cluster, namespace) != before:
        time.sleep(0.2)


def test_two_at_once_leave_the_sidecar_as_it_was(
    running: tuple[Cluster, str], tmp_path: Path
) -> None:
    cluster, namespace = running
    put(running, RULE % rule(TO_V2), tmp_path)
    before = levels(cluster, namespace)
    argv = ("explain", "http://app/env/version", "-n", namespace, "-o", "json")
    with ThreadPoolExecutor(3) as pool:
        every = [pool.submit(cluster.meshdemo, *argv) for _ in range(6)]
        told = [each.result().json["observed"] for each in every]
    assert all(each["sidecar"] for each in told), [each["hidden"] for each in told]
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
