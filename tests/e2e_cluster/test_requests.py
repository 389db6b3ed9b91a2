"""Requests other than the test client's GET: from another pod, and over plain connections."""

from __future__ import annotations

from typing import Any

import pytest

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
    argv = ["--url", "tcp://plain:9000", "--requests", "20", "-n", namespace, "-o", "json"]
    found = cluster.meshdemo("verify", *argv, "--expect", "none=100%", code=1).json
    assert found["tally"]["others"] == {"unknown answer 'HTTP/1.1 400 Bad Request'": 20}


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
