"""What the rules promise where more than rules decides: said, or named as not accounted for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.e2e_cluster.test_class import as_student

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Cluster = Any

pytestmark = [pytest.mark.timeout(400), pytest.mark.usefixtures("istio")]

DENY = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: closed}
spec: {action: DENY, rules: [{}], selector: {matchLabels: {app: app}}}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: strict}
spec: {mtls: {mode: STRICT}}
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: narrow}
spec: {egress: [{hosts: ["./*"]}]}
"""
HEADLESS = """
apiVersion: v1
kind: Service
metadata: {name: direct}
spec:
  clusterIP: None
  selector: {app: app}
  ports: [{name: http, port: 80}]
"""


@pytest.fixture
def applied(running: tuple[Cluster, str], tmp_path: Path) -> Iterator[Any]:
    """Apply YAML as somebody else, for one test."""
    cluster, namespace = running
    files: list[str] = []

    def apply(text: str) -> None:
        file = tmp_path / f"{len(files)}.yaml"
        file.write_text(text)
        files.append(str(file))
        cluster.kubectl("apply", "-n", namespace, "-f", str(file))

    yield apply
    for file in files:
        cluster.kubectl("delete", "-n", namespace, "-f", file)


def test_of_a_headless_service_no_split_is_promised(
    running: tuple[Cluster, str], applied: Any
) -> None:
    cluster, namespace = running
    applied(HEADLESS)
    refused = cluster.meshdemo("verify", "-n", namespace, "--url", "http://direct/", code=2)
    assert f"Service {namespace}/direct is headless, so DNS chooses the pod" in refused.err
    assert "--expect" in refused.err


def test_what_touches_the_request_beside_the_rules_is_named(
    running: tuple[Cluster, str], applied: Any
) -> None:
    cluster, namespace = running
    applied(DENY)
    cluster.await_answer(namespace, "denied")
    ended = cluster.meshdemo("verify", "-n", namespace, "--wait", "20s", "-o", "json", code=1)
    said = ended.err
    assert "the promise does not account for what touches the request: " in said
    for kind in ("AuthorizationPolicy", "PeerAuthentication"):
        assert f"{kind} {namespace}/" in said
    assert f"Sidecar {namespace}/" not in said, "what it lets the client know is accounted for"
    assert ended.json["tally"]["others"]


def test_a_service_of_another_namespace_is_followed_there_where_that_may_be_seen(
    running: tuple[Cluster, str], namespace: str, tmp_path: Path
) -> None:
    cluster, there = running
    url = f"http://app.{there}/env/version"
    student = as_student(cluster, namespace, tmp_path)
    student.meshdemo("up", "--injection", "auto", "--no-verify")
    try:
        found = cluster.meshdemo("verify", "-n", namespace, "--url", url, "-o", "json").json
        assert found["expectation"] == {
            "text": "v2=100%",
            "shares": {"v2": 1.0},
            "fromRules": True,
        }
        refused = student.meshdemo("verify", "--url", url, "-o", "json", code=2)
        message = json.loads(refused.out)["error"]["message"]
        assert f"what is in namespace {there} may not be seen" in message
        student.meshdemo("verify", "--url", url, "--expect", "v2=100%")
    finally:
        student.meshdemo("down")


IDLE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: at-the-door}
spec:
  hosts: [app]
  gateways: [door]
  http: [{route: [{destination: {host: app}}]}]
---
apiVersion: v1
kind: Service
metadata: {name: raw}
spec: {selector: {app: app}, ports: [{name: tcp-raw, port: 90, targetPort: 80}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: raw}
spec: {hosts: [raw], http: [{route: [{destination: {host: raw}}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: broken}
spec: {selector: {app: app}, ports: [{name: http, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: broken}
spec: {hosts: [broken], http: [{route: [{destination: {host: broken, subset: gone}}]}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: empty}
spec: {host: broken, subsets: [{name: none, labels: {version: v9}}]}
"""


def test_status_says_which_rules_do_not_act_and_how_istiod_is(
    running: tuple[Cluster, str], applied: Any
) -> None:
    cluster, namespace = running
    applied(IDLE)
    space = ("-n", namespace)
    shown = cluster.meshdemo("status", *space)
    found = cluster.meshdemo("status", *space, "-o", "json").json
    rules = {rule["name"]: rule for rule in found["rules"]}
    why = {name: rule["why"] for name, rule in rules.items()}
    assert why.pop("at-the-door") == "bound to the gateway door, which is not there"
    assert why.pop("raw") == "no port of raw is HTTP, and it has only http rules"
    assert why.pop("broken").startswith("all of its requests get 503: no DestinationRule for")
    assert set(why.values()) == {None}
    assert 'the subset "none" selects no pod' in rules["empty"]["remarks"][0]
    assert [check["ok"] for check in found["mesh"]] == [True]
    assert "✔ istiod is well: Istio " in shown.out
    assert "1 of 1 available" in shown.out
    idle = shown.out.partition("rules that do not act:")[2]
    assert f"VirtualService {namespace}/at-the-door   bound to the gateway" in idle


def test_a_workload_that_wants_no_pods_is_shown(deployed: Cluster, namespace: str) -> None:
    deployed.kubectl("scale", "deployment/app-v1", "--replicas=0", "-n", namespace)
    going = ("pod", "-l", "app=app,version=v1", "-n", namespace, "--timeout=60s")
    deployed.kubectl("wait", "--for=delete", *going)
    ended = deployed.meshdemo("status", "-n", namespace)
    assert "Deployment app-v1 has no pods: it is scaled to 0" in ended.out
    route = deployed.meshdemo("route", "v1", "-n", namespace, code=2)
    assert "no pod has this version" in route.err
