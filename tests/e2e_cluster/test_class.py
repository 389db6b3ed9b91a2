"""A class on one cluster: each in a namespace of their own, with rights there and nowhere else."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.paths import MANIFESTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    Cluster = Any
    Ended = Any

RBAC = MANIFESTS / "rbac"
SYSTEM = "istio-system"
ISTIO = "deployment,service,configmap,secret,serviceaccount,role,rolebinding,destinationrule"
GLOBAL = (
    "customresourcedefinition,mutatingwebhookconfiguration,validatingwebhookconfiguration,"
    "clusterrole,clusterrolebinding"
)
ELECTION = "control-plane.alpha.kubernetes.io/leader"
"""Annotation of what istiod's replicas write every other second."""
MISSING = re.compile(r'cannot (get|list|create|patch|delete) resource "[a-z/]+"')
"""How the API server names a right that one lacks."""

pytestmark = pytest.mark.timeout(400)


def as_account(cluster: Cluster, namespace: str, name: str, folder: Path) -> Cluster:
    """Be a service account: with its token, and no other credentials."""
    config = json.loads(cluster.kubectl("config", "view", "--raw", "--minify", "-o", "json"))
    token = cluster.kubectl("-n", namespace, "create", "token", name).strip()
    config["users"] = [{"name": name, "user": {"token": token}}]
    config["contexts"][0]["context"].update(user=name, namespace=namespace)
    file = folder / f"{namespace}-{name}.json"
    file.write_text(json.dumps(config))
    return replace(cluster, kubeconfig=str(file), state=folder / f"{namespace}-{name}")


def as_student(cluster: Cluster, namespace: str, folder: Path) -> Cluster:
    """Make a namespace, and be the student who has the rights of student.yaml there."""
    cluster.kubectl("create", "namespace", namespace)
    cluster.kubectl("-n", namespace, "apply", "-f", str(RBAC / "student.yaml"))
    cluster.kubectl("wait", "-n", namespace, "--for=create", "serviceaccount/default")
    return as_account(cluster, namespace, "student", folder)


def versions(cluster: Cluster, *argv: str) -> dict[str, str]:
    """Give what is there, and in which version."""
    items = json.loads(cluster.kubectl("get", *argv, "-o", "json"))["items"]
    return {
        f"{item['kind']} {item['metadata']['name']}": item["metadata"]["resourceVersion"]
        for item in items
        if ELECTION not in item["metadata"].get("annotations", {})
    }


def everybodys(cluster: Cluster) -> dict[str, str]:
    """Give what a class shares: Istio, and what is cluster-wide."""
    return {**versions(cluster, GLOBAL), **versions(cluster, ISTIO, "-n", SYSTEM)}


def side_by_side(commands: Mapping[Cluster, Sequence[str]]) -> None:
    """Run one command for each student, all at once; each must succeed."""
    running = {student: student.start(*argv) for student, argv in commands.items()}
    try:
        for student, process in running.items():
            out, err = process.communicate(timeout=120)
            assert process.returncode == 0, f"{commands[student]}\n{out}\n{err}"
    finally:
        for process in running.values():
            process.kill()
            process.communicate()


@pytest.mark.alone
def test_a_student_does_it_all_with_rights_in_one_namespace_alone(
    meshed: Cluster, namespace: str, tmp_path: Path
) -> None:
    student = as_student(meshed, namespace, tmp_path)
    before, inside = everybodys(meshed), meshed.everything(namespace)

    refused = student.meshdemo("up", code=3)
    assert f"pods/portforward in {SYSTEM}" in refused.err
    assert "--injection auto" in refused.err
    assert meshed.everything(namespace) == inside

    student.meshdemo("deploy")
    assert "--injection auto" in student.meshdemo("inject", code=3).err
    student.meshdemo("inject", "--injection", "auto")
    student.meshdemo("route", "v2")
    assert student.meshdemo("verify", "--expect", "v2=100%", "-o", "json").json["verdict"] == "met"
    pods = student.meshdemo("status", "-o", "json").json["pods"]
    assert {pod["ready"] for pod in pods} == {"2/2"}
    assert "GET /env/version" in student.meshdemo("logs", "app-v2").out
    said = student.sh(f"meshdemo exec --context {student.context} -- curl -s app/env/version")
    assert (said.code, said.out) == (0, "v2")
    doctor = student.meshdemo("doctor")
    assert "✔ Istio is there: not allowed to see" in doctor.out
    assert "say --injection auto" in doctor.out

    student.meshdemo("down")
    assert meshed.everything(namespace) == inside
    assert everybodys(meshed) == before


def test_who_may_only_verify_can_verify_and_changes_nothing(
    meshed: Cluster, namespace: str, tmp_path: Path
) -> None:
    meshed.meshdemo("up", "-n", namespace, "--no-verify")
    meshed.kubectl("-n", namespace, "apply", "-f", str(RBAC / "ci-verify.yaml"))
    job = as_account(meshed, namespace, "meshdemo-ci-verify", tmp_path)
    before = versions(meshed, "service,deployment,virtualservice,destinationrule", "-n", namespace)

    job.meshdemo("verify", "--expect", "v2=100%")
    job.meshdemo("verify", "--expect", "v1=100%", code=1)
    assert "2/2" in job.meshdemo("status").out
    for argv in (["up"], ["deploy"], ["inject"], ["route", "v1"], ["route", "--clear"], ["down"]):
        ended = job.meshdemo(*argv, code=3)
        assert MISSING.search(ended.err) or "pods/portforward" in ended.err, f"{argv}: {ended.err}"

    after = versions(meshed, "service,deployment,virtualservice,destinationrule", "-n", namespace)
    assert after == before
    meshed.meshdemo("down", "-n", namespace)


def test_who_has_no_rights_is_told_which_is_missing(
    meshed: Cluster, namespace: str, tmp_path: Path
) -> None:
    meshed.kubectl("create", "namespace", namespace)
    meshed.kubectl("-n", namespace, "create", "serviceaccount", "nobody")
    nobody = as_account(meshed, namespace, "nobody", tmp_path)
    commands = (
        "up", "deploy", "deploy --injection auto", "inject", "route v2", "route --clear", "verify",
        "status", "logs", "exec id", "down", "down --all", "install", "install --force",
    )  # fmt: skip
    for command in commands:
        name, *rest = command.split()
        ended = nobody.sh(f"meshdemo {name} --context {nobody.context} {' '.join(rest)}")
        said = ended.out + ended.err
        assert ended.code == 3, f"{command}: {ended.code} {said}"
        assert MISSING.search(said), f"{command}: {said}"
        assert "Traceback" not in said
    doctor = nobody.meshdemo("doctor", code=3).out
    assert "not allowed: create services, create deployments" in doctor
    assert "manifests/rbac/student.yaml" in doctor


def test_three_students_at_once_do_not_meet(
    meshed: Cluster, namespace: str, testers: str, tmp_path: Path
) -> None:
    # What one asks for is what another must not get. (No split: in 1 of 100 it is not met.)
    tester = ("-H", "x-user: tester")
    asks = (
        (("route", "v1"), ("verify", "--expect", "v1=100%")),
        (("route", "v2"), ("verify", "--expect", "v2=100%", *tester)),
        (("route", "-f", testers), ("verify", "--expect", "v1=100%", *tester)),
    )
    names = [f"{namespace}-{number}" for number in range(len(asks))]
    try:
        students = [as_student(meshed, name, tmp_path) for name in names]
        routes = {who: route for who, (route, _) in zip(students, asks, strict=True)}
        proofs = {who: verify for who, (_, verify) in zip(students, asks, strict=True)}
        side_by_side(dict.fromkeys(students, ("up", "--injection", "auto", "--no-verify")))
        side_by_side(routes)
        side_by_side(proofs)
        side_by_side({**proofs, students[0]: ("down",)})
        side_by_side(dict.fromkeys(students[1:], ("down",)))
    finally:
        meshed.remove(*names)


@pytest.mark.alone
def test_an_istio_that_a_second_student_uses_stays_unless_forced(
    meshed: Cluster, namespace: str, tmp_path: Path
) -> None:
    other = f"{namespace}-other"
    student = as_student(meshed, other, tmp_path)
    try:
        student.meshdemo("deploy", "--injection", "auto")
        meshed.meshdemo("up", "-n", namespace, "--no-verify")
        before = {**everybodys(meshed), **versions(meshed, "deployment,service", "-n", namespace)}
        refused = meshed.meshdemo("down", "--all", "-n", namespace, code=3)
        assert re.search(rf"{other}: Pod app-v1-\S+, Pod app-v2-\S+, Pod testclient-", refused.err)
        assert f"  {namespace}: " not in refused.err
        after = {**everybodys(meshed), **versions(meshed, "deployment,service", "-n", namespace)}
        assert after == before
        meshed.meshdemo("down", "--all", "--force", "-n", namespace)
        assert not meshed.kubectl("get", "deployments", "-A", "-l", "app=istiod", "-o", "name")
        student.meshdemo("down")
    finally:
        meshed.remove(other)


def test_an_adopted_service_is_changed_and_outlives_down(meshed: Cluster, namespace: str) -> None:
    meshed.kubectl("create", "namespace", namespace)
    # As somebody made it who needs this port, and who names no other.
    meshed.sh(
        f"printf 'apiVersion: v1\nkind: Service\nmetadata: {{name: app}}\n"
        f"spec: {{ports: [{{name: http, port: 80}}, {{name: more, port: 81}}]}}\n' | "
        f"kubectl --context {meshed.context} -n {namespace} apply -f -"
    )
    get = ("get", "service", "app", "-n", namespace, "-o", "json")
    before = json.loads(meshed.kubectl(*get))
    refused = meshed.meshdemo("up", "-n", namespace, "--no-verify", code=3)
    assert "Service" in refused.err
    assert "kubectl" in refused.err  # who manages it
    assert json.loads(meshed.kubectl(*get))["metadata"] == before["metadata"]

    meshed.meshdemo("up", "-n", namespace, "--adopt", "--no-verify")
    meshed.meshdemo("verify", "-n", namespace, "--expect", "v2=100%")
    ended = meshed.meshdemo("down", "-n", namespace)
    assert "Service app (adopted)" in ended.out
    after = json.loads(meshed.kubectl(*get))
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["spec"]["selector"] == {"app": "app"}
    assert len(after["spec"]["ports"]) == 2


STOLEN = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: steal}}
spec:
  hosts: [app.{0}.svc.cluster.local]
  http:
  - route: [{{destination: {{host: app.{0}.svc.cluster.local, subset: v1}}}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: steal}}
spec:
  host: app.{0}.svc.cluster.local
  subsets: [{{name: v1, labels: {{version: v1}}}}]
"""
OWN_ONLY = """
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {{name: default, namespace: {0}}}
spec: {{egress: [{{hosts: [./*, istio-system/*]}}]}}
"""


def test_a_students_rule_for_anothers_service_is_warned_of_named_there_and_can_be_prevented(
    meshed: Cluster, namespace: str, tmp_path: Path
) -> None:
    names = [f"{namespace}-{who}" for who in ("thief", "victim")]
    try:
        thief, victim = (as_student(meshed, name, tmp_path) for name in names)
        file = tmp_path / "steal.yaml"
        file.write_text(STOLEN.format(names[1]))
        warned = thief.meshdemo("route", "-f", str(file)).err
        assert f"is a Service of namespace {names[1]}: the rule holds there as well" in warned
        assert 'exportTo: ["."]' in warned

        began = time.monotonic()
        said = victim.meshdemo("up", "--injection", "auto", code=3).err
        assert time.monotonic() - began < 100  # --timeout allows three times as much
        theirs = f"VirtualService {names[0]}/steal"
        assert f"it follows {theirs}" in said
        assert "istiod" not in said
        status = victim.meshdemo("status", "-o", "json").json["rules"]
        rules = {f"{rule['namespace']}/{rule['name']}": rule for rule in status}
        assert rules[f"{names[0]}/steal"]["inForce"]
        assert rules[f"{names[1]}/app-default-v2"]["why"].endswith(f"follows {theirs} instead")
        assert f"follows {theirs} for it" in victim.meshdemo("verify", code=2).err
        victim.meshdemo("verify", "--expect", "v2=100%", code=1)

        own = tmp_path / "own.yaml"
        own.write_text(OWN_ONLY.format(names[1]))
        meshed.kubectl("apply", "-f", str(own))
        victim.meshdemo("up", "--injection", "auto")
        victim.meshdemo("down")
        thief.meshdemo("down")
    finally:
        meshed.remove(*names)
