"""Measure the cluster engine against the same things done by hand, on a cluster that you name.

    MESHDEMO_E2E_CONTEXT=kind-test make bench-cluster
    MESHDEMO_E2E_CONTEXT=kind-test make bench-cluster ARGS="up verify"
    MESHDEMO_E2E_CONTEXT=kind-test make bench-cluster ARGS=class   # also prints figures

The cluster must be one to play with: Istio is installed on it and removed again. Where its
sidecars need settings of their own, MESHDEMO_E2E_ISTIO_FILE names a file for `istioctl install -f`.
"""

from __future__ import annotations

import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from class_of_students import class_rows
from run import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROGRAM = str(Path(sys.executable).with_name("meshdemo"))
MANIFESTS = Path(__file__).parents[1] / "manifests"
ROUNDS = 3
UP_REQUESTS = (400, 659)
"""What `up` sends before the VirtualService and after it; the script's two loops send as many."""
ARTICLE_REQUESTS = (10, 10)
PROOF, SOME = 459, 100
URL = "http://app/env/version"


class Cluster:
    """The cluster that was named, and a fresh namespace for each round."""

    def __init__(self, context: str, overlay: str, folder: str) -> None:
        self.context, self.overlay, self.folder = context, overlay, folder
        self.program = PROGRAM
        self.flags = ["--context", context]
        self.numbers = count(1)

    def sh(self, script: str) -> float:
        """Run a shell script, and give the seconds that it took."""
        began = time.monotonic()
        done = subprocess.run(["sh", "-euc", script], capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"bench: {script}: {done.returncode}\n{done.stdout}{done.stderr}")
        return time.monotonic() - began

    def meshdemo(self, *argv: str) -> float:
        return self.sh(shlex.join([PROGRAM, *argv, *self.flags, "--state-dir", self.folder]))

    def kubectl(self, *argv: str) -> str:
        return shlex.join(["kubectl", *self.flags, *argv])

    def namespace(self) -> str:
        return f"meshdemo-bench-{os.getpid()}-{next(self.numbers)}"

    def drop(self, *namespaces: str) -> None:
        if namespaces:
            self.sh(self.kubectl("delete", "namespace", *namespaces, "--ignore-not-found"))

    @property
    def install_flags(self) -> list[str]:
        return ["-f", self.overlay] if self.overlay else []


def by_hand(cluster: Cluster, namespace: str, loops: tuple[int, int]) -> str:
    """Write the article's commands as a script: inject, apply, wait, look, rules, look."""
    here = ["-n", namespace]
    inject = shlex.join(["istioctl", "kube-inject", *cluster.flags, *here, "-f"])
    apply = cluster.kubectl(*here, "apply", "-f")
    wait = cluster.kubectl(*here, "rollout", "status", "--timeout=120s")

    def loop(times: int) -> str:
        calls = f"for i in $(seq {times}); do curl -s {URL}; echo; done"
        client = ["exec", "deploy/testclient", "-c", "test-tools", "--", "sh", "-c", calls]
        return cluster.kubectl(*here, *client)

    return "\n".join(
        [
            cluster.kubectl("create", "namespace", namespace),
            *(
                f"{inject} {MANIFESTS / name} | {apply} -"
                for name in ("app-istio.yaml", "test-client.yaml")
            ),
            *(f"{wait} deployment/{name}" for name in ("app-v1", "app-v2", "testclient")),
            loop(loops[0]),
            f"{apply} {MANIFESTS / 'app-destinationrule.yaml'}",
            f"{apply} {MANIFESTS / 'app-default-vs-v2.yaml'}",
            loop(loops[1]),
        ]
    )


def compare_up(cluster: Cluster, loops: tuple[int, int], *flags: str) -> tuple[float, float]:
    """Time `up` and the script in turn; medians."""
    ours, theirs, used = [], [], []
    for _ in range(ROUNDS):
        used += [(mine := cluster.namespace()), (other := cluster.namespace())]
        ours.append(cluster.meshdemo("up", "-n", mine, *flags))
        theirs.append(cluster.sh(by_hand(cluster, other, loops)))
    cluster.drop(*used)
    return statistics.median(ours), statistics.median(theirs)


def compare_install(cluster: Cluster) -> tuple[float, float]:
    """Time `install` on a bare cluster, checks included, and `istioctl install -y` alone."""
    ours, theirs = [], []
    flags = shlex.join([*cluster.flags, *cluster.install_flags])
    for _ in range(ROUNDS):
        ours.append(cluster.meshdemo("install", *cluster.install_flags))
        cluster.meshdemo("down", "--all", "-n", "default")
        theirs.append(cluster.sh(f"istioctl install -y {flags}"))
        cluster.sh(f"istioctl uninstall --purge -y {shlex.join(cluster.flags)}")
        cluster.drop("istio-system")
    return statistics.median(ours), statistics.median(theirs)


def compare_verify(cluster: Cluster, namespace: str) -> Iterator[Row]:
    """Compare `verify` with curl loops in the same client."""
    here = ("-n", namespace)
    loop = f"for i in $(seq {PROOF}); do curl -s {URL}; echo; done"
    client = (*here, "exec", "deploy/testclient", "-c", "test-tools", "--")
    in_one = cluster.kubectl(*client, "sh", "-c", loop)
    each = f"for i in $(seq {SOME}); do {cluster.kubectl(*client, 'curl', '-s', URL)}; done"
    ask = ("verify", *here, "--expect", "v2=100%")
    proof = _median(lambda: cluster.meshdemo(*ask))
    some = _median(lambda: cluster.meshdemo(*ask, "--requests", str(SOME)))
    by_loop, by_exec = _median(lambda: cluster.sh(in_one)), cluster.sh(each)
    yield _row("`verify --expect v2=100%`", f"{PROOF} `curl` in a loop there", by_loop, proof, 3)
    yield _row(f"`verify --requests {SOME}`", f"{SOME} `kubectl exec ... curl`", by_exec, some, 10)


def _row(what: str, against: str, reference: float, ours: float, bar: float) -> Row:
    return Row(
        what, against, f"{ours:.2f} s", f"{reference:.2f} s", reference / ours, bar, at_least=True
    )


def _median(measure: Callable[[], float]) -> float:
    return statistics.median(measure() for _ in range(ROUNDS))


def install_rows(cluster: Cluster) -> Iterator[Row]:
    """Compare `install`; the cluster is bare before and after."""
    ours, alone = compare_install(cluster)
    yield Row(
        "`install` on a bare cluster, checks included",
        "`istioctl install -y` alone",
        f"{ours:.2f} s",
        f"{alone:.2f} s",
        ours / alone,
        1.1,
    )


def up_rows(cluster: Cluster) -> Iterator[Row]:
    """Compare `up` on a cluster with Istio."""
    for loops, bar, flags in (
        (UP_REQUESTS, 1.0, ()),
        (ARTICLE_REQUESTS, 1.3, ("--requests", "10")),
    ):
        ours, script = compare_up(cluster, loops, *flags)
        yield Row(
            f"`{' '.join(('up', *flags))}`, Istio there, to the verdict",
            f"the article's commands as a script, {sum(loops)} requests",
            f"{ours:.2f} s",
            f"{script:.2f} s",
            ours / script,
            bar,
        )


def verify_rows(cluster: Cluster) -> Iterator[Row]:
    """Compare `verify` in a mesh that is up."""
    namespace = cluster.namespace()
    cluster.meshdemo("up", "-n", namespace, "--no-verify")
    yield from compare_verify(cluster, namespace)
    cluster.meshdemo("down", "-n", namespace)


PARTS = {"install": install_rows, "up": up_rows, "verify": verify_rows, "class": class_rows}


def main() -> None:
    context = os.environ.get("MESHDEMO_E2E_CONTEXT")
    if not context:
        raise SystemExit("bench: name the cluster: MESHDEMO_E2E_CONTEXT=CONTEXT make bench-cluster")
    parts = sys.argv[1:] or list(PARTS)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(context, os.environ.get("MESHDEMO_E2E_ISTIO_FILE", ""), folder)
        print("| what | against | measured | reference | ratio | bar | |", flush=True)
        print("|---|---|---|---|---|---|---|", flush=True)
        for part in parts:
            if part != "install":
                cluster.meshdemo("install", *cluster.install_flags)
            for row in PARTS[part](cluster):
                rows.append(row)
                print(row, flush=True)
        if "install" in parts:
            cluster.meshdemo("down", "--all", "-n", "default")
    sys.exit(0 if all(row.passed for row in rows) else 1)


if __name__ == "__main__":
    main()
