"""``meshdemo lint``: what is refused, warned of, or rejected by Envoy."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli

SHOP = """
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {selector: {app: shop}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: shop, labels: {app: shop, version: v1}}
spec: {containers: [{name: shop, image: example.com/whatever:1}]}
"""
RULE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop]
  http:
    - route: [{destination: {host: shop}}]
"""
REFUSED = RULE.replace("route:", "rout:")
REJECTED = RULE.replace(
    "route: [{destination: {host: shop}}]", "redirect: {uri: /a, redirectCode: 300}"
)
BY_A_GATEWAY = RULE.replace("hosts: [shop]", "hosts: [shop]\n  gateways: [public, mesh]")
GATEWAY = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: public}
spec: {selector: {istio: ingressgateway}, servers: []}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = tmp_path / "repository"
    found.mkdir()
    monkeypatch.chdir(found)
    return found


def test_sound_rules_are_exit_status_0_and_nothing_is_sent(cli: Cli, folder: Path) -> None:
    (folder / "shop.yaml").write_text(SHOP)
    (folder / "rules").mkdir()
    (folder / "rules" / "rule.yaml").write_text(RULE)
    ended = cli("lint", "--strict")
    assert ended.code == 0, ended.out
    assert ended.out.startswith("0 errors, 0 warnings in 3 objects of 2 files; Envoy 1.")
    assert cli.engine.calls == []
    assert not cli.state.exists()


@pytest.mark.parametrize(
    ("text", "by", "code", "place"),
    [
        pytest.param(REFUSED, "istio", "IST0106", (8, "spec.http[0].rout"), id="Istio refuses"),
        pytest.param(
            SHOP.replace("port: 80", "port: 0"),
            *("kubernetes", None, (5, "spec.ports[0].port")),
            id="Kubernetes refuses",
        ),
        pytest.param(
            REJECTED,
            *("envoy", None, (8, "spec.http[0].redirect.redirectCode")),
            id="Envoy rejects",
        ),
        pytest.param("apiVersion: v1\nkind: [\n", "input", None, (3, None), id="no YAML"),
    ],
)
def test_what_is_refused_is_exit_status_2_with_its_place_and_code(
    cli: Cli, folder: Path, text: str, by: str, code: str | None, place: tuple[int, str | None]
) -> None:
    (folder / "a.yaml").write_text(text)
    ended = cli("lint", "a.yaml", "-o", "json")
    assert ended.code == ended.json["exitCode"] == 2
    errors = [found for found in ended.json["findings"] if found["severity"] == "error"]
    first = errors[0]
    assert (first["by"], first["code"], first["file"]) == (by, code, "a.yaml")
    assert (first["line"], first["field"]) == place
    assert ended.json["errors"] == len(errors)
    shown = cli("lint").out
    assert f"a.yaml:{place[0]}: error: " in shown


def test_a_repository_of_rules_alone_has_warnings_and_with_strict_they_count(
    cli: Cli, folder: Path
) -> None:
    (folder / "a.yaml").write_text(RULE)
    ended = cli("lint", "-o", "json")
    assert ended.code == 0
    (found,) = ended.json["findings"]
    assert (found["severity"], found["code"], found["line"]) == ("warning", "IST0101", 8)
    assert cli("lint", "--strict").code == 2
    (folder / "shop.yaml").write_text(SHOP)
    assert cli("lint", "--strict").code == 0


def test_a_gateway_is_known_if_it_is_in_the_files(cli: Cli, folder: Path) -> None:
    (folder / "shop.yaml").write_text(SHOP)
    (folder / "rule.yaml").write_text(BY_A_GATEWAY)
    assert 'there is no gateway "public" [IST0101]' in cli("lint").out
    (folder / "gateway.yaml").write_text(GATEWAY + "---\n" + GATEWAY.replace("public", "other"))
    ended = cli("lint", "--strict")
    assert ended.code == 0, ended.out
    assert ended.out.count("note: ") == 1
    assert "does not judge these kinds: Gateway (2)" in ended.out


def test_an_object_that_comes_twice_is_a_warning(cli: Cli, folder: Path) -> None:
    (folder / "a.yaml").write_text(SHOP)
    for name in ("b.yaml", "c.yaml"):
        (folder / name).write_text(RULE)
    ended = cli("lint")
    assert ended.code == 0
    assert "c.yaml:2: warning: VirtualService default/shop: duplicate object" in ended.out


def test_standard_input_and_a_namespace(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "shop.yaml").write_text(SHOP)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(REFUSED.encode())))
    ended = cli("lint", "-", "shop.yaml", "-n", "blue")
    assert ended.code == 2
    assert "standard input:8: error: VirtualService blue/shop spec.http[0].rout: " in ended.out


def test_a_folder_without_objects_is_refused_and_a_file_of_a_commit_is_not(
    cli: Cli, folder: Path
) -> None:
    (folder / "values.yaml").write_text("a: b\n")
    ended = cli("lint")
    assert ended.code == 2
    assert "there are no objects in ." in ended.err
    assert cli("lint", "values.yaml").code == 0


def test_where_there_is_no_envoy_that_is_said(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setenv("PATH", "/nowhere")
    (folder / "a.yaml").write_text(SHOP + "---" + RULE)
    ended = cli("lint", "-o", "json")
    assert ended.code == 0
    assert ended.json["envoy"] is None
    (note,) = ended.json["notes"]
    assert note["message"].startswith("no Envoy was asked: there is no Envoy for this platform")
