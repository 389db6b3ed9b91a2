"""The installed command on a real cluster, which must be named: MESHDEMO_E2E_CONTEXT.

Where sidecars need settings of their own there, MESHDEMO_E2E_ISTIO_FILE is for istioctl install -f.
"""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import subprocess
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.conftest import assert_split
from tests.paths import PROGRAM
from tests.printed import hold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    Turn = Callable[[], AbstractContextManager[None]]

CONTEXT = os.environ.get("MESHDEMO_E2E_CONTEXT", "")
OVERLAY = os.environ.get("MESHDEMO_E2E_ISTIO_FILE", "")
KUBECONFIG = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube/config")
"""Read here: the tests' own environment knows no kubeconfig."""
LIMIT = 240
"""Seconds that a command may take."""
TESTERS = """
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata: {name: app-default-v2}
spec:
  hosts: [app]
  http:
  - match: [{headers: {x-user: {exact: tester}}}]
    route: [{destination: {host: app, subset: v1}}]
  - fault: {abort: {percentage: {value: 100}, httpStatus: 555}}
    route: [{destination: {host: app, subset: v2}}]
"""
# What comes and goes by itself.
RESTLESS = ("events", "leases", "endpoints", "endpointslices", "pods", "componentstatuses")


@dataclass(frozen=True)
class Ended:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Cluster:
    """The cluster that was named, and the programs on it."""

    state: Path
    context: str = CONTEXT
    kubeconfig: str = KUBECONFIG

    @property
    def environment(self) -> dict[str, str]:
        path = f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}"
        state = str(self.state)
        own = {"KUBECONFIG": self.kubeconfig, "PATH": path, "MESHDEMO_STATE_DIR": state}
        return {**os.environ, **own}

    def sh(self, script: str, cwd: Path | None = None) -> Ended:
        done = subprocess.run(
            ["sh", "-c", script],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
            cwd=cwd,
        )
        return Ended(done.returncode, hold(done.stdout), done.stderr)

    def meshdemo(self, *argv: str, code: int = 0) -> Ended:
        ended = self.sh(shlex.join(["meshdemo", *argv, "--context", CONTEXT]))
        assert ended.code == code, f"{argv}: {ended.code}\n{ended.out}\n{ended.err}"
        return ended

    def await_answer(self, namespace: str, text: str) -> None:
        """Ask the app until an answer has this: verify waits for rules, not for what else acts."""
        ask = ("exec", "-n", namespace, "--", "sh", "-c", "curl -s http://app/env/version")
        while text not in self.meshdemo(*ask).out:
            time.sleep(0.2)

    def verify_split(self, *argv: str) -> Any:
        """Verify shares that are left to chance; give what it said of them."""
        argv = ("meshdemo", "verify", "-o", "json", *argv, "--context", CONTEXT)
        ended = self.sh(shlex.join(argv))
        assert ended.code in (0, 1, 4), ended.err
        assert_split(ended.json, ended.code)
        return ended.json

    def start(self, *argv: str) -> subprocess.Popen[str]:
        """Start the command in a session of its own, and do not wait."""
        return subprocess.Popen(
            [PROGRAM, argv[0], "--context", CONTEXT, *argv[1:]],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def kubectl(self, *argv: str, check: bool = True) -> str:
        ended = self.sh(shlex.join(["kubectl", "--context", CONTEXT, *argv]))
        assert not (check and ended.code), f"{argv}: {ended.err}"
        return ended.out

    def remove(self, *namespaces: str) -> None:
        """Have namespaces go, and do not wait: their pods have nothing to end in half a minute."""
        self.kubectl("delete", "namespace", *namespaces, "--ignore-not-found", "--wait=false")
        for name in namespaces:
            pods = ("delete", "pods", "--all", "-n", name)
            self.kubectl(*pods, "--grace-period=1", "--wait=false", check=False)

    def everything(self, namespace: str = "") -> set[str]:
        """List all objects, or those of a namespace, but for what comes and goes by itself."""
        scope = ["--namespaced=true"] if namespace else []
        kinds = self.kubectl("api-resources", "--verbs=list", *scope, "-o", "name").split()
        kinds = [kind for kind in kinds if not kind.startswith(RESTLESS)]
        where = ["-n", namespace] if namespace else ["-A"]
        return set(
            self.kubectl("get", ",".join(kinds), *where, "-o", "name", check=False).splitlines()
        )

    @property
    def overlay(self) -> tuple[str, ...]:
        """The options of ``install`` that sidecars need here."""
        return ("-f", OVERLAY) if OVERLAY else ()

    def install(self, *argv: str, code: int = 0) -> Ended:
        return self.meshdemo("install", *self.overlay, *argv, code=code)


@pytest.fixture(scope="session", autouse=True)
def _named() -> None:
    if not CONTEXT:
        pytest.fail("name the cluster that the tests may change: MESHDEMO_E2E_CONTEXT=CONTEXT")


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path / "state")


@pytest.fixture(scope="session")
def one_at_a_time(tmp_path_factory: pytest.TempPathFactory) -> Turn:
    """Take turns with the tests that run beside: two installs at once would meet."""
    folder = tmp_path_factory.getbasetemp()
    shared = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder

    @contextmanager
    def turn() -> Iterator[None]:
        with (shared / "turn").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    return turn


@pytest.fixture(scope="session")
def istio(tmp_path_factory: pytest.TempPathFactory, one_at_a_time: Turn) -> None:
    """Have an Istio, for tests beside which nobody takes it away."""
    with one_at_a_time():
        Cluster(tmp_path_factory.mktemp("istio")).install()


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory,
    istio: None,  # noqa: ARG001 - it is to be there first
) -> Iterator[tuple[Cluster, str]]:
    """A cluster and a namespace where the walkthrough's workloads run, for a file's tests."""
    cluster, name = Cluster(tmp_path_factory.mktemp("running")), f"e2e-{uuid.uuid4().hex[:8]}"
    try:
        cluster.meshdemo("up", "-n", name, "--no-verify")
        yield cluster, name
        cluster.meshdemo("down", "-n", name)
    finally:
        cluster.remove(name)


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A name that is free; whatever is there afterwards goes."""
    name = f"e2e-{uuid.uuid4().hex[:8]}"
    yield name
    cluster.remove(name)


@pytest.fixture
def deployed(istio: None, cluster: Cluster, namespace: str) -> Iterator[Cluster]:  # noqa: ARG001 - as above
    """A cluster where the walkthrough's workloads run in the namespace, for one test."""
    cluster.meshdemo("up", "-n", namespace, "--no-verify")
    yield cluster
    cluster.meshdemo("down", "-n", namespace)


@pytest.fixture
def testers(tmp_path: Path) -> str:
    """A file with the rule that testers get v1, and everybody else an error."""
    file = tmp_path / "testers.yaml"
    file.write_text(TESTERS)
    return str(file)


@pytest.fixture
def meshed(cluster: Cluster, one_at_a_time: Turn) -> Cluster:
    """A cluster with an Istio; one that is there is used as it is."""
    with one_at_a_time():
        cluster.install()
    return cluster


@pytest.fixture
def bare(cluster: Cluster) -> Cluster:
    """A cluster without Istio, and without what the tests before leave behind while it goes."""
    cluster.meshdemo("down", "--all", "--force")
    going = cluster.kubectl("get", "ns", "--field-selector=status.phase=Terminating", "-o", "name")
    if going:
        cluster.kubectl("wait", "--for=delete", "--timeout=90s", *going.split())
    left = cluster.kubectl("get", "deployments", "-A", "-l", "app=istiod", "-o", "name")
    assert not left, "the cluster has an Istio that is not the tests'"
    return cluster
