from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

from meshdemo.engines.results import Applied, Check
from meshdemo.errors import InputError, Problem
from meshdemo.verdict.traffic import Reply

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli


def test_up_shows_each_step_the_splits_and_the_verdict(cli: Cli) -> None:
    ended = cli("up")
    assert ended.code == 0
    steps = [line.split()[1] for line in ended.err.splitlines() if line.startswith("ok ")]
    assert steps == ["install", "inject", "deploy", "route", "route", "verify"]
    assert "before the rules, 200 answers:" in ended.out
    assert "after the DestinationRule, 200 answers:" in ended.out
    assert "after the VirtualService, 200 answers:" in ended.out
    assert "v2=100%: met (local engine, namespace default)" in ended.out
    assert ended.out.count("  meshdemo ") == 3


def test_up_tells_a_program_the_same(cli: Cli) -> None:
    document = cli("up", "-o", "json").json
    assert document["schema"] == "meshdemo/v1"
    assert document["command"] == "up"
    assert document["exitCode"] == 0
    assert document["verdict"] == "met"
    assert [item["versions"] for item in document["splits"]] == [
        {"v1": 100, "v2": 100},
        {"v1": 100, "v2": 100},
        {"v1": 0, "v2": 200},
    ]
    assert [item["name"] for item in document["steps"]][:3] == ["install", "inject", "deploy"]


def test_up_again_changes_nothing_and_shows_no_split_before_the_rules(cli: Cli) -> None:
    cli("up")
    document = cli("up", "-o", "json").json
    assert {item["action"] for item in document["changes"]} == {"unchanged"}
    assert document["splits"] == []
    assert document["verdict"] == "met"


def test_up_brings_a_split_back_to_the_articles_rule_and_says_so(meshed: Cli) -> None:
    assert meshed("route", "v1=90", "v2=10").code == 0
    ended = meshed("up", "-q")
    assert ended.code == 0
    was = "hosts app; to v1 90, v2 10"
    said = f"app-default-v2 is set back to: hosts app; to v2 (it was: {was})"
    assert ended.err == f"warning: VirtualService default/{said}\n"
    assert "set back" not in meshed("up").err


def test_up_says_what_a_rule_of_your_own_was(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(OWN + WEB_RULE)
    assert "it was" not in cli("up", "-f", str(tmp_path)).err
    (tmp_path / "own.yaml").write_text(OWN + WEB_RULE.replace("subset: v1", "subset: v2"))
    said = "note: VirtualService default/web is changed to: hosts web; to v2"
    assert f"{said} (it was: hosts web; to v1)\n" in cli("up", "-f", str(tmp_path)).err


def test_up_without_verify_sends_nothing(cli: Cli) -> None:
    ended = cli("up", "--no-verify")
    assert (ended.code, ended.out) == (0, "")
    assert "send" not in cli.engine.calls
    assert len(cli.engine.applied) == 7


def test_everything_is_validated_before_anything_is_touched(cli: Cli) -> None:
    cli.engine.fails["dry run"] = InputError("no", [Problem("bad", file="f.yaml", line=3)])
    ended = cli("up")
    assert ended.code == 2
    assert cli.engine.calls == ["dry run"]
    assert "f.yaml:3: bad" in ended.err


def test_a_wrong_mesh_is_exit_1(cli: Cli) -> None:
    cli.engine.replies = lambda count: iter([Reply(200, "v1")] * count)
    ended = cli("up")
    assert ended.code == 1
    assert "FAILED verify   v2=100% not met (" in ended.err


def test_a_check_of_the_installation_that_fails_ends_it(cli: Cli) -> None:
    cli.engine.checks = [Check("Envoy runs", ok=False, detail="no binary", hint="install it")]
    ended = cli("up")
    assert ended.code == 3
    assert "no binary" in ended.err
    assert "install it" in ended.err
    assert not cli.engine.applied


def test_the_options_for_istioctl_are_passed_through(cli: Cli) -> None:
    cli("up", "--no-verify", "--istio-profile", "demo", "--istio-set", "a=b", "--istio-file", "f")
    assert (cli.engine.options.profile, cli.engine.options.settings) == ("demo", ("a=b",))
    assert cli.engine.options.files == ("f",)


def test_requests_are_for_the_demonstrations_too(cli: Cli) -> None:
    document = cli("up", "--requests", "10", "-o", "json").json
    assert document["requests"] == 10
    assert {item["total"] for item in document["splits"]} == {10}


def test_one_is_counted_as_one(cli: Cli) -> None:
    assert "http://app/env/version, 1 answer in " in cli("up", "--requests", "1").out


def test_without_sidecars_the_promise_is_another_one(cli: Cli) -> None:
    ended = cli("up", "--injection", "none")
    assert ended.code == 0
    assert "v1=50%,v2=50%" in ended.out
    assert "has no sidecar" in ended.err


def test_warnings_and_notes_come_once(cli: Cli) -> None:
    cli.engine.warns = Applied((), (Problem("no subset", code="IST0101"),), ("probes do nothing",))
    ended = cli("up")
    assert ended.err.count("IST0101") == 1
    assert ended.err.count("probes do nothing") == 1


CLIENT = ("Service default/testclient", "Deployment default/testclient")
OWN = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
"""


WEB_RULE = """---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec: {hosts: [web], http: [{route: [{destination: {host: web, subset: v1}}]}]}
"""


def test_your_own_objects_take_the_walkthroughs_place(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(OWN)
    ended = cli("up", "-f", str(tmp_path))
    assert ended.code == 0
    assert "kube-inject, 1 workload" in ended.err
    assert {item.title for item in cli.engine.objects()} == {"Service default/web", *CLIENT}
    assert "not verified" in ended.err
    assert "meshdemo verify" in ended.err
    assert "--url http://web/ --expect" in ended.err
    assert "send" not in cli.engine.calls


@pytest.mark.parametrize("injection", ["kube-inject", "auto"])
def test_a_test_client_joins_your_objects_if_they_have_none(
    cli: Cli, tmp_path: Path, injection: str
) -> None:
    (tmp_path / "own.yaml").write_text(OWN)
    argv = ("up", "-f", str(tmp_path), "--injection", injection)
    said = "note: testclient is the walkthrough's test client, added because you have none\n"
    assert said in cli(*argv).err
    assert [pod.ready for pod in cli.engine.pods()] == ["2/2"]
    assert said not in cli(*argv).err
    assert cli("down").code == 0
    assert not cli.engine.applied


@pytest.mark.parametrize(
    ("name", "labels"), [("testclient", "{a: b}"), ("curl", "{app: testclient}")], ids=str
)
def test_a_test_client_of_your_own_is_the_only_one(
    cli: Cli, tmp_path: Path, name: str, labels: str
) -> None:
    client = f"""---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  selector: {{matchLabels: {labels}}}
  template:
    metadata: {{labels: {labels}}}
    spec: {{containers: [{{name: curl, image: zze326/test-tools}}]}}
"""
    both, apart = tmp_path / "both.yaml", tmp_path / "apart.yaml"
    both.write_text(OWN + client)
    apart.write_text(OWN)
    for file in (both, apart):
        assert "added because" not in cli("up", "-f", str(file)).err
    assert [item.name for item in cli.engine.objects() if item.kind == "Deployment"] == [name]


def test_a_dry_run_prints_a_script_and_opens_no_engine(cli: Cli) -> None:
    ended = cli("up", "--dry-run", "--context", "kind", "-n", "blue", "--istio-profile", "demo")
    assert ended.code == 0
    assert cli.choice is None
    lines = ended.out.splitlines()
    assert lines[0] == "#!/bin/sh"
    install = "istioctl install -y --context kind --set profile=demo --readiness-timeout 300s"
    there = "kubectl --context kind get deployments -A -l app=istiod -o name"
    assert f"{there} | grep . || {install}" in lines
    kubectl = "kubectl --context kind"
    assert f"{kubectl} get namespace blue || {kubectl} create namespace blue" in lines
    assert (
        "istioctl kube-inject --context kind --namespace blue -f app-istio.yaml"
        " > app-istio.injected.yaml" in lines
    )
    assert "kubectl --context kind -n blue apply -f app-default-vs-v2.yaml" in lines


@pytest.mark.parametrize("how", ["environment", "recorded run"])
@pytest.mark.parametrize("option", ["--dry-run", "--explain"])
def test_a_script_is_for_the_cluster_that_the_run_would_be_for(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, how: str, option: str
) -> None:
    if how == "environment":
        monkeypatch.setenv("MESHDEMO_CONTEXT", "kind")
    else:
        cli.state.mkdir()
        (cli.state / "run.json").write_text('{"engine": "cluster", "context": "kind"}')
    ended = cli("up", option)
    assert ended.code == 0
    lines = [line.removeprefix("  $ ") for line in (ended.out + ended.err).splitlines()]
    assert "kubectl --context kind apply -f app-default-vs-v2.yaml" in lines


def test_a_script_never_writes_two_files_into_one_nor_over_yours(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = ["a/app.yaml", "c/app.yml", "app.injected.yaml"]
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(OWN.replace("name: web", f"name: web{len(file)}"))
    script = cli("up", "--dry-run", "-f", "a", "-f", "c/app.yml", "-f", files[2]).out
    written = [line.partition(" > ")[2] for line in script.splitlines() if " > " in line]
    assert written == [
        "app.injected.2.yaml",
        "app.injected.3.yaml",
        "app.injected.injected.yaml",
        "test-client.injected.yaml",
    ]
    assert [line.split()[-1] for line in script.splitlines() if "apply -f" in line] == written


def test_a_script_of_files_that_are_not_there_is_bad_input(cli: Cli, tmp_path: Path) -> None:
    ended = cli("up", "--dry-run", "-f", str(tmp_path / "no"), "-f", str(tmp_path))
    assert ended.code == 2
    assert f"{tmp_path / 'no'}: cannot be read: No such file or directory" in ended.err
    assert f"{tmp_path}: no .yaml" in ended.err


@pytest.mark.parametrize("injection", ["kube-inject", "auto", "none"])
def test_each_injection_has_its_script(cli: Cli, injection: str) -> None:
    script = cli("up", "--dry-run", "--injection", injection).out
    assert ("istioctl kube-inject" in script) == (injection == "kube-inject")
    assert ("meshdemo inject --engine local -f" in script) == (injection == "auto")


def test_the_script_of_auto_labels_the_pods_as_up_does(cli: Cli, tmp_path: Path) -> None:
    script = cli("up", "--dry-run", "--injection", "auto").out
    line = next(line for line in script.splitlines() if line.startswith("meshdemo inject"))
    assert cli("manifests", str(tmp_path)).code == 0
    command = shlex.split(line.partition(" > ")[0])[1:-1]
    injected = cli(*command, str(tmp_path / "app-istio.yaml")).out
    (tmp_path / "injected.yaml").write_text(injected)
    assert cli("deploy", "-f", str(tmp_path / "injected.yaml"), "--injection", "auto").code == 0
    assert [pod.injected for pod in cli.engine.pods()] == [True, True]


def test_auto_labels_the_walkthroughs_pods(cli: Cli) -> None:
    cli("up", "--injection", "auto", "--no-verify")
    assert all(pod.injected for pod in cli.engine.pods())


def test_explain_prints_what_a_person_would_type(cli: Cli) -> None:
    ended = cli("up", "--explain")
    assert "  $ kubectl apply -f app-default-vs-v2.yaml" in ended.err.splitlines()


@pytest.mark.parametrize(("injection", "count"), [("auto", 459), ("none", 1000)])
def test_what_is_explained_is_what_a_person_would_type_who_does_not_look_in_between(
    cli: Cli, injection: str, count: int
) -> None:
    ended = cli("up", "--explain", "--injection", injection, "-o", "json")
    assert f"seq {count}" in ended.err
