"""get, describe and delete, in kubectl's words."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
import yaml
from tests.objects import made

from meshdemo.errors import TimedOut
from meshdemo.report.resources import age

if TYPE_CHECKING:
    from tests.cli.conftest import Cli

RULE = 'virtualservice.networking.istio.io "app-default-v2" deleted\n'


@pytest.mark.parametrize(
    ("argv", "header", "row"),
    [
        ("pods", "NAME READY STATUS RESTARTS AGE", "app-v1-abc 2/2 Running 0 <unknown>"),
        ("po -o wide", "NAME READY STATUS RESTARTS AGE ADDRESSES",
         "app-v1-abc 2/2 Running 0 <unknown> 127.0.0.1:1"),
        ("svc", "NAME TYPE CLUSTER-IP EXTERNAL-IP PORT(S) AGE",
         "app ClusterIP <none> <none> 80/TCP <unknown>"),
        ("services app -o wide", "NAME TYPE CLUSTER-IP EXTERNAL-IP PORT(S) AGE SELECTOR",
         "app ClusterIP <none> <none> 80/TCP <unknown> app=app"),
        ("deploy", "NAME READY UP-TO-DATE AVAILABLE AGE", "app-v1 1/1 1 1 <unknown>"),
        ("deploy/app-v1 -o wide", "NAME READY UP-TO-DATE AVAILABLE AGE CONTAINERS IMAGES SELECTOR",
         "app-v1 1/1 1 1 <unknown> app dustise/flaskapp app=app,version=v1"),
        ("vs", "NAME GATEWAYS HOSTS AGE", 'app-default-v2 ["app"] <unknown>'),
        ("dr", "NAME HOST AGE", "app app <unknown>"),
        ("dr -A", "NAMESPACE NAME HOST AGE", "default app app <unknown>"),
        ("ns", "NAME STATUS AGE", "default Active <unknown>"),
        ("ns -A", "NAME STATUS AGE", "default Active <unknown>"),
        ("all", "NAME READY STATUS RESTARTS AGE", "pod/app-v1-abc 2/2 Running 0 <unknown>"),
        ("vs,dr app", "NAME HOST AGE", ""),
    ],
    ids=str,
)  # fmt: skip
def test_get_has_kubectls_columns(meshed: Cli, argv: str, header: str, row: str) -> None:
    ended = meshed("get", *argv.split())
    if not row:  # a name is looked for in each kind, as kubectl does
        assert ended.code == 3
        assert 'virtualservices.networking.istio.io "app" not found' in ended.err
        return
    assert ended.code == 0
    lines = [" ".join(line.split()) for line in ended.out.splitlines()]
    assert (lines[0], lines[1]) == (header, row)


def test_several_kinds_are_apart_and_say_which_is_which(meshed: Cli) -> None:
    tables = meshed("get", "all").out.split("\n\n")
    firsts = [table.splitlines()[1].split()[0] for table in tables]
    assert firsts == ["pod/app-v1-abc", "service/app", "deployment.apps/app-v1"]


def test_a_pod_that_crashes_is_said_to_do_so(meshed: Cli) -> None:
    meshed.engine.broken_pod = "app-v1"
    rows = {row[0]: row[2] for row in map(str.split, meshed("get", "pods").out.splitlines())}
    assert (rows["app-v1-abc"], rows["app-v2-abc"]) == ("CrashLoopBackOff", "Running")
    assert "Message:        it crashed" in meshed("describe", "pod", "app-v1").out


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_one_object_is_itself_and_several_are_a_list(meshed: Cli, form: str) -> None:
    (rule,) = (o for o in meshed.engine.objects() if o.kind == "VirtualService")
    rule.metadata["uid"] = "of this mesh alone"
    one = yaml.safe_load(meshed("get", "vs", rule.name, "-o", form).out)
    assert one["spec"] == rule.spec
    assert one["metadata"] == {"name": rule.name, "namespace": "default"}
    several = yaml.safe_load(meshed("get", "vs", "-o", form).out)
    assert several == {
        "apiVersion": "v1", "kind": "List", "items": [one], "metadata": {"resourceVersion": ""}
    }  # fmt: skip
    pod = yaml.safe_load(meshed("get", "pod", "app-v1-abc", "-o", form).out)
    assert pod["spec"]["containers"][0]["image"] == "dustise/flaskapp"
    assert pod["metadata"]["ownerReferences"][0]["name"] == "app-v1"
    assert pod["status"]["containerStatuses"][0]["ready"] is True


def test_names_are_for_other_commands(meshed: Cli) -> None:
    names = meshed("get", "deploy,vs", "-l", "app!=testclient", "-o", "name").out
    assert names.splitlines() == [
        "deployment.apps/app-v1",
        "deployment.apps/app-v2",
        "virtualservice.networking.istio.io/app-default-v2",
    ]
    assert meshed("get", "pods", "-l", "version=v2", "-o", "name").out == "pod/app-v2-abc\n"


def test_namespaces_are_kept_apart(meshed: Cli) -> None:
    assert meshed("deploy", "-n", "blue").code == 0
    assert meshed("get", "vs", "-n", "blue").out == ""
    assert "No resources found in blue namespace." in meshed("get", "vs", "-n", "blue").err
    assert meshed("get", "pods", "-n", "blue", "-o", "name").out.count("pod/") == 3
    assert meshed("get", "pods", "-A", "-o", "name", "-n", "blue").out.count("pod/") == 6
    assert meshed("get", "ns", "-o", "name").out == "namespace/blue\nnamespace/default\n"


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (("get",), 2, "KIND"),
        (("get", "moon"), 2, 'there is no resource type "moon"'),
        (("get", "pdos"), 2, "Did you mean pods?"),
        (("get", "ing"), 2, "The local engine has"),
        (("get", "pods", "-A", "app"), 2, "across all namespaces"),
        (("get", "pods", "app", "-l", "a=b"), 2, "together with a selector"),
        (("get", "pods", "-l", "="), 2, "not a valid label selector"),
        (("get", "pods", "vs/app"), 2, "is not KIND/NAME"),
        (("get", "pods/"), 2, "is not KIND/NAME"),
        (("get", "all/app"), 2, "is not KIND/NAME"),
        (("get", "pod", "app-v1"), 3, "Did you mean app-v1-abc?"),
        (("get", "dr", "ap"), 3, "Did you mean app?"),
        (("get", "dr", "xyz"), 3, "There is app."),
        (("describe", "vs", "nope"), 3, '"nope" not found'),
        (("get", "sa", "nope"), 3, "There are no serviceaccounts here."),
        (("deploy", "-o", "yaml"), 2, "only get has -o yaml"),
        (("describe", "vs", "-o", "wide"), 2, "only status and get has -o wide"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_shown_is_said(
    meshed: Cli, argv: tuple[str, ...], code: int, said: str
) -> None:
    ended = meshed(*argv)
    assert (ended.code, ended.out) == (code, "")
    assert said in ended.err


def test_describe_says_what_a_rule_means(meshed: Cli) -> None:
    ended = meshed("describe", "vs/app-default-v2")
    lines = ended.out.splitlines()
    assert lines[0] == "Name:         app-default-v2"
    assert "Means:        hosts app; to v2" in lines
    assert lines[lines.index("Spec:") + 1 :][:2] == ["  hosts:", "  - app"]
    document = meshed("describe", "vs", "app", "-o", "json").json
    assert document["objects"][0]["summary"] == ["hosts app", "to v2"]


def test_describe_and_status_say_what_a_rule_means_with_its_delegates(meshed: Cli) -> None:
    http = [{"match": [{"uri": {"prefix": "/team"}}], "delegate": {"name": "team"}}]
    own = [{"route": [{"destination": {"host": "app", "subset": "v1"}}]}]
    root = made("VirtualService", "root", "default", hosts=["app"], http=http)
    meshed.engine.apply([root, made("VirtualService", "team", "default", http=own)])
    means = "path starts with /team: v1"
    assert f" hosts app; {means}\n" in meshed("describe", "vs/root").out
    assert " a delegate, for other rules; to v1 of app\n" in meshed("describe", "vs/team").out
    document = meshed("describe", "vs", "root", "-o", "json").json["objects"][0]
    assert document["summary"] == ["hosts app", means]
    assert document["object"]["spec"]["http"] == http
    told = {rule["name"]: rule["summary"] for rule in meshed("status", "-o", "json").json["rules"]}
    assert told["root"] == document["summary"]


def test_describe_shows_the_pods_of_services_and_deployments(meshed: Cli) -> None:
    shown = meshed("describe", "svc", "app").out
    assert "Endpoints:    app-v1-abc 2/2 Running 127.0.0.1:1\n" in shown
    assert "\n              app-v2-abc 2/2 Running" in shown
    shown = meshed("describe", "deploy").out
    assert shown.count("Replicas:     1 desired, 1 ready") == 3


@pytest.mark.parametrize("command", ["get", "describe"])
def test_on_a_cluster_kubectl_shows_objects_and_its_line_is_printed(cli: Cli, command: str) -> None:
    named = ("--context", "kind x", "-n", "blue")
    for argv, line in {
        ("nodes",): "nodes -n blue",
        ("vs", "app"): "vs app -n blue",
        ("po", "-A", "-l", "a in (b)"): "po -A -l 'a in (b)'",
    }.items():
        ended = cli(command, *argv, *named)
        assert (ended.code, ended.out) == (2, "")
        assert f"Type: kubectl --context 'kind x' {command} {line}\n" in ended.err
    assert cli.choice is None  # the cluster was not even asked


def test_a_form_of_output_is_handed_on_to_kubectl(cli: Cli) -> None:
    ended = cli("get", "vs", "-o", "yaml", "--engine", "cluster")
    assert "Type: kubectl get vs -o yaml\n" in ended.err


def test_one_rule_goes_and_the_others_stay(meshed: Cli) -> None:
    ended = meshed("delete", "vs", "app-default-v2")
    assert (ended.code, ended.out) == (0, RULE)
    assert meshed.engine.calls == ["delete", "wait"]
    left = {item.kind for item in meshed.engine.objects()}
    assert left == {"Service", "Deployment", "DestinationRule"}


@pytest.mark.parametrize(
    ("argv", "gone"),
    [
        (("vs/app-default-v2", "dr/app"), ["app", "app-default-v2"]),
        (("svc,dr", "app"), ["app", "app"]),
        (("deploy", "app-v1", "app-v2"), ["app-v1", "app-v2"]),
        (("deploy", "-l", "app=testclient"), ["testclient"]),
        (("deploy", "-l", "app=nothing"), []),
    ],
    ids=" ".join,
)
def test_what_is_named_or_selected_goes(
    meshed: Cli, argv: tuple[str, ...], gone: list[str]
) -> None:
    ended = meshed("delete", *argv, "-o", "json")
    assert (ended.code, ended.json["missing"]) == (0, [])
    assert sorted(change["name"] for change in ended.json["changes"]) == gone
    assert all(change["action"] == "deleted" for change in ended.json["changes"])


def test_what_is_not_there_is_named_and_the_rest_goes(meshed: Cli) -> None:
    ended = meshed("delete", "vs", "app-default-v2", "nope")
    assert ended.code == 3
    assert ended.out == f'{RULE}FAILED virtualservices.networking.istio.io "nope" not found\n'
    ended = meshed("delete", "vs", "nope")
    assert (ended.code, ended.out) == (3, "")
    assert "There are no virtualservices here." in ended.err


def test_what_is_not_ours_stays_and_it_is_said_whose_it_is(meshed: Cli) -> None:
    meshed.engine.foreign["app"] = "managed by helm"
    ended = meshed("delete", "dr", "app")
    assert (ended.code, ended.out) == (3, "")
    assert "DestinationRule app is not ours: managed by helm" in ended.err
    assert "kubectl delete destinationrule app -n default" in ended.err
    ended = meshed("delete", "dr/app", "vs/app-default-v2")
    assert ended.code == 3
    assert 'FAILED destinationrule.networking.istio.io "app" is not ours: managed by' in ended.out
    assert RULE in ended.out


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (("vs",), 2, "no name was specified"),
        (("ns", "default"), 2, "meshdemo down"),
        (("pod", "app-v1-abc"), 3, "belongs to app-v1, which would make it anew"),
        (("moon", "x"), 2, "no resource type"),
    ],
    ids=str,
)
def test_what_cannot_be_deleted_is_refused(
    meshed: Cli, argv: tuple[str, ...], code: int, said: str
) -> None:
    ended = meshed("delete", *argv)
    assert ended.code == code
    assert said in ended.err
    assert "delete" not in meshed.engine.calls


def test_a_deletion_that_takes_too_long_is_4(meshed: Cli) -> None:
    meshed.engine.fails["delete"] = TimedOut("not gone")
    assert meshed("delete", "vs", "app-default-v2").code == 4


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0s"), (119, "119s"), (120, "2m"), (200, "3m20s"), (600, "10m"), (3 * 3600 - 1, "179m"),
     (3 * 3600, "3h"), (7 * 3600 + 60, "7h1m"), (47 * 3600, "47h"), (2 * 86400, "2d"),
     (3 * 86400 + 7200, "3d2h"), (9 * 86400 + 7200, "9d"), (800 * 86400, "2y70d"),
     (9 * 365 * 86400, "9y"), (-5, "0s")],
)  # fmt: skip
def test_an_age_is_written_as_kubectl_does(seconds: int, said: str) -> None:
    now = datetime(2026, 1, 2, tzinfo=timezone.utc)
    created = (now - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert age(created, now) == said
    assert age("", now) == "<unknown>"
