"""What pods of the local engine find around them: their environment, and their volumes."""

from __future__ import annotations

import json
import re
import shlex
import stat
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from meshdemo.errors import EnvironmentFailed, InputError
from meshdemo.objects import reading
from meshdemo.system import waiting
from meshdemo.verdict.traffic import Request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshdemo.engines.local.engine import LocalEngine
    from meshdemo.objects.model import Object

SECONDS = 60
SERVER = """
import http.server, json, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
        self.wfile.write(json.dumps({"argv": sys.argv[2:], "env": dict(os.environ)}).encode())
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
WEB = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {GREETING: hello, colour: green}
binaryData: {raw: /w==}
---
apiVersion: v1
kind: Secret
metadata: {name: hidden}
stringData: {password: open sesame}
data: {key: a2V5}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web, version: v3}
      annotations: {example.org/team: blue, meshdemo.dev/command: COMMAND}
    spec:
      containers:
      - name: web
        image: example.org/web:1
        envFrom:
        - {prefix: SET_, configMapRef: {name: settings}}
        - {secretRef: {name: nowhere, optional: true}}
        env:
        - {name: PASSWORD, valueFrom: {secretKeyRef: {name: hidden, key: password}}}
        - {name: NONE, valueFrom: {configMapKeyRef: {name: settings, key: nothing, optional: true}}}
        - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
        - {name: VERSION, valueFrom: {fieldRef: {fieldPath: "metadata.labels['version']"}}}
        - name: TEAM
          valueFrom: {fieldRef: {fieldPath: "metadata.annotations['example.org/team']"}}
        - {name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
        - {name: SAID, value: "$(SET_GREETING) from $(POD) at $(IP)"}
        volumeMounts:
        - {name: config, mountPath: /etc/config}
        - {name: all-of-it, mountPath: /etc/all}
        - {name: scratch, mountPath: /tmp/scratch}
        - {name: private, mountPath: /etc/private}
      volumes:
      - name: config
        configMap: {name: settings, items: [{key: colour, path: a/b.txt, mode: 0440}]}
      - {name: private, secret: {secretName: hidden, defaultMode: 0755}}
      - {name: scratch, emptyDir: {}}
      - name: all-of-it
        projected:
          sources:
          - {configMap: {name: settings, items: [{key: raw, path: raw}]}}
          - {secret: {name: hidden}}
          - {secret: {name: nowhere, optional: true}}
"""


def web(**changes: str) -> tuple[Object, ...]:
    command = [sys.executable, "-c", SERVER, "{port}", "{volume:config}/a/b.txt"]
    text = WEB.replace("COMMAND", json.dumps(shlex.join(command)))
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    problems: list[Any] = []
    found = reading.parse(text, "web.yaml", problems)
    assert not problems
    return tuple(
        item.with_data({**item.data, "metadata": {**item.metadata, "namespace": "default"}})
        for item in found
    )


def client(walkthrough: dict[str, tuple[Object, ...]]) -> Sequence[Object]:
    return walkthrough["test-client"]


@pytest.fixture
def engine(local: LocalEngine) -> LocalEngine:
    return local


def apply(engine: LocalEngine, objects: Sequence[Object]) -> None:
    injected = engine.inject(objects)
    engine.apply(injected)
    engine.wait_ready(injected, SECONDS)


def told(engine: LocalEngine) -> dict[str, Any]:
    (reply,) = engine.send(Request("http://web/"), 1, SECONDS)
    found: dict[str, Any] = json.loads(reply.body)
    return found


def test_a_pod_has_what_its_config_maps_and_secrets_say(
    engine: LocalEngine, walkthrough: dict[str, tuple[Object, ...]]
) -> None:
    apply(engine, [*client(walkthrough), *web()])
    (pod,) = [pod.name for pod in engine.pods() if pod.workload == "web"]
    said = told(engine)
    env, folders = said["env"], {n: Path(p) for n, p in said["env"].items() if "VOLUME_" in n}
    wanted = {
        "SET_GREETING": "hello", "SET_colour": "green", "PASSWORD": "open sesame", "POD": pod,
        "VERSION": "v3", "TEAM": "blue", "IP": "127.0.0.1",
        "SAID": f"hello from {pod} at 127.0.0.1",
    }  # fmt: skip
    assert {name: env.get(name) for name in wanted} == wanted
    assert "NONE" not in env
    assert folders.keys() == {f"VOLUME_{n}" for n in ("CONFIG", "ALL_OF_IT", "SCRATCH", "PRIVATE")}
    files = {
        f"{name}/{path.relative_to(folder)}": (path.read_bytes(), stat.S_IMODE(path.stat().st_mode))
        for name, folder in folders.items()
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert files == {
        "VOLUME_CONFIG/a/b.txt": (b"green", 0o440),
        "VOLUME_ALL_OF_IT/raw": (b"\xff", 0o644),
        "VOLUME_ALL_OF_IT/key": (b"key", 0o600),
        "VOLUME_ALL_OF_IT/password": (b"open sesame", 0o600),
        "VOLUME_PRIVATE/key": (b"key", 0o700),
        "VOLUME_PRIVATE/password": (b"open sesame", 0o700),
    }
    assert said["argv"] == [str(folders["VOLUME_CONFIG"] / "a/b.txt")]


def test_a_changed_config_map_reaches_the_volume_and_scratch_is_the_pods_own(
    engine: LocalEngine, walkthrough: dict[str, tuple[Object, ...]]
) -> None:
    apply(engine, [*client(walkthrough), *web()])
    env = told(engine)["env"]
    scratch, config = (Path(env[f"VOLUME_{name}"]) for name in ("SCRATCH", "CONFIG"))
    (scratch / "mine").write_text("kept")
    (scratch / "link").symlink_to("mine")
    (scratch / "empty.d").mkdir()
    changed = web(**{"colour: green": "colour: red"})
    engine.apply([changed[1]])
    assert (config / "a/b.txt").read_text() == "red"
    assert {path.name for path in scratch.iterdir()} == {"mine", "link", "empty.d"}
    waiting.until(
        lambda: Counter(r.status for r in engine.send(Request("http://web/"), 1, SECONDS))[200] > 0,
        "its answer", timeout=SECONDS,
    )  # fmt: skip
    assert told(engine)["env"]["SET_colour"] == "red"
    engine.delete([changed[1]])
    assert (config / "a/b.txt").read_text() == "red"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name: settings}": "name: other}"}, "there is no ConfigMap default/settings"),
        ({"key: password": "key: word"}, "Secret default/hidden has no key word"),
        ({"key: colour": "key: sound"}, "ConfigMap default/settings has no key sound"),
        ({"{volume:config}": "{volume:other}"}, "{volume:other} stands for no volume of the pod"),
        ({"path: a/b.txt": "path: ../b.txt"}, '"../b.txt" is not a path below the volume'),
        ({"status.podIP": "spec.nodeName"}, 'Kubernetes knows the field "spec.nodeName", but'),
        ({"status.podIP": "status.phase"}, '"status.phase" is not a field that can be taken'),
        ({"emptyDir: {}": "hostPath: {path: /}"}, "spec.volumes[2].hostPath: Kubernetes knows it"),
        (
            {"fieldRef: {fieldPath: metadata.name}": "resourceFieldRef: {resource: limits.cpu}"},
            "valueFrom.resourceFieldRef: Kubernetes knows it",
        ),
        ({"colour: green": "../colour: green"}, '"../colour" is not a valid key'),
    ],
    ids=lambda value: "" if isinstance(value, str) else next(iter(value.values())),
)
def test_what_a_pod_cannot_be_given_is_refused_before_anything_is_touched(
    engine: LocalEngine, changes: dict[str, str], words: str
) -> None:
    with pytest.raises(InputError) as error:
        engine.apply(web(**changes))
    assert words in "\n".join(str(problem) for problem in error.value.problems)
    assert engine.objects() == ()


WORKLOAD = """
apiVersion: VERSION
kind: KIND
metadata: {name: many}
spec:
  SPEC
  template:
    metadata:
      labels: {app: many}
      annotations: {meshdemo.dev/command: COMMAND}
    spec:
      containers: [{name: box, image: example.org/box:1, ports: [{containerPort: 8080}]}]
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: many}
spec: {selector: {app: many}, ports: [{name: http, port: 80, targetPort: 8080}]}
"""
SELECTOR = "selector: {matchLabels: {app: many}}"


def workload(kind: str, spec: str, command: str = "", version: str = "apps/v1") -> list[Object]:
    serving = shlex.join([sys.executable, "-c", SERVER, "{port}"])
    text = WORKLOAD.replace("VERSION", version).replace("KIND", kind).replace("SPEC", spec)
    if kind == "Job":
        text = text.replace("spec:\n      cont", "spec:\n      restartPolicy: Never\n      cont")
    problems: list[Any] = []
    text = text.replace("COMMAND", json.dumps(command or serving)) + "---" + SERVICE
    found = reading.parse(text, "many.yaml", problems)
    assert not problems
    return [
        item.with_data({**item.data, "metadata": {**item.metadata, "namespace": "default"}})
        for item in found
    ]


@pytest.mark.parametrize(
    ("kind", "spec", "names"),
    [
        ("StatefulSet", "replicas: 2\n  ordinals: {start: 3}", ["many-3", "many-4"]),
        ("DaemonSet", "minReadySeconds: 0", ["many-....."]),
        ("ReplicaSet", "replicas: 2", ["many-....."] * 2),
    ],
)
def test_every_kind_of_workload_has_its_pods_and_they_answer(
    engine: LocalEngine,
    walkthrough: dict[str, tuple[Object, ...]],
    kind: str,
    spec: str,
    names: list[str],
) -> None:
    apply(engine, [*client(walkthrough), *workload(kind, f"{spec}\n  {SELECTOR}")])
    found = [pod for pod in engine.pods() if pod.workload == "many"]
    assert {pod.workload_kind for pod in found} == {kind}
    assert len(found) == len(names)
    assert all(re.fullmatch(n, p.name) for n, p in zip(names, found, strict=True))
    bodies = [reply.body for reply in engine.send(Request("http://many/"), 40, SECONDS)]
    ports = {json.loads(body)["env"]["PORT"] for body in bodies}
    assert len(ports) == len(names)


@pytest.mark.parametrize(("limit", "said"), [(2, "Succeeded"), (1, "Failed")])
def test_a_job_is_tried_again_until_it_succeeds_or_its_limit(
    engine: LocalEngine, tmp_path: Path, limit: int, said: str
) -> None:
    script = f"echo x >> {tmp_path}/tries; test $(wc -l < {tmp_path}/tries) -ge 3"
    command = shlex.join(["sh", "-c", script])
    job = workload("Job", f"backoffLimit: {limit}", command, "batch/v1")
    engine.apply(job)
    waiting.until(
        lambda: {pod.phase for pod in engine.pods()} == {said}, "its end", timeout=SECONDS
    )
    assert len((tmp_path / "tries").read_text().split()) == limit + 1
    (pod,) = engine.pods()
    assert pod.labels["job-name"] == "many"
    if said == "Failed":
        with pytest.raises(EnvironmentFailed, match="box has ended"):
            engine.wait_ready(job, SECONDS)
    else:
        engine.wait_ready(job, SECONDS)
    engine.apply(job)
    assert len((tmp_path / "tries").read_text().split()) == limit + 1  # it does not begin anew


def test_a_cron_job_has_no_pods_and_no_effect(engine: LocalEngine) -> None:
    text = "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: nightly, namespace: default}\n"
    pod = "{containers: [{name: a, image: b}]}"
    text += f"spec: {{schedule: '0 0 * * *', jobTemplate: {{spec: {{template: {{spec: {pod}}}}}}}}}"
    applied = engine.apply(engine.inject(reading.parse(text, "cron.yaml", [])))
    assert "CronJob" in applied.notes[0]
    assert engine.pods() == ()
