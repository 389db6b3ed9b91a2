"""install, deploy, inject, route: the workshop's order."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from meshdemo.engines.results import Check
from meshdemo.errors import InputError, Problem
from meshdemo.walkthrough.deploy import readiness

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli

RIVAL = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: other}
spec: {hosts: [app.default.svc.cluster.local], http: [{route: [{destination: {host: app}}]}]}
"""
V1_ALONE = """
apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata: {name: app}
spec: {host: app, subsets: [{name: v1, labels: {version: v1}}]}
"""


def test_install_reports_its_checks(cli: Cli) -> None:
    ended = cli("install", "--profile", "demo", "--set", "a=b", "-f", "file")
    assert (ended.code, ended.out) == (0, "ok Envoy runs\n")
    assert cli.engine.options.files == ("file",)


def test_install_fails_with_a_check_that_fails(cli: Cli) -> None:
    cli.engine.checks = [Check("Envoy runs", ok=False, hint="do this")]
    ended = cli("install")
    assert ended.code == 3
    assert "do this" in ended.out


def test_deploy_applies_as_it_is_and_says_what_comes_next(cli: Cli) -> None:
    ended = cli("deploy")
    assert ended.code == 0
    assert "deployment/app-v1 created" in ended.out
    assert {pod.ready for pod in cli.engine.pods()} == {"1/1"}
    assert "next: meshdemo inject" in ended.out


def test_many_pods_of_a_workload_are_not_shown_as_one(deployed: Cli) -> None:
    pods = [
        replace(pod, name=f"{pod.name}-{n}") for n in range(10) for pod in deployed.engine.pods()
    ]
    pods[0] = replace(pods[0], containers=(replace(pods[0].containers[0], ready=False),))
    said = "app-v1 0/1, app-v1 1/1 (9 pods), app-v2 1/1 (10 pods), testclient 1/1 (10 pods)"
    assert readiness(pods) == said


def test_deploy_into_rules_that_are_in_force_leads_to_verify(meshed: Cli) -> None:
    assert "next: meshdemo verify" in meshed("deploy").out
    assert meshed("route", "--clear").code == 0
    assert "(sends all traffic to v2)" in meshed("deploy").out


def test_inject_says_what_it_added(deployed: Cli) -> None:
    ended = deployed("inject")
    assert ended.code == 0
    assert ended.out.count("+ init container istio-init, image envoy") == 3
    assert ended.out.count("+ container istio-proxy, image envoy") == 3
    assert {pod.ready for pod in deployed.engine.pods()} == {"2/2"}


def test_inject_again_adds_nothing(meshed: Cli) -> None:
    assert meshed("inject").out.count("nothing to add") == 3


def test_inject_by_the_webhook_labels_what_the_walkthrough_deployed(deployed: Cli) -> None:
    ended = deployed("inject", "--injection", "auto", "-o", "json")
    assert {pod["ready"] for pod in ended.json["pods"]} == {"2/2"}


def own(folder: Path, labels: str = "", pod: str = "") -> str:
    """Write a Deployment of the user's."""
    file = folder / "web.yaml"
    file.write_text(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n"
        f"spec: {{template: {{metadata: {{labels: {{app: web, {labels}}}}},"
        f" spec: {{{pod} containers: [{{name: web, image: meshdemo/echo}}]}}}}}}\n"
    )
    return str(file)


@pytest.mark.parametrize(
    ("labels", "pod", "reason"),
    [
        ("", "", "web: no label on its pods asks for one"),
        ("istio.io/rev: canary", "", "acted on its label istio.io/rev: canary"),
        ("", "hostNetwork: true,", "a pod on its node's own network gets none"),
    ],
    ids=["no label", "no such revision", "host network"],
)
def test_an_inject_that_gives_no_pod_a_sidecar_fails_with_the_reason(
    cli: Cli, tmp_path: Path, labels: str, pod: str, reason: str
) -> None:
    assert cli("deploy", "-f", own(tmp_path, labels, pod)).code == 0
    ended = cli("inject", "--injection", "auto")
    assert ended.code == 3
    assert "no pod got a sidecar" in ended.err
    assert reason in ended.err
    assert 'sidecar.istio.io/inject: "true"' in ended.err


@pytest.mark.parametrize(
    "wish",
    [
        'sidecar.istio.io/inject: "false"',
        'a: b}, annotations: {sidecar.istio.io/inject: "false"',
    ],
    ids=["label", "annotation"],
)
def test_who_wants_no_sidecar_is_left_alone(cli: Cli, tmp_path: Path, wish: str) -> None:
    wanted = own(tmp_path, wish)
    assert cli("deploy", "-f", wanted).code == 0
    ended = cli("inject", "--injection", "auto")
    assert ended.code == 0
    assert "has no sidecar" not in ended.err


@pytest.mark.parametrize("command", ["inject", "deploy", "up"])
def test_one_that_got_no_sidecar_beside_others_is_named(
    deployed: Cli, tmp_path: Path, command: str
) -> None:
    file = own(tmp_path)
    assert deployed("deploy", "-f", file).code == 0
    more = () if command == "inject" else ("-f", file)
    ended = deployed(command, *more, "--injection", "auto", "-o", "json")
    assert ended.code == 0
    said = [item["message"] for item in ended.json["warnings"]]
    assert any(text.startswith("web has no sidecar: no label on its pods") for text in said)


def test_inject_with_nothing_deployed_says_what_to_type(cli: Cli) -> None:
    ended = cli("inject")
    assert ended.code == 3
    assert "meshdemo deploy" in ended.err


def test_deploy_keeps_what_was_injected(meshed: Cli) -> None:
    assert meshed("deploy").code == 0
    assert all(pod.injected for pod in meshed.engine.pods())
    assert meshed("deploy", "--injection", "none").code == 0
    assert not any(pod.injected for pod in meshed.engine.pods())


def test_inject_writes_yaml_that_deploy_takes(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli("manifests", str(tmp_path)).code == 0
    ended = cli("inject", "-f", str(tmp_path / "app-istio.yaml"))
    assert ended.code == 0
    assert not cli.engine.applied
    assert "namespace:" not in ended.out
    stdin = io.TextIOWrapper(io.BytesIO(ended.out.encode()))
    monkeypatch.setattr("sys.stdin", stdin)
    assert cli("deploy", "-f", "-").code == 0
    assert {pod.ready for pod in cli.engine.pods()} == {"2/2"}


def test_route_to_one_version_is_the_articles_object(meshed: Cli) -> None:
    ended = meshed("route", "v2")
    assert ended.code == 0
    assert "virtualservice/app-default-v2 unchanged" in ended.out
    assert "live in the data plane after" in ended.out


@pytest.mark.parametrize("split", [("v1=90", "v2=10"), ("v1=90%,v2=10%",), ("v1=9", "v2=1")])
def test_a_split_is_always_the_same_object(meshed: Cli, split: tuple[str, ...]) -> None:
    assert meshed("route", *split).code == 0
    rules = [item for item in meshed.engine.objects() if item.kind == "VirtualService"]
    assert [item.name for item in rules] == ["app-default-v2"]
    weights = [way["weight"] for way in rules[0].spec["http"][0]["route"]]
    assert weights[0] == 9 * weights[1]


def test_route_and_up_end_in_the_same_rules(deployed: Cli) -> None:
    assert deployed("inject").code == 0
    assert deployed("route", "v2").code == 0
    changes = deployed("up", "--no-verify", "-o", "json").json["changes"]
    assert {change["action"] for change in changes} == {"unchanged"}


def test_route_adds_the_subsets_that_it_needs(meshed: Cli, tmp_path: Path) -> None:
    (tmp_path / "subset.yaml").write_text(V1_ALONE)
    assert meshed("route", "-f", str(tmp_path)).code == 0
    assert meshed("route", "v1").code == 0
    assert subsets(meshed) == ["v1"]
    assert meshed("route", "v2").code == 0
    assert subsets(meshed) == ["v1", "v2"]


def subsets(cli: Cli) -> list[str]:
    rule = next(item for item in cli.engine.objects() if item.kind == "DestinationRule")
    return [subset["name"] for subset in rule.spec["subsets"]]


def test_route_warns_of_a_client_without_sidecar(deployed: Cli) -> None:
    ended = deployed("route", "v2")
    assert ended.code == 0
    assert "has no sidecar" in ended.err


@pytest.mark.parametrize(
    ("argv", "broken", "code"),
    [
        (("deploy",), "app-v1", 3),
        (("inject",), "app-v1", 3),
        (("up", "--no-verify"), "app-v1", 3),
        (("route", "v2"), "app-v2", 3),
        (("route", "v1=50", "v2=50"), "app-v1", 3),
        (("route", "v2"), "testclient", 3),
        (("route", "v2"), "app-v1", 0),
        (("route", "v1=0", "v2=100"), "app-v1", 0),
    ],
    ids=str,
)
def test_nothing_is_done_while_a_pod_that_it_is_about_is_not_ready(
    meshed: Cli, argv: tuple[str, ...], broken: str, code: int
) -> None:
    meshed.engine.broken_pod = broken
    ended = meshed(*argv, "--timeout", "50ms")
    assert ended.code == code
    assert (f"{broken}-abc is 1/2: it crashed" in ended.err) is (code == 3)


@pytest.mark.parametrize("argv", [("deploy",), ("inject",), ("route", "v2")], ids=str)
def test_a_pod_that_never_ended_may_be_starting(meshed: Cli, argv: tuple[str, ...]) -> None:
    meshed.engine.slow_pod = "app-v2"
    ended = meshed(*argv, "--timeout", "50ms")
    assert ended.code == 0
    assert "warning: app-v2-abc is 1/2: it starts" in ended.err


@pytest.mark.parametrize(
    "split",
    [("v9",), ("v1=60%", "v2=60%"), ("v1=x",), ("v1=1", "v1=2"), ("v1=-1", "v2=2")],
    ids=str,
)
def test_a_split_that_cannot_be_is_bad_input(meshed: Cli, split: tuple[str, ...]) -> None:
    assert meshed("route", "--", *split).code == 2
    assert "apply" not in meshed.engine.calls


def test_another_rule_for_the_host_is_named(meshed: Cli, tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(RIVAL)
    assert meshed("route", "-f", str(tmp_path / "other.yaml")).code == 0
    ended = meshed("route", "v1")
    assert ended.code == 3
    assert "VirtualService default/other" in ended.err


def test_a_rule_that_is_not_followed_is_not_called_live(meshed: Cli, tmp_path: Path) -> None:
    created = "metadata: {name: other, creationTimestamp: '2001-01-01T00:00:00Z'}"
    file = tmp_path / "other.yaml"
    file.write_text(RIVAL.replace("metadata: {name: other}", created))
    ended = meshed("route", "-f", str(file))
    assert ended.code == 0
    assert (
        "not followed: VirtualService default/other (VirtualService default/app-default-v2 takes"
        in ended.out
    )
    assert "live" not in ended.out
    (found,) = meshed("route", "-f", str(file), "-o", "json").json["overruled"]
    assert "default/other" in found
    assert "0 rules live; not followed: VirtualService" in meshed("up", "-f", str(file)).err


def test_a_rule_for_other_pods_is_not_called_live(meshed: Cli, tmp_path: Path) -> None:
    file = tmp_path / "others.yaml"
    file.write_text("""
apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata: {name: others}
spec: {host: app, workloadSelector: {matchLabels: {app: another}}, subsets: [{name: v1}]}
""")
    ended = meshed("route", "-f", str(file))
    assert (
        "not followed: DestinationRule default/others (its workloadSelector selects other"
        in ended.out
    )
    assert "live" not in ended.out


@pytest.mark.parametrize(
    ("born", "more", "code"),
    [
        ("2026-01-02T00:00:00Z", "", 0),
        ("2025-12-31T00:00:00Z", "", 3),
        ("2026-01-02T00:00:00Z", "exportTo: [default]", 3),
    ],
    ids=["younger", "older", "meant for here"],
)
def test_a_rule_of_another_namespace_is_a_rival_where_it_wins(
    meshed: Cli, tmp_path: Path, born: str, more: str, code: int
) -> None:
    other = RIVAL.replace("name: other", f"name: other, namespace: blue, creationTimestamp: {born}")
    (tmp_path / "other.yaml").write_text(
        other.replace("spec: {", f"spec: {{{more}, " if more else "spec: {")
    )
    assert meshed("route", "-f", str(tmp_path / "other.yaml")).code == 0
    (ours,) = (i for i in meshed.engine.applied.values() if i.name == "app-default-v2")
    ours.metadata["creationTimestamp"] = "2026-01-01T00:00:00Z"
    ended = meshed("route", "v2")
    assert ended.code == code
    assert ("ask who made it" in ended.err) is bool(code)


@pytest.mark.parametrize(
    ("host", "rivals"), [("app", True), ("app.default.svc.cluster.local", True),
                         ("App.default.svc.cluster.local", True), ("app.default", False),
                         ("app.blue.svc.cluster.local", False)],
)  # fmt: skip
def test_a_rival_is_a_rule_for_the_host_as_istio_reads_it(
    meshed: Cli, tmp_path: Path, host: str, *, rivals: bool
) -> None:
    other = RIVAL.replace("app.default.svc.cluster.local", host)
    (tmp_path / "other.yaml").write_text(other)
    assert meshed("route", "-f", str(tmp_path / "other.yaml")).code == 0
    assert meshed("route", "v1").code == (3 if rivals else 0)


def test_route_without_pods_says_what_to_type(cli: Cli) -> None:
    ended = cli("route", "v2")
    assert ended.code == 3
    assert "meshdemo up" in ended.err


def test_route_takes_only_rules(meshed: Cli, tmp_path: Path) -> None:
    assert meshed("manifests", str(tmp_path)).code == 0
    ended = meshed("route", "-f", str(tmp_path / "app-istio.yaml"))
    assert ended.code == 2
    assert "app-istio.yaml:2: Service default/app: it is not a traffic rule" in ended.err


def test_what_is_not_a_rule_hides_no_problem_of_the_rules(meshed: Cli, tmp_path: Path) -> None:
    assert meshed("manifests", str(tmp_path)).code == 0
    meshed.engine.fails["dry run"] = InputError("no", [Problem("bad", file="rule", line=3)])
    ended = meshed("route", "-f", str(tmp_path))
    assert ended.code == 2
    assert "it is not a traffic rule" in ended.err
    assert "rule:3: bad" in ended.err


@pytest.mark.parametrize("command", ["up", "deploy", "route"])
def test_what_the_analyzer_finds_odd_about_the_users_own_objects_is_a_warning(
    command: str, meshed: Cli, tmp_path: Path
) -> None:
    (tmp_path / "mine.yaml").write_text(V1_ALONE)
    document = meshed(command, "-f", str(tmp_path), "-o", "json").json
    assert [(w["code"], w["line"]) for w in document["warnings"]] == [("IST0999", 2)]


@pytest.mark.parametrize("argv", [("up",), ("deploy",), ("route", "v2")], ids=str)
def test_the_walkthroughs_own_objects_are_not_analyzed(argv: tuple[str, ...], meshed: Cli) -> None:
    assert meshed(*argv).code == 0
    assert "analyze" not in meshed.engine.calls


def test_clear_removes_the_virtual_service_first(meshed: Cli) -> None:
    ended = meshed("route", "--clear")
    assert ended.code == 0
    assert ended.out.splitlines()[:2] == [
        "virtualservice/app-default-v2 deleted",
        "destinationrule/app deleted",
    ]
    assert meshed("route", "--clear").code == 0


def test_clear_says_which_rules_stay_and_whose_they_are(meshed: Cli) -> None:
    meshed.engine.foreign["app"] = "managed by kubectl"
    ended = meshed("route", "--clear")
    assert ended.code == 0
    assert "destinationrule/app kept (managed by kubectl)" in ended.out
    assert "warning: DestinationRule default/app stays" in ended.err
    assert "kubectl delete destinationrule app -n default" in ended.err
    document = meshed("route", "--clear", "-o", "json").json
    (change,) = document["changes"]
    assert (change["action"], change["reason"]) == ("kept", "managed by kubectl")
    assert "managed by kubectl" in document["warnings"][0]["message"]


@pytest.mark.parametrize("argv", [(), ("v2", "--clear"), ("v2", "-f", "x")], ids=str)
def test_route_wants_one_thing(meshed: Cli, argv: tuple[str, ...]) -> None:
    assert meshed("route", *argv).code == 2


def test_manifests_are_never_written_over_a_changed_file(cli: Cli, tmp_path: Path) -> None:
    assert cli("manifests", str(tmp_path / "m")).code == 0
    assert "unchanged" in cli("manifests", str(tmp_path / "m")).out
    changed = tmp_path / "m" / "test-client.yaml"
    changed.write_text("mine")
    (tmp_path / "m" / "app-istio.yaml").unlink()
    ended = cli("manifests", str(tmp_path / "m"))
    assert ended.code == 3
    assert "test-client.yaml" in ended.err
    assert changed.read_text() == "mine"
    assert not (tmp_path / "m" / "app-istio.yaml").exists()


def test_where_there_is_nothing_to_clear_it_is_said(cli: Cli) -> None:
    ended = cli("route", "--clear")
    assert ended.code == 0
    assert "no rules in namespace default" in ended.err
    assert ended.out == "there are no rules, so nothing was removed\n"


@pytest.mark.parametrize("given", ["", "stable"])
def test_a_revision_that_was_taken_before_is_taken_again_unless_another_is_named(
    cli: Cli, given: str
) -> None:
    cli.engine.taken_revision = "canary"
    wanted = given or "canary"
    assert cli("up", "--no-verify", *(("--revision", given) if given else ())).code == 0
    assert (cli.engine.options.revision, cli.engine.asked_revision) == (wanted, wanted)


def test_workloads_of_another_namespace_are_told_too(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "elsewhere.yaml"
    file.write_text("""
apiVersion: apps/v1
kind: Deployment
metadata: {name: far, namespace: elsewhere}
spec: {template: {spec: {containers: [{name: app, image: meshdemo/echo}]}}}
""")
    ended = cli("deploy", "-f", str(file))
    assert "far " in ended.err
    assert "no workloads" not in ended.err
    refused = cli("deploy", "-f", str(file), "-n", "here")
    assert refused.code == 2
    assert "leave out -n" in refused.err
