from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Mesh

HALF = "v1=50%,v2=50%"


def test_up_shows_every_step_and_proves_the_last_one_and_down_ends_all_of_it(mesh: Mesh) -> None:
    mesh.run("down")  # it needs no mesh
    document = mesh.json("up", "--requests", "100")
    assert document["verdict"] == "met"
    assert [split["versions"]["v1"] == 0 for split in document["splits"]] == [False, False, True]
    assert mesh.ready() == {"app-v1": "2/2", "app-v2": "2/2", "testclient": "2/2"}
    known = mesh.processes()
    assert known
    for _ in range(2):
        mesh.run("down")
        assert not mesh.alive(known)


def test_up_again_changes_nothing(running: Mesh) -> None:
    running.run("up", "--no-verify")
    pids = {process.pid for process in running.processes()}
    running.run("up", "--no-verify")
    assert {process.pid for process in running.processes()} == pids


@pytest.mark.parametrize(
    ("route", "expect"), [(["v1=25%,v2=75%"], []), (["--clear"], ["--expect", HALF])],
    ids=["promised", "cleared"],
)  # fmt: skip
def test_a_route_splits_the_answers(running: Mesh, route: list[str], expect: list[str]) -> None:
    running.run("route", *route)
    running.verify_split(*expect)


def test_an_expectation_that_is_not_met_is_exit_1_and_nothing_else_is(running: Mesh) -> None:
    running.run("verify", "--expect", "v1=100%", code=1)
    running.run("route", "v9", code=2)
    running.run("verify", "--expect", "v1=60%,v2=60%", code=2)
    running.run("verify", "--no-such-option", code=2)


def test_verify_starts_nothing(mesh: Mesh) -> None:
    done = mesh.run("verify", "--expect", "v2=100%", code=3)
    assert "meshdemo up" in done.stderr
    assert not mesh.processes()


def test_a_program_in_the_client_is_inside_the_mesh(running: Mesh) -> None:
    running.run("route", "v1")
    assert running.run("exec", "--", "curl", "-s", "http://app/env/version").stdout == "v1"
    running.run("exec", "--", "sh", "-c", "exit 7", code=7)
    said = running.run("exec", "-o", "json", "--", "sh", "-c", "echo a; exit 1", code=1).stdout
    assert (json.loads(said)["stdout"], json.loads(said)["exitCode"]) == ("a\n", 1)


def test_manifests_are_written_and_never_over_a_changed_file(mesh: Mesh, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    mesh.run("manifests", str(folder))
    mesh.run("manifests", str(folder))
    names = {str(file.relative_to(folder)) for file in folder.rglob("*.yaml")}
    rules = {"app-destinationrule.yaml", "app-default-vs-v2.yaml"}
    rights = {"rbac/student.yaml", "rbac/ci-verify.yaml"}
    assert names == {"app-istio.yaml", "test-client.yaml", *rules, *rights}
    (folder / "app-istio.yaml").write_text("mine")
    mesh.run("manifests", str(folder), code=3)
    assert (folder / "app-istio.yaml").read_text() == "mine"
