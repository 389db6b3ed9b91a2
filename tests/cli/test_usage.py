"""A command line that cannot be read is refused in one style, with what was meant."""

from __future__ import annotations

import io
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from meshdemo.cli.command import examples, summary
from meshdemo.cli.options import shared
from meshdemo.cli.program import PANELS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli

COMMANDS = {name: command for panel in PANELS.values() for name, command in panel.items()}


@pytest.mark.parametrize(
    ("line", "said", "meant"),
    [
        ("verfy", "there is no command verfy", "meshdemo verify"),
        ("gte pods", "there is no command gte", "meshdemo get"),
        ("stat", "there is no command stat", "meshdemo status"),
        ("vs", "there is no command vs", "meshdemo get vs"),
        ("uninstall", "there is no command uninstall", "meshdemo down"),
        ("curl http://app/", "there is no command curl", "meshdemo exec -- curl"),
        ("help", "there is no command help", "meshdemo --help"),
        ("xyzzy", "there is no command xyzzy", "meshdemo --help"),
        ("--foo", "there is no option --foo", "meshdemo --help"),
        ("verify --request 5", "there is no option --request", "--requests"),
        ("verify --requests x", "--requests: 'x' is not a whole number", "meshdemo verify --help"),
        ("verify --requests 0", "--requests: 0 is not 1 or more", "meshdemo verify --help"),
        ("status -o x", "--output: 'x' is not one of", "meshdemo status --help"),
        ("verify --expect", "--expect", "--help"),
        ("version a b", "extra argument", "meshdemo version --help"),
        ("exec", "-- COMMAND [ARG...] is missing", "meshdemo exec --help"),
        ("exec -it testclient -- sh", "no -i and no -t", "meshdemo exec -- sh"),
        ("exec -n a -it -- sh -c ls", "no -i and no -t", "meshdemo exec -n a -- sh -c ls"),
        ("exec testclient -- curl -s 'a b'", "takes no pod", "meshdemo exec -- curl -s 'a b'"),
        ("exec deploy/testclient -c x -- ls", "takes no pod", "meshdemo exec -- ls"),
        ("exec app-v1 -- ls", "not in app-v1", "meshdemo logs app-v1. In it: meshdemo exec --from"),
        ("exec app-v1 -- ls", "not in app-v1", "app=app,version=v1 -- ls. Type: meshdemo exec -- "),
        ("route", "say one of", "meshdemo route v1=90 v2=10"),
        ("class", "up | status | down", "meshdemo class --help"),
        ("class on", 'class has no "on"', "meshdemo class up --students 20"),
        ("class up", "how many students", "meshdemo class up --students 20"),
        ("class up --students 0", "0 is not 1 to 500", "meshdemo class --help"),
        ("class up --students 2", "a class is on a cluster", "meshdemo tour"),
        ("class up --students 2 --duration 9m", "less than a token can", "meshdemo class --help"),
        ("class up --students 2 --name A_", "not a valid name", "letter or digit at both ends"),
        ("class up --students 2 -n shop", "a namespace for each student", "--name NAME"),
        ("class down --students 2", "--students is about class up", "meshdemo class --help"),
        ("class down --watch", "--watch is about class status", "meshdemo class --help"),
        ("class down --duration 1h", "--duration is about class up", "meshdemo class --help"),
        ("class status --duration 8h", "--duration is about class up", "meshdemo class --help"),
        ("class status --folder x", "--folder is about class up and class", "meshdemo class"),
    ],
)
def test_every_refusal_is_an_error_and_a_hint(
    meshed: Cli, line: str, said: str, meant: str
) -> None:
    ended = meshed(*shlex.split(line))
    assert (ended.code, ended.out) == (2, "")
    error, hint = ended.err.splitlines()[-2:]
    assert error.startswith("error: ")
    assert said in error
    assert hint.startswith("  ")
    assert meant in hint.replace(f" --state-dir {meshed.state}", "")
    assert meshed("-o", "json", *shlex.split(line)).code == 2


def test_a_word_of_a_program_is_its_own(meshed: Cli) -> None:
    assert meshed("exec", "--", "grep", "--", "x", "file").code == 0
    assert meshed.engine.calls[-1] == "exec grep -- x file"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_no_types_of_python_and_the_shared_options_once(
    cli: Cli, command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    cli(command, "--help")
    shown = capsys.readouterr().out
    assert "<" not in shown
    assert "[[" not in shown
    assert summary(COMMANDS[command])[:40] in shown
    assert shown.count("--state-dir") == 1
    assert "Where the run is recorded" not in shown
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize(
    "example",
    [
        line[line.index("meshdemo ") :].partition(")")[0].partition(" | ")[0]
        for command in (*COMMANDS.values(), shared)
        # They go on until they are ended: tests/e2e/test_ui.py
        if command not in (COMMANDS["ui"], COMMANDS["watch"])
        for line, _ in examples(command.__doc__)
    ],
)
def test_every_example_in_help_can_be_typed(
    meshed: Cli, example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    metadata, api = "metadata: {name: a}", "networking.istio.io/v1"
    (tmp_path / "shop.yaml").write_text(f"{{apiVersion: v1, kind: ServiceAccount, {metadata}}}")
    (tmp_path / "rules.yaml").write_text(
        f"{{apiVersion: {api}, kind: DestinationRule, {metadata}, spec: {{host: app}}}}"
    )
    for folder in ("rules", "base"):
        (tmp_path / folder).mkdir()
        shutil.copy(tmp_path / "shop.yaml", tmp_path / folder / "shop.yaml")
    shutil.copy(tmp_path / "rules.yaml", tmp_path / "rules" / "app.yaml")
    piped = io.BytesIO((tmp_path / "shop.yaml").read_bytes())
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(piped))
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "shop.meshtest.yaml").write_text(
        f"{{apiVersion: meshdemo.dev/v1, kind: RouteTest, {metadata}, rules: [../rules.yaml], "
        'tests: [{name: t, request: {url: "http://app/"}, expect: {status: 200}}]}'
    )
    if " diff " in example:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        commit = [*identity, "commit", "-q", "--allow-empty", "-m"]
        for argv in (
            ["init", "-q", "-b", "main"],
            ["add", "rules"],
            [*commit, "1"],
            [*commit, "2"],
        ):
            subprocess.run(["git", *argv], check=True)
    ended = meshed(*shlex.split(example)[1:])
    assert ended.code in {0, 1, 3}, ended.err
    assert "usage" not in ended.err.lower()


def test_every_command_has_examples() -> None:
    assert not [name for name, command in COMMANDS.items() if not examples(command.__doc__)]
