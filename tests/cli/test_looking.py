"""status, doctor, logs, exec, shell, down, version, proxy-url."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from meshdemo import __version__
from meshdemo.engines.results import Check, MeshStatus
from meshdemo.errors import EnvironmentFailed, TimedOut

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli


def test_status_lists_pods_and_rules(meshed: Cli) -> None:
    ended = meshed("status")
    assert ended.code == 0
    assert ended.out.splitlines()[0].split() == ["NAME", "READY", "STATUS", "RESTARTS", "ADDRESSES"]
    assert "app-v1-abc       2/2     Running   0" in ended.out
    assert "SERVICE      PORTS     PODS   VERSIONS" in ended.out
    assert "app          http 80   2      v1 1, v2 1" in ended.out
    assert "VirtualService default/app-default-v2   hosts app; to v2" in ended.out


def test_wide_status_lists_containers_and_images(meshed: Cli) -> None:
    shown = meshed("status", "-o", "wide").out
    assert "istio-init" in shown
    assert "dustise/flaskapp" in shown


def test_status_of_a_broken_pod_is_3_and_says_what_is_wrong(meshed: Cli) -> None:
    meshed.engine.broken_pod = "app-v1"
    ended = meshed("status")
    assert ended.code == 3
    assert "app-v1-abc: it crashed" in ended.out


def test_status_marks_pods_that_others_made_and_they_do_not_decide(meshed: Cli) -> None:
    meshed.engine.broken_pod = "app-v1"
    meshed.engine.foreign["app-v1"] = "managed by kubectl"
    ended = meshed("status")
    assert ended.code == 0
    rows = {line.split()[0]: line.split()[-1] for line in ended.out.splitlines()[:4]}
    assert rows.pop("app-v1-abc") == "others"
    assert rows == {"NAME": "BY", "app-v2-abc": "meshdemo", "testclient-abc": "meshdemo"}
    assert "app-v1-abc (of others): it crashed" in ended.out
    pods = meshed("status", "-o", "json").json["pods"]
    assert [pod["name"] for pod in pods if pod["ofOthers"]] == ["app-v1-abc"]


def test_status_of_a_mesh_that_others_made_is_about_all_of_it(meshed: Cli) -> None:
    meshed.engine.foreign |= dict.fromkeys(("app-v1", "app-v2", "testclient"), "managed by helm")
    assert meshed("status").code == 0
    meshed.engine.broken_pod = "app-v1"
    ended = meshed("status")
    assert ended.code == 3
    assert "MADE BY" not in ended.out


def test_status_says_of_a_rule_that_is_not_followed_which_one_is(
    meshed: Cli, tmp_path: Path
) -> None:
    file = tmp_path / "late.yaml"
    file.write_text(
        "{apiVersion: networking.istio.io/v1, kind: VirtualService,"
        " metadata: {name: late, creationTimestamp: '2001-01-01T00:00:00Z'},"
        " spec: {hosts: [app], http: [{route: [{destination: {host: app}}]}]}}"
    )
    assert meshed("route", "-f", str(file)).code == 0
    said = "VirtualService default/late   VirtualService default/app-default-v2 takes precedence"
    _, _, idle = meshed("status").out.partition("rules that do not act:\n")
    assert idle.strip() == said
    rules = {rule["name"]: rule for rule in meshed("status", "-o", "json").json["rules"]}
    assert [rules[name]["inForce"] for name in ("late", "app-default-v2")] == [False, True]
    assert rules["late"]["overruledBy"] == ["VirtualService default/app-default-v2"]
    assert rules["app-default-v2"]["overruledBy"] == []


def test_status_is_about_one_namespace(meshed: Cli) -> None:
    assert meshed("deploy", "-n", "blue").code == 0
    ended = meshed("status", "-n", "blue")
    assert ended.out.count("-abc") == 3
    assert "rules in force: none" in ended.out
    assert "3 pods more: -n default\n" in ended.err
    assert {
        pod["namespace"] for pod in meshed("status", "-o", "json", "-n", "blue").json["pods"]
    } == {"blue"}


ELSEWHERE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: theirs, namespace: blue}
spec: {hosts: [HOST], http: [{route: [{destination: {host: app.blue.svc.cluster.local}}]}]}
"""


@pytest.mark.parametrize(
    ("host", "shown"), [("app.default.svc.cluster.local", True), ("app", False)], ids=str
)
def test_status_shows_rules_of_other_namespaces_that_hold_here(
    meshed: Cli, tmp_path: Path, host: str, *, shown: bool
) -> None:
    (tmp_path / "theirs.yaml").write_text(ELSEWHERE.replace("HOST", host))
    assert meshed("route", "-f", str(tmp_path)).code == 0
    assert ("VirtualService blue/theirs" in meshed("status").out) is shown


def test_status_of_nothing_is_3(cli: Cli) -> None:
    ended = cli("status", "-o", "json")
    assert (ended.code, ended.json["pods"], ended.json["ok"]) == (3, [], False)


@pytest.mark.parametrize(("command", "call"), [("status", "pods"), ("doctor", "check")])
def test_what_only_looks_is_never_inconclusive(cli: Cli, command: str, call: str) -> None:
    cli.engine.fails[call] = TimedOut("too slow")
    assert cli(command).code == 3


def test_doctor_is_3_with_a_hint(cli: Cli) -> None:
    assert cli("doctor").code == 0
    cli.engine.checks.append(Check("Envoy is there", ok=False, detail="no", hint="get one"))
    ended = cli("doctor")
    assert ended.code == 3
    assert "FAILED Envoy is there: no\n    get one" in ended.out


@pytest.mark.parametrize(
    ("argv", "wanted"),
    [
        (("app-v1",), ["app of app-v1 False -1"]),
        (("deploy/app-v1",), ["app of app-v1 False -1"]),
        (("deployment/app-v1",), ["app of app-v1 False -1"]),
        (("pod/app-v1-abc",), ["app of app-v1 False -1"]),
        (("app-v1-abc", "-c", "istio-proxy"), ["istio-proxy of app-v1 False -1"]),
        (("testclient", "-c", "app", "--tail", "5"), ["test-tools of testclient False 5"]),
        (("app-v2", "-f"), ["app of app-v2 True -1"]),
        (("app-v2", "--access"), ["access log of app-v2 False -1"]),
    ],
    ids=str,
)
def test_logs_of_a_pod(meshed: Cli, argv: tuple[str, ...], wanted: list[str]) -> None:
    ended = meshed("logs", *argv)
    assert (ended.code, ended.out.splitlines()) == (0, wanted)


def test_logs_without_a_pod_name_each_pod(meshed: Cli) -> None:
    lines = meshed("logs", "-o", "json").json["lines"]
    assert lines[0] == "[app-v1-abc] app of app-v1 False -1"
    assert len(lines) == 3


def test_logs_follow_every_pod_side_by_side(meshed: Cli) -> None:
    ended = meshed("logs", "-f")
    assert ended.code == 0
    assert sorted(ended.out.splitlines()) == [
        "[app-v1-abc] app of app-v1 True -1",
        "[app-v2-abc] app of app-v2 True -1",
        "[testclient-abc] test-tools of testclient True -1",
    ]


def test_a_log_that_cannot_be_followed_ends_the_others(meshed: Cli) -> None:
    meshed.engine.fails["logs"] = EnvironmentFailed("it is gone")
    ended = meshed("logs", "-f")
    assert ended.code == 3
    assert "it is gone" in ended.err


@pytest.mark.parametrize(
    ("argv", "code"),
    [(("moon",), 3), (("deploy/moon",), 3), (("deploy/",), 3), (("pod/app-v1",), 3),
     (("svc/app-v1",), 3), (("app-v1", "-c", "moon"), 3), (("-c", "moon"), 3),
     (("-f", "-o", "json"), 2)],
    ids=str,
)  # fmt: skip
def test_logs_of_what_is_not_there(meshed: Cli, argv: tuple[str, ...], code: int) -> None:
    assert meshed("logs", *argv).code == code


@pytest.mark.parametrize("argv", [("app-v1",), ()], ids=["one", "all"])
def test_without_a_sidecar_there_is_no_access_log(cli: Cli, argv: tuple[str, ...]) -> None:
    assert cli("up", "--no-verify", "--injection", "none").code == 0
    ended = cli("logs", "--access", *argv)
    assert ended.code == 3
    assert "only a sidecar writes an access log" in ended.err
    assert "meshdemo inject" in ended.err


@pytest.mark.parametrize("status", [0, 1, 42])
def test_exec_passes_the_commands_status_through(meshed: Cli, status: int) -> None:
    meshed.engine.exit_status = status
    assert meshed("exec", "--", "curl", "-s", "http://app/").code == status
    assert meshed.engine.calls == ["exec curl -s http://app/"]


def test_exec_leaves_the_commands_own_options_alone(meshed: Cli) -> None:
    assert meshed("exec", "-q", "curl", "-o", "/dev/null", "-v").code == 0
    assert meshed.engine.calls == ["exec curl -o /dev/null -v"]


def test_exec_wants_a_command(meshed: Cli) -> None:
    assert meshed("exec").code == 2


def test_shell_is_an_exec_without_a_command(meshed: Cli) -> None:
    assert meshed("shell").code == 0
    assert meshed.engine.calls == ["exec"]
    assert meshed("shell", "-o", "json").json["exitCode"] == 2


def test_down_proves_that_nothing_is_left(meshed: Cli) -> None:
    ended = meshed("down")
    assert (ended.code, ended.out) == (0, "ok no process is left\nnothing of ours is left\n")
    meshed("down", "--all")
    assert meshed.engine.calls[-1] == "down --all"


@pytest.mark.parametrize(("late", "code"), [(False, 3), (True, 4)])
def test_down_that_leaves_something_is_3_or_4_for_want_of_time(
    meshed: Cli, late: bool, code: int
) -> None:
    hint = "Run `meshdemo down` again."
    left = (Check(name, ok=False, hint=hint, late=late) for name in ("no port", "no file"))
    meshed.engine.left += left
    ended = meshed("down")
    assert ended.code == code
    assert ended.out.count("again.") == 1
    meshed.engine.left.append(Check("no pod", ok=False))
    assert meshed("down").code == 3


@pytest.mark.parametrize("command", ["doctor", "install", "down"])
def test_a_check_that_passes_gives_no_hint(meshed: Cli, command: str) -> None:
    checks = [Check("well", ok=True, hint="do this"), Check("ill", ok=False, hint="do that")]
    meshed.engine.checks = meshed.engine.left = checks
    assert [check["hint"] for check in meshed(command, "-o", "json").json["checks"]] == [
        None,
        "do that",
    ]
    assert "do this" not in meshed(command).out


def test_proxy_url_is_alone_on_stdout(meshed: Cli) -> None:
    assert meshed("proxy-url").out == "http://127.0.0.1:15001\n"


def test_version_is_that_of_each_part(cli: Cli) -> None:
    ours, envoy, python = cli("version").out.splitlines()
    document = cli("version", "-o", "json").json
    assert ours == f"meshdemo {document['version']}" == f"meshdemo {__version__}"
    assert envoy.startswith(f"Envoy {document['envoy']['version']} ({document['envoy']['path']}, ")
    assert python == f"Python {document['python']}"


def test_version_needs_no_envoy(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "envoy", None)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("MESHDEMO_ENVOY", raising=False)
    ended = cli("version")
    assert (ended.code, ended.out.splitlines()[1]) == (0, "Envoy not found")
    assert cli("version", "-o", "json").json["envoy"] is None


def test_what_is_around_is_told_by_status(meshed: Cli) -> None:
    down = Check("istiod is well", ok=False, detail="0 of 1 available", hint="kubectl describe")
    meshed.engine.around = MeshStatus((down,), ("Deployment app-v3",))
    ended = meshed("status")
    assert ended.code == 3
    assert "Deployment app-v3 has no pods: it is scaled to 0" in ended.out
    assert "istiod is well: 0 of 1 available. kubectl describe" in ended.out
    document = meshed("status", "-o", "json").json
    assert (document["ok"], document["withoutPods"]) == (False, ["Deployment app-v3"])


@pytest.mark.parametrize("command", ["status", "verify", "logs", "route v2"])
def test_a_namespace_that_is_not_there_is_said_so(cli: Cli, command: str) -> None:
    cli.engine.around = MeshStatus(trouble="there is no namespace shop")
    ended = cli(*command.split())
    assert ended.code == 3
    assert "there is no namespace shop" in ended.out + ended.err
