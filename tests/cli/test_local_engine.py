"""The commands on the real local engine: what only real processes can show."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def meshdemo(tmp_path: Path) -> Iterator[Run]:
    """Run the program as a user does; whatever a test leaves running is stopped."""

    def run(*argv: str, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "meshdemo", "--state-dir", str(tmp_path / "state"), *argv],
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    yield run
    assert run("down").returncode == 0


def test_a_run_from_up_to_exec(meshdemo: Run) -> None:
    up = meshdemo("up", "--requests", "50", "-o", "json")
    assert up.returncode == 0, up.stderr
    document = json.loads(up.stdout)
    assert document["verdict"] == "met"
    assert [split["versions"]["v1"] == 0 for split in document["splits"]] == [False, False, True]
    assert meshdemo("exec", "--", "sh", "-c", "exit 42").returncode == 42
    said = json.loads(meshdemo("exec", "-o", "json", "--", "sh", "-c", "echo a; exit 1").stdout)
    assert (said["stdout"], said["exitCode"]) == ("a\n", 1)
    reader, writer = os.pipe()
    os.close(reader)
    for expected, code in (("v2=100%", 0), ("v1=100%", 1)):
        ended = meshdemo("verify", "-q", "--expect", expected, stdout=writer)
        assert (ended.returncode, ended.stderr) == (code, "")
    os.close(writer)


def test_what_get_shows_can_be_applied_again_and_one_rule_can_go(
    meshdemo: Run, tmp_path: Path
) -> None:
    assert meshdemo("up", "--no-verify").returncode == 0
    pods = meshdemo("get", "pods", "-o", "name").stdout
    assert [line.partition("-")[0] for line in pods.splitlines()] == [
        "pod/app",
        "pod/app",
        "pod/testclient",
    ]
    for form in ("yaml", "json"):
        shown = tmp_path / f"all.{form}"
        shown.write_text(meshdemo("get", "all,istio-io", "-o", form).stdout)
        deployed = json.loads(meshdemo("deploy", "-f", str(shown), "-o", "json").stdout)
        assert {change["action"] for change in deployed["changes"]} == {"unchanged"}
        left = [note["message"] for note in deployed["notes"]]
        assert sum("is left to Deployment app-v1, which makes it" in text for text in left) == 1
    assert meshdemo("get", "pods", "-o", "name").stdout == pods
    gone = meshdemo("delete", "vs", "app-default-v2")
    said = 'virtualservice.networking.istio.io "app-default-v2" deleted\n'
    assert (gone.returncode, gone.stdout) == (0, said)
    tally = json.loads(meshdemo("verify", "-o", "json").stdout)["tally"]["versions"]
    assert min(tally.values()) > 0
    assert meshdemo("delete", "deploy/app-v1").returncode == 0
    assert "app-v1" not in meshdemo("get", "pods").stdout
    assert meshdemo("verify", "--expect", "v2=100%").returncode == 0


def test_what_is_not_there_is_3_and_says_what_to_type(meshdemo: Run) -> None:
    for command in ("verify", "status", "exec", "proxy-url", "logs", "route", "inject"):
        more = {"exec": ["ls"], "route": ["v2"]}.get(command, [])
        ended = meshdemo(command, *more)
        assert ended.returncode == 3, command
        assert "meshdemo " in ended.stderr.partition("\n")[2] + ended.stdout, command
