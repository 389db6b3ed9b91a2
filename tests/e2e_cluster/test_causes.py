"""Broken meshes on a real cluster: `verify` names the cause, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Cluster = Any

pytestmark = [pytest.mark.timeout(400), pytest.mark.usefixtures("istio")]

RULE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: app-default-v2}
spec: %s
"""
FAULT = "fault: {abort: {httpStatus: 418, percentage: {value: 100}}}"
TO_V1 = "route: [{destination: {host: app, subset: v1}}]"
TO_V2 = "route: [{destination: {host: app, subset: v2}}]"
TO_GONE = "route: [{destination: {host: app, subset: gone}}]"
TO_NOBODY = "route: [{destination: {host: nobody}}]"


def rule(*http: str, more: str = "hosts: [app]") -> str:
    """Write what a VirtualService says, with these http rules."""
    return f"{{{more}, http: [{', '.join(f'{{{each}}}' for each in http)}]}}"


CASES = {
    "rules-say-otherwise": rule(TO_V1),
    "subset-missing": rule(TO_GONE),
    "destination-unknown": rule(TO_NOBODY),
    "fault-in-force": rule(f"{FAULT}, {TO_V2}"),
    "no-rule-matches": rule(f"match: [{{uri: {{exact: /x}}}}], {TO_V2}"),
    "unknown-host": rule(TO_V2, more="hosts: [aap]"),
    "rule-out-of-reach": rule(TO_V2, more="hosts: [app], exportTo: [elsewhere]"),
    "earlier-rule-takes-it": rule(
        f"match: [{{uri: {{prefix: /}}}}], {TO_V1}", f"match: [{{uri: {{prefix: /env}}}}], {TO_V2}"
    ),
    "timed-out": rule(f"timeout: 1ms, {TO_V2}"),
}
POLICY = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: app}
spec:
  host: app
  trafficPolicy: {tls: {mode: %s}}
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: %s}}
"""
IMAGE = 'jsonpath={.spec.template.spec.containers[?(@.name=="app")].image}'
BARE = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: app-v2}
spec:
  selector: {matchLabels: {app: app, version: v2}}
  template:
    metadata: {labels: {app: app, version: v2, sidecar.istio.io/inject: "false"}}
    spec: {containers: [{name: app, image: %s, ports: [{containerPort: 8000}]}]}
"""


def put(running: tuple[Cluster, str], text: str, folder: Path) -> None:
    """Put an object in the place of the one of its name."""
    cluster, namespace = running
    file = folder / "object.yaml"
    file.write_text(text)
    cluster.kubectl("replace", "-n", namespace, "-f", str(file))


def cause_of(running: tuple[Cluster, str], *count: str, code: int = 1) -> dict[str, Any]:
    """Give the one cause why not all of some answers are v2."""
    cluster, namespace = running
    count = count or ("--requests", "20")
    argv = ("verify", "--expect", "v2=100%", *count, "-n", namespace)
    found: list[dict[str, Any]] = cluster.meshdemo(*argv, "-o", "json", code=code).json["causes"]
    (cause,) = found
    return cause


@pytest.mark.parametrize("name", CASES)
def test_the_cause_is_named(running: tuple[Cluster, str], tmp_path: Path, name: str) -> None:
    cluster, namespace = running
    put(running, RULE % CASES[name], tmp_path)
    argv = ("verify", "--expect", "v2=100%", "--requests", "20", "-n", namespace)
    found = cluster.meshdemo(*argv, "-o", "json", code=1).json
    (cause,) = found["causes"]
    assert cause["name"] == name, cause
    assert cause["place"]["object"] == f"VirtualService {namespace}/app-default-v2"
    assert cause["fix"]
    said = cluster.meshdemo(*argv, code=1).out
    assert [line for line in said.splitlines() if line.startswith("cause: ")]


@pytest.fixture
def policy(running: tuple[Cluster, str], tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Give what sets TLS towards the app, and the label of v2, where all goes to v2."""
    put(running, RULE % rule(TO_V2), tmp_path)

    def set_to(mode: str, version: str = "v2") -> None:
        put(running, POLICY % (mode, version), tmp_path)

    yield set_to
    set_to("DISABLE")


def test_another_rule_has_the_host(
    running: tuple[Cluster, str], policy: Callable[..., None], tmp_path: Path
) -> None:
    cluster, namespace = running
    policy("DISABLE")
    put(running, RULE % rule(TO_V1), tmp_path)
    later = tmp_path / "later.yaml"
    later.write_text((RULE % rule(TO_V2)).replace("app-default-v2", "later"))
    cluster.kubectl("create", "-n", namespace, "-f", str(later))
    try:
        cause = cause_of(running)
    finally:
        cluster.kubectl("delete", "-n", namespace, "-f", str(later))
    assert cause["name"] == "other-rule-wins", cause
    assert cause["place"]["object"] == f"VirtualService {namespace}/app-default-v2"


def test_the_port_is_not_http(running: tuple[Cluster, str], policy: Callable[..., None]) -> None:
    cluster, namespace = running
    policy("DISABLE")
    named = '[{"op": "replace", "path": "/spec/ports/0/name", "value": "%s"}]'
    patch = ("patch", "service", "app", "-n", namespace, "--type", "json", "-p")
    cluster.kubectl(*patch, named % "tcp")
    try:
        cluster.await_answer(namespace, "v1")  # the rule is followed until istiod has told
        cause = cause_of(running)
    finally:
        cluster.kubectl(*patch, named % "http")
    assert cause["name"] == "port-is-not-http", cause
    assert cause["place"]["object"] == f"Service {namespace}/app"


def test_a_sample_that_is_too_small(
    running: tuple[Cluster, str], policy: Callable[..., None]
) -> None:
    policy("DISABLE")
    cause = cause_of(running, "--max-requests", "9", code=4)
    assert cause["name"] == "sample-cut-short", cause


def test_no_pod_behind_a_subset(running: tuple[Cluster, str], policy: Callable[..., None]) -> None:
    _, namespace = running
    policy("DISABLE", "v3")
    cause = cause_of(running)
    assert cause["name"] == "no-pods", cause
    assert cause["place"]["object"] == f"DestinationRule {namespace}/app"
    assert "v3" in " ".join(cause["evidence"])


def test_what_only_the_analyzer_finds_is_a_guess(
    running: tuple[Cluster, str], policy: Callable[..., None]
) -> None:
    _, namespace = running
    policy("SIMPLE")
    cause = cause_of(running)
    assert cause["name"] == "analyzer-finds", cause
    assert not cause["verified"]
    assert cause["place"]["object"] == f"DestinationRule {namespace}/app"
    assert "IST0128" in cause["evidence"][0]


def test_an_app_without_a_sidecar_where_mutual_tls_needs_one(
    running: tuple[Cluster, str], policy: Callable[..., None], tmp_path: Path
) -> None:
    cluster, namespace = running
    where = "-n", namespace
    image = cluster.kubectl("get", "deploy", "app-v1", *where, "-o", IMAGE)
    put(running, BARE % image, tmp_path)
    cluster.kubectl("rollout", "status", "deploy/app-v2", *where)
    policy("ISTIO_MUTUAL")
    cause = cause_of(running)
    assert cause["name"] == "app-without-sidecar"
    assert cause["place"]["object"] == f"DestinationRule {namespace}/app"
    assert cause["fix"].endswith("inject")
