"""A mesh of many pods on the local engine, and one whose pods come and go under load."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import threading
from collections import Counter
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import yaml
from tests.printed import read

from meshdemo.engines.local import inotify
from meshdemo.objects import reading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.engines.local.engine import LocalEngine
    from meshdemo.objects.model import Object

SECONDS = 60
LINUX_DEFAULT = 128
"""The inotify instances that Linux grants a user."""
OWN_ACCOUNT = Path(__file__).with_name("own_account.py")
NAMESPACE = (
    [sys.executable, str(OWN_ACCOUNT)]
    if os.geteuid() == 0
    else ["unshare", "--user", "--map-root-user"]
)
"""Makes a user namespace to run a program in."""
LIMIT = "/proc/sys/user/max_inotify_instances"
ASKED = "svc-7"


def service(name: str) -> dict[str, Any]:
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    spec = {"selector": {"app": name}, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def deployment(name: str, replicas: int = 1, image: str = "meshdemo/echo") -> dict[str, Any]:
    labels = {"app": name, "version": "v1"}
    container = {"name": "app", "image": image, "ports": [{"containerPort": 8080}]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def objects(*data: dict[str, Any]) -> tuple[Object, ...]:
    problems: list[Any] = []
    found = reading.parse(yaml.safe_dump_all(data), "mesh.yaml", problems)
    assert not problems
    return tuple(
        item.with_data({**item.data, "metadata": {**item.metadata, "namespace": "default"}})
        for item in found
    )


@contextmanager
def load(proxy: str, url: str, connections: int, delay: str) -> Iterator[Counter[str]]:
    """Send requests side by side for as long as the context is open; give what came back."""
    answers: Counter[str] = Counter()
    address, stop = urlsplit(proxy), threading.Event()

    def send() -> None:
        made = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
        with closing(made) as connection:
            while not stop.is_set():
                connection.request("GET", url, headers={"x-echo-delay": delay})
                answer = connection.getresponse()
                body = answer.read()
                answers["200" if answer.status == 200 else f"{answer.status} {body[:200]!r}"] += 1

    def watched() -> None:
        try:
            send()
        except (OSError, http.client.HTTPException) as error:
            answers[repr(error)] += 1

    threads = [threading.Thread(target=watched) for _ in range(connections)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("injected", [True, False], ids=["sidecars", "no sidecars"])
def test_when_pods_come_and_go_no_request_under_way_is_broken(
    local: LocalEngine, *, injected: bool
) -> None:
    def scale(replicas: int) -> None:
        given = objects(service("quay"), deployment("quay", replicas), deployment("testclient"))
        found = local.inject(given) if injected else given
        local.apply(found)
        local.wait_ready(found, SECONDS)

    scale(3)
    with load(local.proxy_url(), "http://quay/", connections=8, delay="0.2") as answers:
        for replicas in (1, 4, 2):
            scale(replicas)
    assert set(answers) == {"200"}
    assert answers["200"] >= 8


@pytest.mark.whole_machine
def test_a_small_shop_comes_up_within_what_linux_grants(tmp_path: Path) -> None:
    """Ten services of three pods each, in a user namespace that grants 128 inotify instances."""
    if not may_limit_watchers():
        pytest.skip("ATTENTION: this needs unshare and user namespaces, which are not allowed here")
    names = [f"svc-{number}" for number in range(10)]
    # What is limited is what Envoys need: only the pods that are asked have an app.
    idle = [deployment(name, 3, "zze326/test-tools") for name in names if name != ASKED]
    data = [*map(service, names), *idle, deployment(ASKED, 3)]
    rules = [
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "DestinationRule",
            "metadata": {"name": name},
            "spec": {"host": name, "subsets": [{"name": "v1", "labels": {"version": "v1"}}]},
        }
        for name in names
    ]
    file = tmp_path / "shop.yaml"
    file.write_text(yaml.safe_dump_all([*data, deployment("testclient"), *rules]))
    said = in_namespace(tmp_path, file)
    few, up, status, verify, down = (json.loads(line) for line in said.splitlines())
    assert few["code"] == 3
    assert "31 more Envoys need 93 inotify instances (3 each), and 90 are free" in few["stderr"]
    assert f"sudo sysctl {inotify.SYSCTL}=512" in few["stderr"]
    assert not few["left"]
    assert up["code"] == 0, up
    assert [pod["ready"] for pod in read(status["stdout"])["pods"]] == ["2/2"] * 31
    assert verify["code"] == 0, verify
    assert down["code"] == 0, down
    assert not down["left"]


def in_namespace(folder: Path, file: Path) -> str:
    """Run meshdemo in one user namespace; a line of JSON a command.

    In one and the same: from outside nobody may look at the environment of its processes.
    """
    argv = ["sh", "-ec", f'echo 90 > {LIMIT}; exec "$@"', "sh", sys.executable, "-c", SCRIPT]
    done = subprocess.run(
        [*NAMESPACE, *argv, str(folder / "state"), str(file), LIMIT, str(LINUX_DEFAULT), ASKED],
        capture_output=True, text=True, check=True, timeout=240,
    )  # fmt: skip
    return done.stdout


SCRIPT = """
import json, pathlib, subprocess, sys
state, file, limit, granted, asked = sys.argv[1:]

def run(*argv):
    command = [sys.executable, "-m", "meshdemo", *argv, "--state-dir", state]
    done = subprocess.run(command, capture_output=True, text=True)
    left = pathlib.Path(state).exists()
    print(json.dumps({"code": done.returncode, "stdout": done.stdout, "stderr": done.stderr,
                      "left": left}), flush=True)

run("up", "--no-verify", "-f", file)
pathlib.Path(limit).write_text(granted)
try:
    run("up", "--no-verify", "-f", file, "--timeout", "120s")
    run("status", "-o", "json")
    run("verify", "--url", f"http://{asked}/", "--expect", "v1=100%")
finally:
    run("down")
"""


def may_limit_watchers() -> bool:
    if not shutil.which(NAMESPACE[0]):
        return False
    probe = [*NAMESPACE, "sh", "-ec", f"echo {LINUX_DEFAULT} > {LIMIT}"]
    return subprocess.run(probe, capture_output=True, check=False, timeout=60).returncode == 0
