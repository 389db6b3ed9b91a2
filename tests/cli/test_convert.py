"""``meshdemo test --convert``: files of others are written as route tests, and nothing is sent."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli

RULE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec: {hosts: ["*.example.com"], http: [{route: [{destination: {host: shop}}]}]}
"""
VALIDATOR = """
testCases:
- description: all of it
  wantMatch: true
  request: {authority: [shop.example.com], method: [GET], uri: [/]}
  route: [{destination: {host: shop}}]
"""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules.yaml").write_text(RULE)
    (tmp_path / "validator.yml").write_text(VALIDATOR)
    return tmp_path


def test_it_is_written_once_and_then_runs(cli: Cli, files: Path) -> None:
    line = ["test", "validator.yml", "--rules", "rules.yaml", "--convert", "shop.meshtest.yaml"]
    ended = cli(*line)
    assert ended.code == 0, ended.err
    assert "it knows no wildcard" in ended.out
    assert ended.out.endswith("shop.meshtest.yaml created\n")
    assert "made up" not in ended.out
    assert "rules:\n- rules.yaml\n" in (files / "shop.meshtest.yaml").read_text()
    assert cli("test", "shop.meshtest.yaml").code == 0
    again = cli(*line)
    assert again.code == 2
    assert "shop.meshtest.yaml is there already" in again.err
    document = cli(*line[:-1], "other.yaml", "-o", "json").json
    assert document["files"] == [{"path": "other.yaml", "action": "created"}]
    assert [remark["line"] for remark in document["remarks"]] == [3]


@pytest.mark.usefixtures("files")
def test_without_rules_the_option_is_named(cli: Cli) -> None:
    ended = cli("test", "validator.yml")
    assert ended.code == 2
    assert "validator.yml:2: it names no rules; name the rules: --rules PATH" in ended.err


@pytest.mark.usefixtures("files")
def test_rules_may_come_by_a_pipe_also_for_several_documents(
    cli: Cli, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (files / "validator.yml").write_text(VALIDATOR + "---" + VALIDATOR)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(RULE.encode())))
    ended = cli("test", "validator.yml", "--rules", "-")
    assert ended.code == 0, ended.out + ended.err
    assert "2 tests: 2 ok" in ended.out
