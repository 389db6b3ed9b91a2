"""Commands that are advised can be typed as they stand."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from meshdemo.cli.command_spelling import flags, program
from meshdemo.report.commands import Commands
from meshdemo.settings import Settings, state_folder

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation in a folder that is not on the PATH."""
    path = tmp_path / "bin" / "meshdemo"
    path.parent.mkdir()
    path.touch(mode=0o755)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("sys.argv", [str(path)])
    return path


def test_a_program_on_the_path_is_called_by_its_name(
    called: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert program(str(called)) == str(called)
    monkeypatch.setenv("PATH", str(called.parent))
    assert program(str(called)) == "meshdemo"


def test_a_module_is_called_as_a_module() -> None:
    assert program("/lib/meshdemo/__main__.py") == f"{sys.executable} -m meshdemo"


def test_only_commands_are_spelled() -> None:
    commands = Commands(("up", "down"), "bin/meshdemo", "-n blue")
    text = "meshdemo made it; type `meshdemo up`, not x/meshdemo up or meshdemo upper"
    assert commands.spell(text) == text.replace("`meshdemo up`", "`bin/meshdemo up -n blue`")


@pytest.mark.parametrize("argv", [("verify",), ("status",)], ids=str)
def test_a_hint_can_be_typed_as_it_is(cli: Cli, called: Path, argv: tuple[str, ...]) -> None:
    ended = cli(*argv, "-n", "blue")
    assert f"Type: {called} up -n blue --state-dir {cli.state}\n" in ended.err + ended.out


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Settings(engine="cluster", namespace="blue"), "--engine cluster -n blue"),
        (Settings(engine="cluster", context="dev"), "--context dev"),
        (Settings(kubeconfig="my config"), "--kubeconfig 'my config'"),
        (Settings(engine="local"), "--engine local"),
        (Settings(), ""),
    ],
    ids=["a cluster", "its context", "its kubeconfig", "none", "nothing said"],
)
def test_what_is_advised_is_about_the_same_mesh(
    given: Settings, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MESHDEMO_STATE_DIR", raising=False)
    assert flags(replace(given, state_dir=state_folder())) == said


def test_a_cluster_that_was_only_about_is_named_for_what_comes_next(
    cli: Cli, called: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    ended = cli("verify", "-n", "blue")
    assert f"Type: {called} up --engine cluster -n blue --state-dir {cli.state}\n" in ended.err


def test_what_to_try_next_can_be_typed_as_it_is(cli: Cli, called: Path) -> None:
    assert f"  {called} verify --state-dir {cli.state} " in cli("up").out


def test_what_comes_next_can_be_typed_as_it_is(cli: Cli, called: Path) -> None:
    assert f"next: {called} inject --state-dir {cli.state} " in cli("deploy").out
