"""The options that every command has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from meshdemo.cli import main
from meshdemo.cli.program import PANELS
from meshdemo.cli.values import seconds
from meshdemo.errors import UsageError

if TYPE_CHECKING:
    from tests.cli.conftest import Cli

COMMANDS = [name for commands in PANELS.values() for name in commands]
SHARED = ("--engine", "--kubeconfig", "--context", "--namespace", "--state-dir", "--output",
          "--quiet", "--verbose", "--timeout")  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_lists_the_shared_options(
    cli: Cli, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli(command, "--help").code == 0
    shown = capsys.readouterr().out
    assert [option for option in SHARED if option not in shown] == []


@pytest.mark.parametrize(
    "argv",
    [("-n", "blue", "deploy"), ("deploy", "-n", "blue"), ("-n", "red", "deploy", "-n", "blue")],
    ids=["before", "after", "the later wins"],
)
def test_a_shared_option_stands_before_or_after_the_command(
    cli: Cli, argv: tuple[str, ...]
) -> None:
    assert cli(*argv).code == 0
    assert {item.namespace for item in cli.engine.objects()} == {"blue"}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("90s", 90), ("5m", 300), ("1m30s", 90), ("7", 7), ("0.5", 0.5), ("1h", 3600), ("200ms", 0.2)],
)
def test_a_duration_is_read_as_kubectl_does(text: str, wanted: float) -> None:
    assert seconds(text, "--timeout") == pytest.approx(wanted)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5 m",
        "m",
        "-5s",
        "5x",
        "1.2.3",
        "5m3",
        "nan",
        "inf",
        "169h",
        "9" * 5000,
        "9" * 400 + "h",
    ],
    ids=lambda text: text[:9],
)
def test_what_is_not_a_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        seconds(text, "--timeout")


def test_the_timeout_reaches_the_engine(cli: Cli) -> None:
    cli("deploy", "--timeout", "1m30s")
    assert cli.engine.timeout == pytest.approx(90, abs=30)  # less what applying took


def test_only_status_is_wide(meshed: Cli) -> None:
    assert meshed("status", "-o", "wide").code == 0
    assert meshed("verify", "-o", "wide").code == 2


def test_the_help_of_the_root_groups_the_commands(
    cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli("--help").code == 0
    shown = capsys.readouterr().out
    assert [panel for panel in PANELS if f"{panel}:" not in shown] == []
    assert "..." not in shown.split("Options:")[0].partition("]...")[2]


def test_no_command_is_a_usage_error_with_the_help(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([]) == 2
    assert "Step by step" in capsys.readouterr().err


def test_the_first_line_says_which_engine_and_why(cli: Cli) -> None:
    first = cli("deploy").err.splitlines()[0]
    assert first == "engine local (nothing names a cluster), namespace default"


def test_quiet_leaves_only_results(cli: Cli) -> None:
    assert cli("deploy", "-q").err == ""


@pytest.mark.parametrize("name", ["Foo", "a_b", "-a", "a.b", "", "x" * 64])
def test_a_name_that_no_namespace_can_have_is_a_usage_error(cli: Cli, name: str) -> None:
    ended = cli("status", "-n", name)
    assert ended.code == 2
    assert "is not a valid name of a namespace" in ended.err
