"""Requests other than the test client's GET: from another pod, and over plain connections."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from tests.printed import read_record

if TYPE_CHECKING:
    from pathlib import Path

Cluster = Any

pytestmark = [pytest.mark.timeout(400), pytest.mark.usefixtures("istio")]

PLAIN = """
apiVersion: v1
kind: Service
metadata: {{name: plain, namespace: {namespace}}}
spec:
  selector: {{app: app}}
  ports: [{{name: tcp, port: 9000, targetPort: 80}}]
"""


def test_connections_are_counted_by_the_line_that_answers(running: tuple[Cluster, str]) -> None:
    """A server of HTTP answers the line ``hello`` too, and says that it is none of HTTP's."""
    cluster, namespace = running
    told = cluster.sh(f"printf %s '{PLAIN.format(namespace=namespace)}' | kubectl apply -f -")
    assert not told.code, told.err
    answer = "unknown answer 'HTTP/1.1 400 Bad Request'"
    where = ("--url", "tcp://plain:9000", "-n", namespace, "-o", "json")
    argv = ("verify", *where, "--expect", "none=100%", "--requests")
    while answer not in cluster.meshdemo(*argv, "1", code=1).json["tally"]["others"]:
        pass  # the Service is new: the mesh need not know it everywhere yet
    found = cluster.meshdemo(*argv, "20", code=1).json
    assert found["tally"]["others"] == {answer: 20}


@pytest.mark.parametrize(("url", "code"), [("http://app/env/version", 0), ("tcp://app:80", 1)])
def test_each_request_is_recorded_with_its_time(
    running: tuple[Cluster, str], tmp_path: Path, url: str, code: int
) -> None:
    cluster, namespace = running
    file = tmp_path / "requests.jsonl"
    question = ("--url", url, "--expect", "v2=100%", "--requests", "60", "-n", namespace)
    began = datetime.now(timezone.utc)
    cluster.meshdemo("verify", *question, "--record", str(file), code=code)
    ended = datetime.now(timezone.utc)
    record = read_record(file)
    assert [line["number"] for line in record] == list(range(1, 61))
    assert all(line["seconds"] > 0 for line in record)
    times = [datetime.fromisoformat(line["began"].replace("Z", "+00:00")) for line in record]
    assert began < min(times) <= max(times) < ended
    if code == 0:
        assert {(line["status"], line["version"]) for line in record} == {(200, "v2")}


def test_any_injected_pod_sends_and_its_sidecar_tells_of_it(running: tuple[Cluster, str]) -> None:
    cluster, namespace = running
    sender = ["--from", "app=app,version=v1", "-n", namespace]
    found = cluster.meshdemo("verify", *sender, "--expect", "v2=100%", "-o", "json").json
    assert found["tally"]["total"] >= 459
    pod = cluster.kubectl(
        "get", "pods", "-n", namespace, "-l", "app=app,version=v1",
        "-o", "jsonpath={.items[0].metadata.name}",
    )  # fmt: skip
    log = cluster.meshdemo("logs", pod, "--access", "--tail", "50", "-n", namespace).out
    assert "outbound|80|v2|app." in log
