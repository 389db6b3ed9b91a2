"""One command on a cluster that has no Istio: the main line, and what it refuses before that."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import pytest
from tests.paths import MANIFESTS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    Cluster = Any

SYSTEM = "istio-system"
RULE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: app}
spec:
  hosts: [app]
  http:
  - route: [{destination: {host: app, subset: v2}, weight: -1}]
    nonsense: 1
---
apiVersion: v1
kind: Service
metadata: {name: more}
spec: {ports: [{port: 99999}]}
"""
GATEWAY = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: none}
spec: {selector: {app: none}, servers: []}
"""

pytestmark = [pytest.mark.alone, pytest.mark.timeout(400)]


def settings(cluster: Cluster) -> Sequence[str]:
    return ["--istio-file" if word == "-f" else word for word in cluster.overlay]


@pytest.mark.parametrize("own", [False, True], ids=["the walkthrough", "with -f"])
def test_up_proves_it_and_down_all_leaves_the_cluster_as_it_was(
    bare: Cluster, namespace: str, *, own: bool
) -> None:
    before = bare.everything()
    files = ("-f", str(MANIFESTS)) if own else ()
    said = bare.meshdemo("up", "-n", namespace, *files, *settings(bare), "-o", "json").json
    assert (said["verdict"], said["tally"]["versions"]["v1"]) == ("met", 0)
    bare.meshdemo("down", "--all", "-n", namespace)
    assert bare.everything() == before


def test_the_printed_script_does_the_same_by_hand(
    bare: Cluster, namespace: str, tmp_path: Path
) -> None:
    argv = ("up", "--dry-run", "-n", namespace, "--requests", "50", *settings(bare))
    script = bare.meshdemo(*argv).out
    (tmp_path / "up.sh").write_text(script)
    done = bare.sh("sh up.sh", cwd=tmp_path)
    assert done.code == 0, f"{script}\n{done.err}"
    assert "50 v2" in done.out.splitlines()[-1]
    # What istioctl installed is not ours to remove.
    bare.sh(f"istioctl uninstall --purge -y --context {shlex.quote(bare.context)}")
    bare.kubectl("delete", "namespace", SYSTEM)


def test_bad_input_is_refused_before_anything_is_installed(
    bare: Cluster, namespace: str, tmp_path: Path
) -> None:
    before = bare.everything()
    file = tmp_path / "rule.yaml"
    file.write_text(RULE)
    refused = bare.meshdemo("up", "-n", namespace, "-f", str(file), "-o", "json", code=2)
    problems = json.loads(refused.out)["error"]["problems"]
    assert [(problem["line"], problem["field"]) for problem in problems] == [
        (8, "spec.http[0].route[0].weight"),
        (9, "spec.http[0].nonsense"),
        (14, "spec.ports[0].port"),
        (14, "spec.ports[0].targetPort"),
    ]
    assert bare.everything() == before


def test_what_istio_alone_can_judge_is_refused_before_the_first_object(
    bare: Cluster, namespace: str, tmp_path: Path
) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(GATEWAY)
    argv = ("up", "-n", namespace, "-f", str(file), "-f", str(MANIFESTS), *settings(bare))
    refused = bare.meshdemo(*argv, code=2)
    assert "the Istio that was just installed refuses objects, and none was applied" in refused.err
    assert "gateway.yaml:2: Gateway" in refused.err
    assert "gateway must have at least one server" in refused.err
    assert not bare.kubectl("get", "namespace", namespace, "--ignore-not-found", "-o", "name")
