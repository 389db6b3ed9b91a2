"""The walkthrough on the cluster that was named, with the Istio that is installed there."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    Cluster = Any

pytestmark = [pytest.mark.usefixtures("istio"), pytest.mark.timeout(400)]

HALF = "v1=50%,v2=50%"


def inventory(cluster: Cluster, namespace: str) -> str:
    kinds = "all,configmap,serviceaccount,virtualservice,destinationrule"
    found: str = cluster.kubectl("get", kinds, "-n", namespace, "-o", "name")
    return found


def keys(data: Any) -> Any:
    """Give the shape of a JSON document: what differs between engines is names and times."""
    if isinstance(data, dict):
        return {key: "names" if key == "labels" else keys(value) for key, value in data.items()}
    if isinstance(data, list):
        return [keys(data[0])] if data else []
    return type(data).__name__


def test_up_proves_it_twice_and_down_leaves_the_namespace_as_it_was(
    cluster: Cluster, namespace: str
) -> None:
    cluster.kubectl("create", "namespace", namespace)
    cluster.kubectl("create", "service", "clusterip", "foreign", "--tcp=80", "-n", namespace)
    cluster.kubectl("wait", "-n", namespace, "--for=create", "serviceaccount/default")
    before = inventory(cluster, namespace)
    first = cluster.meshdemo("up", "-n", namespace, "-o", "json").json
    assert (first["verdict"], first["tally"]["versions"]["v1"]) == ("met", 0)
    again = cluster.meshdemo("up", "-n", namespace, "-o", "json").json
    assert {change["action"] for change in again["changes"]} == {"unchanged"}
    cluster.meshdemo("down", "-n", namespace)
    assert inventory(cluster, namespace) == before
    assert "no pods" in cluster.meshdemo("status", "-n", namespace, code=3).out


def test_each_step_alone(cluster: Cluster, namespace: str) -> None:
    def step(*argv: str, code: int = 0) -> Any:
        return cluster.meshdemo(*argv, "-n", namespace, "-o", "json", code=code).json

    def split(*argv: str) -> Any:
        return cluster.verify_split(*argv, "-n", namespace)

    step("deploy")
    assert {pod["ready"] for pod in step("status")["pods"]} == {"1/1"}
    split("--expect", HALF)
    step("route", "v2")
    split("--expect", HALF)  # a client without a sidecar does not follow the rules
    step("inject")
    assert {pod["ready"] for pod in step("status")["pods"]} == {"2/2"}
    step("verify", "--expect", "v2=100%")
    step("verify", "--expect", "v1=100%", code=1)
    step("route", "v1=90", "v2=10")
    assert split()["expectation"]["fromRules"]
    step("route", "--clear")
    split("--expect", HALF)
    step("down")


def test_a_match_on_a_header_and_a_fault_are_seen(
    deployed: Cluster, namespace: str, testers: str
) -> None:
    deployed.meshdemo("route", "-n", namespace, "-f", testers)
    tester = ("-H", "x-user: tester", "--expect", "v1=100%")
    deployed.meshdemo("verify", "-n", namespace, *tester)
    everybody = deployed.meshdemo(
        "verify", "-n", namespace, "--expect", "v2=100%", "-o", "json", code=1
    ).json
    assert everybody["tally"]["others"] == {"HTTP 555": everybody["tally"]["total"]}


def test_the_same_json_as_on_the_local_engine(
    deployed: Cluster, namespace: str, tmp_path: Path
) -> None:
    local = ("--engine", "local", "--state-dir", str(tmp_path / "local"))
    deployed.sh(f"meshdemo up --no-verify {' '.join(local)}")
    try:
        for argv in (["route", "v2"], ["verify", "--expect", "v2=100%"], ["verify"], ["status"]):
            there = deployed.meshdemo(*argv, "-n", namespace, "-o", "json").json
            here = deployed.sh(f"meshdemo {' '.join([*argv, *local])} -o json")
            assert here.code == 0
            assert keys(there) == keys(json.loads(here.out)), argv
    finally:
        deployed.sh(f"meshdemo down {' '.join(local)}")


def test_commands_and_logs(deployed: Cluster, namespace: str) -> None:
    def execute(script: str, code: int) -> Any:
        argv = ("exec", "-n", namespace, "--", "sh", "-c", script)
        line = f"meshdemo --context {deployed.context} {shlex.join(argv)}"
        ended = deployed.sh(line)
        if (ended.code, ended.out) == (0, ""):
            # Each says something: it was lost. Of 800 that kubectl exec -i ran beside two busy
            # loops, this node's containerd 1.6 lost one, and said 0 as well.
            ended = deployed.sh(line)
        assert ended.code == code
        return ended

    ended = execute("echo out; echo err >&2; exit 7", 7)
    assert ended.out == "out\n"
    assert "err" in ended.err.splitlines()
    assert execute("wc -c </dev/null", 0).out.strip() == "0"
    missing = deployed.meshdemo("exec", "-n", namespace, "--", "no-such-command", code=127)
    assert "meshdemo: no-such-command: executable file not found" in missing.err
    deployed.meshdemo("verify", "-n", namespace, "--expect", "v2=100%", "--requests", "20")
    assert "GET /env/version" in deployed.meshdemo("logs", "app-v2", "-n", namespace).out
    proxy = deployed.meshdemo("logs", "app-v2", "-c", "istio-proxy", "--tail", "3", "-n", namespace)
    assert len(proxy.out.splitlines()) == 3


def test_standard_input_reaches_the_command_and_ends(deployed: Cluster, namespace: str) -> None:
    ended = deployed.sh(
        f"printf 'a\\nb\\n' | meshdemo exec --context {deployed.context} -n {namespace} -- wc -l"
    )
    assert (ended.code, ended.out.strip()) == (0, "2")


def test_an_image_that_cannot_be_pulled_is_named_soon(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    text = cluster.sh("meshdemo manifests . && cat test-client.yaml", cwd=tmp_path).out
    file = tmp_path / "wrong.yaml"
    file.write_text(re.sub(r"image: \S+", "image: nobody/has-this:1", text[text.index("---") :]))
    ended = cluster.meshdemo("deploy", "-n", namespace, "-f", str(file), code=3)
    assert "nobody/has-this:1" in ended.err
    assert "--image" in ended.err
    cluster.meshdemo("down", "-n", namespace)


def test_a_foreign_object_is_never_taken_over_unless_it_may_be_adopted(
    cluster: Cluster, namespace: str
) -> None:
    cluster.kubectl("create", "namespace", namespace)
    cluster.kubectl("create", "service", "clusterip", "app", "--tcp=80:80", "-n", namespace)
    uid = ("get", "service", "app", "-n", namespace, "-o", "jsonpath={.metadata.uid}")
    before = cluster.kubectl(*uid)
    ended = cluster.meshdemo("deploy", "-n", namespace, code=3)
    assert "Service" in ended.err
    assert "--adopt" in ended.err
    assert cluster.kubectl("get", "deployment", "-n", namespace, "-o", "name") == ""
    cluster.meshdemo("down", "-n", namespace)
    assert cluster.kubectl(*uid) == before


def test_a_client_that_dies_in_the_middle_is_inconclusive(
    deployed: Cluster, namespace: str
) -> None:
    kubectl = f"kubectl --context {deployed.context} -n {namespace}"
    sends = "grep -qse '-s[S]' /proc/[0-9]*/cmdline"  # an option of the curl that sends, no other
    ended = deployed.sh(
        f"(for _ in $(seq 200); do {kubectl} exec deploy/testclient -- sh -c {shlex.quote(sends)} "
        f"&& break; sleep 0.1; done; sleep 1; {kubectl} delete pod -l app=testclient --force"
        ") >/dev/null 2>&1 & "
        f"meshdemo verify --context {deployed.context} -n {namespace} --expect v2=100% "
        "--requests 20000 -o json; code=$?; wait; exit $code"
    )
    assert ended.code == 4, ended
    document = json.loads(ended.out[ended.out.index("{\n") :])
    assert document["verdict"] == "inconclusive"
    assert document["measurement"]["brokenOff"]


def test_what_others_changed_since_is_named_at_once_and_set_by_force(
    deployed: Cluster, namespace: str
) -> None:
    space = ("-n", namespace)
    deployed.kubectl("scale", "deployment/app-v1", "--replicas=2", *space)
    ways = json.dumps({"spec": {"http": [{"route": [{"destination": {"host": "app"}}]}]}})
    route = "virtualservice/app-default-v2"
    deployed.kubectl("patch", route, "--type=merge", "--patch", ways, *space)
    for argv, fields in (
        (("up", "--no-verify"), ["Deployment {}/app-v1 spec.replicas", "spec.http"]),
        (("deploy",), ["Deployment {}/app-v1 spec.replicas: set by kubectl (2, and 1 is asked"]),
        (("route", "v1"), ["VirtualService {}/app-default-v2 spec.http: set by kubectl"]),
    ):
        ended = deployed.meshdemo(*argv, *space, code=3)
        for field in fields:
            assert field.format(namespace) in ended.err
        assert "--force-conflicts" in ended.err
        assert "your file" not in ended.err
    deployed.meshdemo("route", "v1", "--force-conflicts", *space)
    proof = deployed.meshdemo("up", "--force-conflicts", *space, "-o", "json").json
    assert (proof["verdict"], proof["tally"]["versions"]["v1"]) == ("met", 0)
    assert {
        pod["ready"] for pod in deployed.meshdemo("status", *space, "-o", "json").json["pods"]
    } == {"2/2"}
