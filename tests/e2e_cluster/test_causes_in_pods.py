"""Causes in the pods, and in the client's sidecar, on a real cluster: `verify` names them."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tests.e2e_cluster.test_causes import RULE, TO_V1, TO_V2, put, rule

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Cluster = Any
    Running = tuple[Cluster, str]

pytestmark = [pytest.mark.timeout(400), pytest.mark.usefixtures("istio")]

POLICY = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: app}
spec:
  host: app
  trafficPolicy: %s
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
"""
PLAIN = "{loadBalancer: {simple: ROUND_ROBIN}}"
ONE_CONNECTION = "{connectionPool: {tcp: {maxConnections: 1}, http: {http1MaxPendingRequests: 1}}}"
EJECTS = (
    "{outlierDetection: {consecutive5xxErrors: 1, interval: 1s, baseEjectionTime: 60s, "
    "maxEjectionPercent: 100}}"
)
HANGS = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: hangs}
spec:
  hosts: [other]
  http:
  - fault: {delay: {fixedDelay: 60s, percentage: {value: 100}}}
    route: [{destination: {host: other}}]
"""
LOAD = (
    "for n in 1 2 3 4 5 6 7 8; do "
    "(i=0; until curl -sf 'http://app/fetch?url=http://other/' >/dev/null || [ $i -ge 300 ]; "
    "do sleep 0.1; i=$((i+1)); done) & "
    "done; "
    "n=0; while [ $n -lt 20 ]; do "
    "if curl -s -m 1 http://app/env/version | grep -q overflow; then n=$((n+1)); else n=0; fi; "
    "done; echo begun; wait"
)
"""Hold the pool by requests that hang in the app, until nothing else comes through. They are more
than the pool takes, as each worker of an Envoy may have one connection whatever the limit is."""
FAILS = "/env/not-set"
"""The app answers it with 500."""
DENIES = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: nobody}
spec:
  selector: {matchLabels: {version: v2}}
  action: DENY
  rules: [{to: [{operation: {methods: [GET]}}]}]
"""
QUIET = """
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: quiet}
spec: {accessLogging: [{disabled: true}]}
"""
NO_KEY = """
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: no-key}
spec:
  configPatches:
  - applyTo: ROUTE_CONFIGURATION
    match: {context: SIDECAR_OUTBOUND}
    patch:
      operation: MERGE
      value: {request_headers_to_add: [{header: {key: "", value: x}}]}
"""
OTHER = """
apiVersion: v1
kind: Service
metadata: {name: other}
spec: {selector: {app: testclient}, ports: [{name: http, port: 80, targetPort: 15000}]}
"""
"""Something that speaks HTTP, and is not the app: the admin page of the client's own sidecar."""
LAST = '{.status.containerStatuses[?(@.name=="app")].restartCount}'


def causes(
    running: Running, *more: str, path: str = "/env/version", code: int = 1
) -> list[dict[str, Any]]:
    """Give the causes why not all of some answers are v2."""
    cluster, namespace = running
    argv = ("verify", "--expect", "v2=100%", "--url", f"http://app{path}", *more)
    count = () if more else ("--requests", "20")
    ended = cluster.meshdemo(*argv, *count, "-n", namespace, "-o", "json", code=code)
    found: list[dict[str, Any]] = ended.json["causes"]
    return found


@contextmanager
def applied(running: Running, text: str, folder: Path) -> Iterator[None]:
    """Have an object there for a while."""
    cluster, namespace = running
    file = folder / "more.yaml"
    file.write_text(text)
    cluster.kubectl("create", "-n", namespace, "-f", str(file))
    try:
        yield
    finally:
        cluster.kubectl("delete", "-n", namespace, "-f", str(file))


@pytest.fixture(autouse=True)
def _all_to_v2(running: Running, tmp_path: Path) -> None:
    put(running, POLICY % PLAIN, tmp_path)
    put(running, RULE % rule(TO_V2), tmp_path)


def test_a_full_pool(running: Running, tmp_path: Path) -> None:
    cluster, namespace = running
    put(running, POLICY % ONE_CONNECTION, tmp_path)
    with applied(running, f"{OTHER}---{HANGS}", tmp_path):
        others = cluster.start("exec", "-n", namespace, "--", "sh", "-c", LOAD)
        try:
            assert others.stdout.readline() == "begun\n"
            (cause,) = causes(running)
        finally:
            others.kill()
            others.communicate()
    assert cause["name"] == "pool-is-full", cause
    assert cause["place"]["object"] == f"DestinationRule {namespace}/app"
    assert cause["place"]["field"] == "spec.trafficPolicy.connectionPool"


def test_a_policy_that_denies(running: Running, tmp_path: Path) -> None:
    cluster, namespace = running
    with applied(running, DENIES, tmp_path):
        cluster.await_answer(namespace, "denied")
        (cause,) = causes(running)
    assert cause["name"] == "denied-by-policy", cause
    assert cause["place"]["object"] == f"AuthorizationPolicy {namespace}/nobody"


def test_pods_that_are_ejected(running: Running, tmp_path: Path) -> None:
    _, namespace = running
    put(running, POLICY % EJECTS, tmp_path)
    (cause,) = causes(running, "--requests", "60", path=FAILS)
    assert cause["name"] == "pods-ejected", cause
    assert cause["place"]["object"] == f"DestinationRule {namespace}/app"
    assert "UH" in " ".join(cause["evidence"])


def test_retries_that_are_used_up_where_no_access_log_says_so(
    running: Running, tmp_path: Path
) -> None:
    _, namespace = running
    with applied(running, QUIET, tmp_path):
        put(running, RULE % rule(f"retries: {{attempts: 2, retryOn: 5xx}}, {TO_V2}"), tmp_path)
        (cause,) = causes(running, path=FAILS)
    assert cause["name"] == "retries-used-up", cause
    assert cause["place"]["object"] == f"VirtualService {namespace}/app-default-v2"
    assert cause["place"]["field"] == "spec.http[0].retries"
    assert cause["verified"]


def test_configuration_that_envoy_rejects(running: Running, tmp_path: Path) -> None:
    _, namespace = running
    put(running, RULE % rule(TO_V1), tmp_path)
    assert [cause["name"] for cause in causes(running)] == ["rules-say-otherwise"]
    with applied(running, NO_KEY, tmp_path):
        put(running, RULE % rule(TO_V2), tmp_path)
        (cause,) = causes(running)
    assert cause["name"] == "configuration-not-live", cause
    said = " ".join(cause["evidence"])
    assert f"has not got VirtualService {namespace}/app-default-v2" in said
    assert "routes (RDS) were rejected by Envoy: Proto constraint validation failed" in said
    assert f"EnvoyFilter {namespace}/no-key" in cause["fix"]


def test_answers_from_something_else(running: Running, tmp_path: Path) -> None:
    _, namespace = running
    with applied(running, OTHER, tmp_path):
        put(running, RULE % rule("route: [{destination: {host: other}}]"), tmp_path)
        (cause,) = causes(running)
    assert cause["name"] == "answers-from-elsewhere", cause
    assert cause["place"]["object"] == f"VirtualService {namespace}/app-default-v2"
    assert f"other.{namespace}." in cause["message"]


def end_pods_of_v2(running: Running) -> None:
    """End them by force: the app does not end when it is told to."""
    cluster, namespace = running
    pods = ("delete", "pod", "-l", "version=v2", "-n", namespace)
    cluster.kubectl(*pods, "--force", "--grace-period=0")


@contextmanager
def another_v2(running: Running, container: dict[str, Any]) -> Iterator[None]:
    """Have another pod of v2 in the place of the one that is there."""
    cluster, namespace = running
    where = "-n", namespace
    pod = {"terminationGracePeriodSeconds": 1, "containers": [{"name": "app", **container}]}
    strategy = {"type": "Recreate", "rollingUpdate": None}
    patch = json.dumps({"spec": {"strategy": strategy, "template": {"spec": pod}}})
    cluster.kubectl("patch", "deploy", "app-v2", *where, "-p", patch)
    end_pods_of_v2(running)
    try:
        yield
    finally:
        cluster.kubectl("rollout", "undo", "deploy/app-v2", *where)
        cluster.kubectl("rollout", "status", "deploy/app-v2", *where)


def wait(running: Running, what: str) -> None:
    cluster, namespace = running
    argv = ("wait", "pod", "-l", "version=v2", "-n", namespace, "--timeout=60s")
    for condition in ("create", what):  # it is an error to wait for what is not there
        cluster.kubectl(*argv, f"--for={condition}")


def test_a_pod_that_crashes_is_named_with_its_last_words(running: Running) -> None:
    _, namespace = running
    crashes = ["sh", "-c", "echo out of coffee; exit 3"]
    with another_v2(running, {"command": crashes}):
        wait(running, f"jsonpath={LAST}=1")
        (cause,) = causes(running)
    assert cause["name"] == "pod-not-ready", cause
    assert cause["place"]["object"] == f"Deployment {namespace}/app-v2"
    assert "out of coffee" in cause["evidence"]
    assert "meshdemo logs app-v2-" in cause["fix"]


def test_a_pod_that_is_not_ready(running: Running) -> None:
    _, namespace = running
    with another_v2(running, {"readinessProbe": {"exec": {"command": ["false"]}}}):
        wait(running, "jsonpath={.status.phase}=Running")
        (cause,) = causes(running)
    assert cause["name"] == "pod-not-ready", cause
    assert cause["place"]["object"] == f"Deployment {namespace}/app-v2"
    assert "app is not ready yet" in cause["evidence"]


def test_a_workload_that_is_scaled_to_nothing(running: Running) -> None:
    cluster, namespace = running
    scale = ("scale", "deploy", "app-v2", "-n", namespace, "--replicas")
    cluster.kubectl(*scale, "0")
    end_pods_of_v2(running)
    try:
        (cause,) = causes(running)
    finally:
        cluster.kubectl(*scale, "1")
        cluster.kubectl("rollout", "status", "deploy/app-v2", "-n", namespace)
    assert cause["name"] == "no-pods", cause
    assert cause["place"]["object"] == f"Deployment {namespace}/app-v2"
    assert cause["place"]["field"] == "spec.replicas"


def test_a_client_without_a_sidecar(running: Running, tmp_path: Path) -> None:
    """It comes last: the others need one that has a sidecar."""
    cluster, namespace = running
    find = ("get", "deploy", "testclient", "-n", namespace, "-o", "json")
    client = json.loads(cluster.kubectl(*find))
    pod = client["spec"]["template"]["spec"]
    (own,) = [each for each in pod["containers"] if each["name"] != "istio-proxy"]
    bare = {"containers": [{name: own[name] for name in ("name", "image", "command")}]}
    labels = {**client["spec"]["selector"]["matchLabels"], "sidecar.istio.io/inject": "false"}
    spec = {
        "selector": client["spec"]["selector"],
        "template": {"metadata": {"labels": labels}, "spec": bare},
    }
    kept = {name: client["metadata"][name] for name in ("name", "labels")}
    put(running, json.dumps({**client, "metadata": kept, "spec": spec}), tmp_path)
    cluster.kubectl("rollout", "status", "deploy/testclient", "-n", namespace, "--timeout=60s")
    (cause,) = causes(running, "--requests", "40")
    assert cause["name"] == "client-without-sidecar", cause
    assert cause["place"]["object"] == f"Deployment {namespace}/testclient"
    assert cause["fix"].endswith("inject")
