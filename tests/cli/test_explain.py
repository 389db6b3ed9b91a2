"""--explain: what a person would type for each step, with istioctl and kubectl."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.cli.conftest import FakeEngine
from tests.objects import made

from meshdemo.engines.results import Where
from meshdemo.objects import model, reading
from meshdemo.walkthrough import route
from meshdemo.walkthrough.events import Started
from meshdemo.walkthrough.plan import Plan

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli

CLUSTER = ("--context", "kind", "-n", "blue")
KUBECTL = "kubectl --context kind -n blue"
KUBE_INJECT = "istioctl kube-inject --context kind --namespace blue"
LABEL = '{"spec": {"template": {"metadata": {"labels": {"istio.io/rev": "canary"}}}}}'
RULE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: other}
spec: {hosts: [other], http: [{route: [{destination: {host: app}}]}]}
"""


@pytest.mark.parametrize(
    ("argv", "typed"),
    [
        ("deploy", [f"{KUBECTL} apply -f app-istio.yaml"]),
        (
            "deploy --injection kube-inject",
            [
                f"{KUBE_INJECT} -f app-istio.yaml > app-istio.injected.yaml",
                f"{KUBECTL} apply -f app-istio.injected.yaml",
            ],
        ),
        ("inject", [f"{KUBECTL} get deployment -o yaml | {KUBE_INJECT} -f - | {KUBECTL} apply"]),
        (
            "inject --injection auto --revision canary",
            [f"{KUBECTL} patch deployment app-v1 --patch '{LABEL}'"],
        ),
        ("inject -f FILE", [f"{KUBE_INJECT} -f FILE"]),
        ("route v2", [f"{KUBECTL} apply -f - <<'EOF'"]),
        ("route -f FILE", [f"{KUBECTL} apply -f FILE"]),
        (
            "route --clear",
            [
                f"{KUBECTL} delete virtualservice app-default-v2",
                f"{KUBECTL} delete destinationrule app",
            ],
        ),
        ("verify --requests 7", [f"{KUBECTL} exec deploy/testclient -c test-tools -- sh -c"]),
    ],
)
def test_every_step_says_what_a_person_would_type(
    cli: Cli, tmp_path: Path, argv: str, typed: list[str]
) -> None:
    file = tmp_path / "rule.yaml"
    file.write_text(RULE)
    assert cli("up", "--no-verify", *CLUSTER).code == 0
    ended = cli(*argv.replace("FILE", str(file)).split(), *CLUSTER, "--explain")
    assert ended.code == 0
    for command in typed:
        assert f"  $ {command.replace('FILE', str(file))}" in ended.err


def test_only_workloads_of_the_walkthrough_are_labelled(cli: Cli, tmp_path: Path) -> None:
    assert cli("manifests", str(tmp_path)).code == 0
    assert cli("deploy", "-f", str(tmp_path / "test-client.yaml")).code == 0
    said = cli("inject", "--injection", "auto", "--explain").err
    assert "patch deployment testclient" in said
    assert "app-v1" not in said


def test_the_rules_of_a_split_are_shown_as_they_are_applied(deployed: Cli) -> None:
    said = deployed("route", "v1=9", "v2=1", "--explain").err
    text = said.partition("<<'EOF'\n")[2].partition("EOF")[0]
    written = reading.parse(text, "explained", [])
    applied = [item for item in deployed.engine.objects() if item.kind in model.RULE_KINDS]
    assert [item.data for item in written] == [item.data for item in applied]


def test_rules_that_others_made_are_not_among_what_is_removed() -> None:
    ours = {"labels": {"meshdemo.dev/run": "blue"}}
    given = [
        made("VirtualService", "mine", "blue", metadata=ours),
        made("VirtualService", "theirs", "blue"),
    ]
    engine = FakeEngine(Where("cluster", "kind", "blue", "https://server"))
    engine.applied = {item.key: item for item in given}
    (started, *_) = route.clear(engine, Plan())
    assert isinstance(started, Started)
    assert started.commands == ("kubectl delete virtualservice mine",)
