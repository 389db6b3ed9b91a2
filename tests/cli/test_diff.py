"""``meshdemo diff``: exit codes, JSON, and what is applied now as one of the states."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli

RULE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: NAME}
spec: {hosts: [app], http: [{directResponse: {status: 418}}]}
"""


@pytest.fixture
def states(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.yaml").write_text(RULE.replace("NAME", "app-default-v2"))
    (tmp_path / "new.yaml").write_text(RULE.replace("418", "404").replace("NAME", "app-default-v2"))
    return tmp_path


@pytest.mark.usefixtures("states")
def test_a_change_is_exit_status_0_and_with_exit_code_1(cli: Cli) -> None:
    ended = cli("diff", "old.yaml", "new.yaml")
    assert ended.code == 0, ended.err
    first, place, last = ended.out.splitlines()
    assert first == "/: 418 becomes 404 (and 1 request like it)"
    assert place == "    old.yaml:5 spec.http[0] -> new.yaml:5 spec.http[0]"
    assert last.startswith("1 change from old.yaml to new.yaml (")
    assert cli("diff", "old.yaml", "new.yaml", "--exit-code").code == 1
    same = cli("diff", "old.yaml", "old.yaml", "--exit-code")
    assert same.code == 0
    assert same.out.startswith("nothing changes from old.yaml to old.yaml (")
    assert cli.engine.calls == []


@pytest.mark.usefixtures("states")
def test_what_is_applied_is_a_state_and_stays_as_it_is(meshed: Cli) -> None:
    before = dict(meshed.engine.applied)
    ended = meshed("diff", "live", "new.yaml", "-o", "json")
    assert ended.code == 0
    assert ended.json["engine"] == "local"
    (change,) = ended.json["changed"]
    assert change["message"] == "/: v2 becomes 404"
    assert change["places"]["new"]["file"] == "new.yaml"
    assert meshed.engine.applied == before
    assert meshed.engine.calls == []


def test_what_no_request_shows_is_exit_status_1_with_exit_code(states: Path, cli: Cli) -> None:
    for name, regex in (("old", "a+"), ("new", "a{1,20}")):
        matched = f"match: [{{headers: {{x: {{regex: '{regex}'}}}}}}], "
        text = RULE.replace("[{dir", f"[{{{matched}dir")
        (states / f"{name}.yaml").write_text(text.replace("NAME", "a"))
    ended = cli("diff", "old.yaml", "new.yaml", "--exit-code")
    assert ended.code == 1, ended.err
    first, last = ended.out.splitlines()
    field = "spec.http[0].match[0].headers.x.regex"
    places = f"old.yaml:5 {field} -> new.yaml:5 {field}"
    words = f"{places}: no request that was sent tells how these differ"
    assert first == f"not seen: {words}"
    assert last.startswith("no change seen; 1 difference that no request showed, from old.yaml to")
    found = cli("diff", "old.yaml", "new.yaml", "-o", "json")
    assert (found.code, found.json["changed"]) == (0, [])
    (each,) = found.json["notSeen"]
    assert each["message"] == words
    assert each["places"]["old"]["line"] == 5


def test_what_is_not_compared_is_named(states: Path, cli: Cli) -> None:
    route = (
        "---\n{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: a}}\n"
    )
    (states / "new.yaml").write_text((states / "old.yaml").read_text() + route)
    (states / "chart.yaml").write_text("{{ if .Values.a }}" + RULE + "{{ end }}\n")
    ended = cli("diff", "old.yaml", "new.yaml")
    assert "not compared: HTTPRoute" in ended.out + ended.err
    (states / "rules").mkdir()
    for name in ("old.yaml", "chart.yaml"):
        (states / name).rename(states / "rules" / name)
    ended = cli("diff", "rules", "rules")
    assert "not compared: rules/chart.yaml" in ended.out + ended.err


def test_all_rules_may_go(states: Path, cli: Cli) -> None:
    (states / "empty.yaml").write_text("")
    ended = cli("diff", "old.yaml", "empty.yaml", "--exit-code")
    assert ended.code == 1, ended.err
    assert ended.out.startswith("/: 418 becomes unknown to the mesh (and 1 request like it)")


@pytest.mark.usefixtures("states")
def test_a_state_that_is_not_there_is_exit_status_2(cli: Cli) -> None:
    ended = cli("diff", "gone.yaml", "new.yaml")
    assert ended.code == 2
    assert "gone.yaml: cannot be read: No such file" in ended.err
