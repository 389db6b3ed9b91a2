"""``--strict``: a warning is exit status 2, and nothing is applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from meshdemo.engines.results import Applied
from meshdemo.errors import Problem

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli

ODD = Problem("no subset", file="a.yaml", line=7, code="IST0101")
OWN = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec: {hosts: [app], http: [{route: [{destination: {host: app}}]}]}
"""
COMMANDS = [
    ["up"],
    ["up", "-f", "{file}"],
    ["deploy"],
    ["deploy", "--injection", "kube-inject"],
    ["deploy", "-f", "{file}"],
    ["route", "v2"],
    ["route", "-f", "{file}"],
]
CHANGES = {"install", "inject", "apply", "delete"}


@pytest.fixture(params=COMMANDS, ids=" ".join)
def command(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    file = tmp_path / "own.yaml"
    file.write_text(OWN)
    return [word.format(file=file) for word in request.param]


def test_a_warning_keeps_all_from_being_applied(meshed: Cli, command: list[str]) -> None:
    meshed.engine.warns = Applied((), (ODD,), ("probes do nothing",))
    before = dict(meshed.engine.applied)
    ended = meshed(*command, "--strict")
    assert ended.code == 2
    assert "error: --strict: there are warnings, and nothing was applied\n  a.yaml:7:" in ended.err
    assert "probes do nothing" not in ended.err
    assert meshed.engine.applied == before
    assert not CHANGES & set(meshed.engine.calls)


def test_without_strict_it_is_applied_with_the_warning(meshed: Cli, command: list[str]) -> None:
    meshed.engine.warns = Applied((), (ODD,))
    ended = meshed(*command)
    assert ended.code == 0
    assert "warning: a.yaml:7: no subset [IST0101]" in ended.err
    assert "apply" in meshed.engine.calls


def test_what_istios_analyzer_finds_in_your_own_objects_counts_too(
    meshed: Cli, tmp_path: Path
) -> None:
    (tmp_path / "own.yaml").write_text(OWN)
    ended = meshed("route", "-f", str(tmp_path), "--strict", "-o", "json")
    (problem,) = ended.json["error"]["problems"]
    assert (ended.code, problem["code"]) == (2, "IST0999")


@pytest.mark.parametrize("argv", [["up"], ["deploy"], ["route", "v2"], ["route", "--clear"]])
def test_without_warnings_all_is_as_usual(meshed: Cli, argv: list[str]) -> None:
    assert meshed(*argv, "--strict").code == 0
