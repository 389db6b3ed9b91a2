"""The way to the API server: cut in the middle of a measurement, and not there at all.

meshdemo speaks plain HTTP to a front on loopback, which can read what it is asked for; behind it
``kubectl proxy`` speaks to the API server with the user's credentials.
"""

from __future__ import annotations

import json
import math
import shlex
import socket
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Cluster = Any

pytestmark = pytest.mark.timeout(400)

REQUESTS = 322
"""So many that each of the two loops is known by its half of them."""
LOOP = f"ask+{REQUESTS // 2}+".encode()
CUT_AFTER = 5000
"""Bytes of the answer: about a third of it."""
STRAY = 4.0
"""Seconds for what is under way when the time of --timeout is over, as a chunk that is late."""
SOON = 10.0
"""Seconds in which a server that is not there must be reported, by a command that has started."""


class Front(ThreadingTCPServer):
    """Passes connections on, and cuts the first ``cuts`` loops in the middle."""

    daemon_threads = True

    def __init__(self, backend: int, cuts: float, delay: float, *, mute: bool) -> None:
        super().__init__(("127.0.0.1", 0), Passage)
        self.backend, self.cuts, self.loops = backend, cuts, 0
        self.delay, self.mute = delay, mute

    def limit(self, head: bytes) -> float:
        """Say after how many bytes of the answer a connection is cut."""
        if b"/exec?" not in head or LOOP not in head:
            return math.inf
        self.loops += 1
        return CUT_AFTER if self.loops <= self.cuts else math.inf


class Passage(BaseRequestHandler):
    """One connection; an exec has one of its own."""

    server: Front

    def handle(self) -> None:
        near: socket.socket = self.request
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.server.backend)) as far:
            head = near.recv(65536)
            limit = self.server.limit(head)
            far.sendall(head)
            if self.server.mute and b"/exec?" in head:
                near.sendall(far.recv(4096))  # the upgrade, and no more
                near.recv(1 << 20, socket.MSG_WAITALL)
                return
            threading.Thread(target=passed, args=(near, far, math.inf), daemon=True).start()
            passed(far, near, limit, self.server.delay)


def passed(source: socket.socket, target: socket.socket, limit: float, delay: float = 0.0) -> None:
    """Pass on what comes, up to a limit and each part late; then both sides are closed."""
    with suppress(OSError):
        while limit > 0 and (data := source.recv(4096)):
            time.sleep(delay)
            target.sendall(data)
            limit -= len(data)
    for side in (source, target):
        with suppress(OSError):
            side.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxied(cluster: Cluster) -> Iterator[int]:
    """Run ``kubectl proxy``, which refuses exec unless told otherwise; give its port."""
    argv = ["kubectl", "--context", cluster.context, "proxy", "--port=0", "--reject-paths=^$"]
    with subprocess.Popen(
        argv, env=cluster.environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout
            yield int(process.stdout.readline().rpartition(":")[2])
        finally:
            process.terminate()


@contextmanager
def fronted(
    cluster: Cluster, cuts: float = 0, delay: float = 0.0, *, mute: bool = False
) -> Iterator[Front]:
    with proxied(cluster) as backend, Front(backend, cuts, delay, mute=mute) as front:
        threading.Thread(target=front.serve_forever, daemon=True).start()
        try:
            yield front
        finally:
            front.shutdown()


def kubeconfig(
    folder: Path, cluster: Cluster, port: int, user: dict[str, Any] | None = None
) -> str:
    """Write a kubeconfig for a server on loopback."""
    server = {"server": f"http://127.0.0.1:{port}"}
    context = {"cluster": "front", "user": "somebody"}
    data = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "front", "cluster": server}],
        "contexts": [{"name": cluster.context, "context": context}],
        "users": [{"name": "somebody", "user": user or {}}],
        "current-context": cluster.context,
    }
    file = folder / "kubeconfig"
    file.write_text(json.dumps(data))
    return str(file)


def timed(cluster: Cluster, *argv: str) -> tuple[Any, float]:
    """Run a command, and say how long it took beside its start and end.

    These take what four commands take that do nothing, one after the other, on this machine now.
    """
    began = time.monotonic()
    ended = cluster.sh(shlex.join(["meshdemo", *argv, "--context", cluster.context]))
    took = time.monotonic() - began
    began = time.monotonic()
    for _ in range(4):
        cluster.sh("meshdemo version")
    return ended, took - (time.monotonic() - began)


def verify(cluster: Cluster, namespace: str, folder: Path, front: Front, code: int) -> Any:
    way = ("--kubeconfig", kubeconfig(folder, cluster, front.server_address[1]))
    question = ("--expect", "v2=100%", "--requests", str(REQUESTS), "-o", "json")
    return cluster.meshdemo("verify", *way, "-n", namespace, *question, code=code).json


def test_a_measurement_that_is_cut_off_is_inconclusive_and_not_made_anew(
    deployed: Cluster, namespace: str, tmp_path: Path
) -> None:
    with fronted(deployed, cuts=math.inf) as front:
        document = verify(deployed, namespace, tmp_path, front, code=4)
    assert front.loops == 1
    assert document["verdict"] == "inconclusive"
    assert 0 < document["tally"]["total"] < REQUESTS
    assert "the connection to the pod was" in document["measurement"]["brokenOff"]


@pytest.mark.parametrize("command", ["doctor", "status", "up", "verify"])
def test_a_server_that_cannot_be_reached_is_named_at_once(
    command: str, cluster: Cluster, tmp_path: Path
) -> None:
    with socket.socket() as nobody:  # a port of ours, on which nobody listens
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        began = time.monotonic()
        ended = cluster.meshdemo(
            command, "--kubeconfig", kubeconfig(tmp_path, cluster, port), "-n", "any", code=3
        )
    assert time.monotonic() - began < SOON
    said = ended.out + ended.err
    assert f"the API server http://127.0.0.1:{port} cannot be reached" in said
    assert "Connection refused" in said
    assert "kubectl config get-contexts" in said


@pytest.mark.parametrize(
    "argv",
    [
        ("status",),
        ("verify",),
        ("route", "v1"),
        ("route", "--clear"),
        ("doctor",),
        ("up",),
        ("down",),
    ],
    ids=" ".join,
)
def test_the_timeout_holds_where_each_part_of_an_answer_is_late(
    argv: tuple[str, ...], running: tuple[Cluster, str], tmp_path: Path
) -> None:
    cluster, namespace = running
    with fronted(cluster, delay=0.4) as front:
        way = ("--kubeconfig", kubeconfig(tmp_path, cluster, front.server_address[1]))
        ended, seconds = timed(cluster, *argv, *way, "-n", namespace, "--timeout", "5s")
    assert ended.code == (3 if argv[0] in ("status", "doctor") else 4), ended.err
    assert "was not done within the 5 s of this step" in ended.err
    assert seconds < 5 + STRAY


def test_the_timeout_holds_where_credentials_never_come(cluster: Cluster, tmp_path: Path) -> None:
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "sleep",
        "args": ["987654"],
        "interactiveMode": "Never",
    }
    way = kubeconfig(tmp_path, cluster, 9, user={"exec": plugin})
    ended, seconds = timed(cluster, "verify", "--kubeconfig", way, "--timeout", "2s")
    assert ended.code == 4, ended.err
    assert "credentials of user somebody come from the command sleep 987654" in ended.err
    assert "it did not end within 2 s" in ended.err
    assert seconds < 2 + STRAY
    assert "987654" not in cluster.sh("ps -eo args").out


def test_half_a_connection_is_not_taken_for_an_istiod_that_is_ill(
    running: tuple[Cluster, str], tmp_path: Path
) -> None:
    cluster, namespace = running
    with fronted(cluster, mute=True) as front:
        way = ("--kubeconfig", kubeconfig(tmp_path, cluster, front.server_address[1]))
        argv = ("route", "v1", *way, "-n", namespace, "--timeout", "25s")
        ended, seconds = timed(cluster, *argv)
    assert ended.code == 4, ended.err
    assert "istiod" not in ended.err
    assert "did not show in time what it has" in ended.err
    assert seconds < 25 + STRAY
