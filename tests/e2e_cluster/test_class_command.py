"""``meshdemo class`` on a real cluster: made, used, made again, removed."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from meshdemo.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterable

    Cluster = Any

PROGRESS = {
    "lesson": 2,
    "passed": [1],
    "last": {"lesson": 2, "passed": False, "at": "2026-11-29T12:01:00+00:00"},
}

MAY = "kubectl auth can-i create deployments.apps"

pytestmark = pytest.mark.timeout(400)


def test_a_class_is_made_used_made_again_and_removed(
    meshed: Cluster, namespace: str, tmp_path: Path
) -> None:
    folder, foreign = tmp_path / "kubeconfigs", f"{namespace}-04"
    of_class = ("--name", namespace, "--folder", str(folder))
    names = [f"{namespace}-0{number}" for number in (1, 2, 3)]
    meshed.kubectl("create", "namespace", foreign)
    try:
        refuses_and_plans(meshed, namespace, of_class)
        assert not folder.exists()
        up = ("class", "up", "--students", "3", "--duration", "15m", "-o", "json", *of_class)
        made = meshed.meshdemo(*up).json["students"]
        assert [(each["name"], each["new"]) for each in made] == [(name, True) for name in names]
        assert folder.stat().st_mode & 0o777 == 0o700

        file = Path(made[0]["kubeconfig"])
        assert file.stat().st_mode & 0o777 == 0o600
        student = replace(meshed, kubeconfig=str(file), context=names[0], state=tmp_path / "s")
        works_in_their_namespaces_alone(student, names[0], names[1])
        other = {"kubeconfig": made[1]["kubeconfig"], "context": names[1]}
        passes_a_lesson_in_two_namespaces(replace(student, **other), f"{names[1]}-payments")
        tells_how_far_they_are(meshed, names, of_class[:2])

        work = meshed.kubectl("-n", names[0], "get", "deployments,services,pods", "-o", "name")
        # As in a class that was made before there were such lessons.
        meshed.kubectl("annotate", "namespace", names[0], "meshdemo.dev/beside-")
        meshed.kubectl("delete", "namespace", names[2], f"{names[0]}-payments")
        old = file.read_text()
        again = meshed.meshdemo(*up).json["students"]
        assert [each["new"] for each in again] == [False, False, True]
        assert file.read_text() != old, "the token is a new one"
        assert student.sh(MAY).out == "yes\n"
        assert student.sh(f"{MAY} -n {names[0]}-payments").out == "yes\n"
        noted = ("jsonpath={.metadata.annotations.meshdemo\\.dev/beside}",)
        beside = meshed.kubectl("get", "namespace", names[0], "-o", *noted)
        assert beside == f"{names[0]}-payments"
        now = meshed.kubectl("-n", names[0], "get", "deployments,services,pods", "-o", "name")
        assert now == work

        kept = folder.rename(tmp_path / "kept") / file.name
        assert meshed.meshdemo("class", "down", "-o", "json", *of_class).json["ok"]
        left = meshed.kubectl("get", "namespaces", "-o", "name").split()
        assert [name for name in left if namespace in name] == [f"namespace/{foreign}"]
        said = meshed.meshdemo("class", "status", *of_class[:2], code=3).err
        assert f"there is no class {namespace}" in said
        # With the namespace went the account: nobody is known by that token any more.
        too_late = replace(student, kubeconfig=str(kept)).sh("meshdemo status --engine cluster")
        assert "does not accept your credentials" in too_late.err
    finally:
        meshed.meshdemo("class", "down", *of_class)
        meshed.remove(foreign)


def until(lines: Iterable[str], part: str) -> None:
    """Read lines up to one that has this in it."""
    assert any(part in line for line in lines)


def refuses_and_plans(meshed: Cluster, name: str, of_class: tuple[str, ...]) -> None:
    """See that a namespace of others is refused, also by a dry run, and that nothing is made."""
    before = meshed.kubectl("get", "namespaces", "-o", "name")
    up = ("class", "up", *of_class)
    for more in ((), ("--dry-run",)):
        refused = meshed.meshdemo(*up, "--students", "4", *more, code=3)
        assert f"not of the class {name}: namespace {name}-04" in refused.err
    assert "nothing was changed" in meshed.meshdemo(*up, "--students", "3", "--dry-run").out
    here = [line for line in before.split() if name in line]
    after = meshed.kubectl("get", "namespaces", "-o", "name")
    assert [line for line in after.split() if name in line] == here


def passes_a_lesson_in_two_namespaces(student: Cluster, beside: str) -> None:
    """See that a student can with their kubeconfig, and leaves nothing there."""

    def tour(line: str, code: int = 0) -> Any:
        ended = student.sh(f"meshdemo tour {line} --engine cluster -o json")
        assert ended.code == code, f"{line}: {ended.code}\n{ended.out}\n{ended.err}"
        return ended.json

    for lesson in (16, 21):
        tour(f"goto {lesson}")
        assert tour(f"check {lesson}", code=1)["cause"]
        tour(f"solution {lesson} --apply")
        tour(f"check {lesson}")
    ours = f"kubectl -n {beside} get deployments,services,pods,virtualservices -o name"
    assert "deployment.apps/pay-v1" in student.sh(ours).out
    ended = student.sh("meshdemo down --engine cluster")
    assert ended.code == 0, ended.err
    left = student.sh(ours)
    assert (left.code, left.out) == (0, "")


def works_in_their_namespaces_alone(student: Cluster, own: str, other: str) -> None:
    for place, answer in ((own, "yes"), (other, "no")):
        for namespace in (place, f"{place}-payments"):
            assert student.sh(f"{MAY} -n {namespace}").out == f"{answer}\n"
    assert "forbidden" in student.sh(f"kubectl get pods -n {other}").err.lower()
    deployed = student.sh("meshdemo deploy --injection auto --engine cluster")
    assert deployed.code == 0, deployed.err


def tells_how_far_they_are(meshed: Cluster, names: list[str], by_name: tuple[str, ...]) -> None:
    wrote = f"--from-literal=progress.json={json.dumps(PROGRESS)}"
    watching = meshed.start("class", "status", "--watch", *by_name)
    try:
        until(watching.stdout, f"{names[2]} ")
        meshed.kubectl("-n", names[0], "create", "configmap", "meshdemo-tour", wrote)
        until(watching.stdout, "✘ 2, ")
        watching.send_signal(signal.SIGINT)
        assert watching.wait() == ExitCode.INTERRUPTED
    finally:
        watching.kill()
        watching.communicate()
    found = meshed.meshdemo("class", "status", "-o", "json", *by_name).json["students"]
    assert [(each["name"], each["lesson"]) for each in found] == [
        (names[0], 2),
        (names[1], 21),
        (names[2], None),
    ]
    assert (found[0]["passed"], found[0]["last"]) == ([1], PROGRESS["last"])
    assert "✘ 2, " in meshed.meshdemo("class", "status", *by_name).out
