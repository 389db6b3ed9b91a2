"""Anybody's manifests on the local engine, and requests from any of their pods.

The input is of the kinds that a chart prints, in own words: two versions of an app, its client in
another namespace, a database with claims, a hook, and what stands beside them.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.contract.conftest import end_of

from meshdemo.cli import main
from meshdemo.engines.local.engine import LocalEngine
from meshdemo.errors import EnvironmentFailed
from meshdemo.objects import reading
from meshdemo.settings import Settings
from meshdemo.verdict.judgement import Outcome
from meshdemo.verdict.precision import Precision
from meshdemo.verdict.traffic import Request
from meshdemo.walkthrough import client, verify
from meshdemo.walkthrough.standing_in import StandIns

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 60
VERSION = """
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: letters-VERSION}
spec:
  selector: {matchLabels: {app: letters, version: VERSION}}
  template:
    metadata: {labels: {app: letters, version: VERSION}}
    spec:
      initContainers: [{name: migrate, image: example.org/migrate:1}]
      containers:
      - name: letters
        image: example.org/letters:VERSION
        args: [--port=8080]
        resources: {limits: {memory: 1Gi}}
        env: [{name: GOMEMLIMIT, valueFrom: {resourceFieldRef: {resource: limits.memory}}}]
        livenessProbe: {httpGet: {path: /alive, port: 8080}}
        lifecycle: {preStop: {exec: {command: [sleep, "5"]}}}
        volumeMounts: [{name: keys, mountPath: /keys}]
      volumes: [{name: keys, secret: {secretName: made-by-somebody-else}}]
"""
REST = """
---
apiVersion: v1
kind: Service
metadata: {name: letters}
spec:
  selector: {app: letters}
  ports: [{name: http, port: 80, targetPort: 8080}, {name: grpc, port: 90, targetPort: 9090}]
---
apiVersion: v1
kind: Service
metadata: {name: store}
spec:
  selector: {app: store}
  ports: [{name: tcp, port: 5432}, {name: udp, port: 5432, protocol: UDP}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: store}
spec:
  serviceName: store
  selector: {matchLabels: {app: store}}
  template:
    metadata: {labels: {app: store}}
    spec:
      containers:
      - {name: db, image: example.org/db:9, volumeMounts: [{name: data, mountPath: /data}]}
  volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce]}}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: hook}
spec:
  template:
    metadata: {labels: {app: letters, version: v1}}
    spec:
      restartPolicy: Never
      containers: [{name: hook, image: example.org/hook:1, ports: [{containerPort: 8080}]}]
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: letters}
spec: {maxReplicas: 9}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: stamps.example.org}
spec:
  group: example.org
  scope: Cluster
  names: {kind: Stamp, plural: stampen, shortNames: [st]}
---
apiVersion: example.org/v1
kind: Stamp
metadata: {name: blue}
spec: {price: 3}
---
apiVersion: v1
kind: Namespace
metadata: {name: office}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: clerk, namespace: office}
spec:
  selector: {matchLabels: {app: clerk}}
  template:
    metadata: {labels: {app: clerk, desk: front}}
    spec: {containers: [{name: clerk, image: example.org/clerk:1}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: letters}
spec:
  host: letters
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: letters}
spec:
  hosts: [letters]
  http:
  - match: [{sourceLabels: {desk: front}, sourceNamespace: office}]
    route: [{destination: {host: letters, subset: v2}}]
  - match: [{sourceLabels: {app: store}}]
    route:
    - {destination: {host: letters, subset: v1}, weight: 30}
    - {destination: {host: letters, subset: v2}, weight: 70}
  - route: [{destination: {host: letters, subset: v1}}]
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(state_dir=tmp_path_factory.mktemp("letters") / "state", timeout=SECONDS)


@pytest.fixture(scope="module")
def letters(settings: Settings) -> Iterator[LocalEngine]:
    """The mesh that the tests of this module share."""
    engine = LocalEngine(settings)
    text = "".join(VERSION.replace("VERSION", version) for version in ("v1", "v2")) + REST
    file = settings.state_dir.with_name("letters.yaml")
    file.write_text(text)
    try:
        marked = StandIns(("all",)).marked(reading.read([str(file)]))
        objects = engine.inject([*marked, *client.joining([], "default")])
        engine.apply(objects)
        engine.wait_ready(objects, SECONDS)
        yield engine
    finally:
        wrong = [check for check in engine.down() if not check.ok]
    assert not wrong


def as_pod(settings: Settings, labels: str) -> LocalEngine:
    return LocalEngine(replace(settings, sender=labels))


def test_a_whole_chart_runs_with_stand_ins(letters: LocalEngine, settings: Settings) -> None:
    pods = {pod.workload: pod for pod in letters.pods()}
    assert pods.keys() == {"letters-v1", "letters-v2", "store", "hook", "clerk", "testclient"}
    assert pods["store"].name == "store-0"
    assert pods["hook"].is_done
    assert all(pod.is_ready or pod.is_done for pod in pods.values())
    images = [c.image for c in pods["letters-v1"].containers if not c.sidecar and not c.init]
    assert images == ["meshdemo/echo for example.org/letters:v1"]
    (reply,) = letters.send(Request("http://letters/"), 1, SECONDS)
    said = json.loads(reply.body)
    assert (said["service"], said["version"]) == ("letters", "v1")
    assert said["pod"] == pods["letters-v1"].name
    (reply,) = letters.send(Request("http://letters:90/"), 1, SECONDS)
    assert json.loads(reply.body)["service"] == "letters"  # also where HTTP/2 is spoken
    # The hook's pod has the labels of v1, and is no endpoint: all of v1 is one pod.
    replies = as_pod(settings, "app=clerk").send(Request("http://letters.default/"), 50, SECONDS)
    assert Counter(json.loads(each.body)["pod"] for each in replies) == {
        pods["letters-v2"].name: 50
    }


SENDERS = {
    "": ("http://letters/", "v1=100%"),
    "app=store": ("http://letters/", "v1=30%,v2=70%"),
    "app=clerk,desk=front": ("http://letters.default/", "v2=100%"),
    "app=letters,version=v1": ("http://letters/", "v1=100%"),  # which is itself alone
    "app in (letters),version!=v1": ("http://letters/", "v1=100%"),
}
"""What the rules promise to a request of the pod with these labels."""


def test_the_promise_is_that_of_the_pod_that_sends_and_holds(
    letters: LocalEngine, settings: Settings
) -> None:
    for labels, (url, promise) in SENDERS.items():
        engine = as_pod(settings, labels)
        question = verify.Question(request=Request(url), precision=Precision(error_rate=1e-6))
        measured = end_of(verify.measure(engine, question))
        assert str(measured.expectation) == promise, labels
        assert measured.verdict.outcome is Outcome.MET, labels
        assert (measured.sender in {pod.name for pod in letters.pods()}) == bool(labels), labels


def test_a_command_is_in_the_pod_that_is_named(
    letters: LocalEngine, settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    assert letters.pods()
    code = as_pod(settings, "app=clerk").exec(["curl", "-s", "http://letters.default/"])
    said = json.loads(capfd.readouterr().out)
    assert (code, said["version"]) == (0, "v2")


def test_a_sender_that_is_not_there_is_named_with_those_that_are(
    letters: LocalEngine, settings: Settings
) -> None:
    assert letters.pods()
    for labels in ("app=nobody", "app=hook"):
        with pytest.raises(EnvironmentFailed, match=f"no pod has the labels {labels}") as error:
            as_pod(settings, labels).proxy_url()
        assert "app=clerk" in error.value.hint


def test_get_describe_and_delete_know_every_kind(
    letters: LocalEngine, capfd: pytest.CaptureFixture[str]
) -> None:
    place = ("--state-dir", str(letters.store.folder))

    def said(*words: str) -> str:
        assert main([*words, *place]) == 0
        return " ".join(capfd.readouterr().out.split())

    assert "statefulset.apps/store 1/1" in said("get", "sts,hpa,jobs,cm")
    assert "job.batch/hook 1/1" in said("get", "all")
    assert "clerk 1 1 1" in said("get", "ds", "-n", "office")
    assert "Controlled by: StatefulSet/store" in said("describe", "pod", "store")
    assert "blue" in said("get", "st")
    assert "price: 3" in said("describe", "stampen", "blue")
    assert said("delete", "st", "blue") == 'stamp.example.org "blue" deleted'
    assert said("delete", "hpa/letters") == 'horizontalpodautoscaler.autoscaling "letters" deleted'
    assert said("logs", "sts/store") == ""
