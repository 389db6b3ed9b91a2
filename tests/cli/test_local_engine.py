"""The commands on the real local engine: what only real processes can show."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import pytest
from tests.cli.conftest import Ended
from tests.conftest import assert_split
from tests.printed import hold

from meshdemo.cli import main
from meshdemo.cli.invocation import Invocation
from meshdemo.report.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Run: TypeAlias = Callable[..., Ended]


@pytest.fixture
def meshdemo(tmp_path: Path) -> Iterator[Run]:
    """Run command lines, in this process; whatever a test leaves running is stopped."""

    def run(*argv: str) -> Ended:
        out, err = io.StringIO(), io.StringIO()
        invocation = Invocation(progress=Progress.on(out, err))
        code = main(["--state-dir", str(tmp_path / "state"), *argv], invocation=invocation)
        return Ended(code, hold(out.getvalue(), argv), err.getvalue())

    yield run
    assert run("down").code == 0


def ready(meshdemo: Run) -> set[str]:
    return {pod["ready"] for pod in meshdemo("status", "-o", "json").json["pods"]}


def test_the_steps_in_order_end_where_up_ends(meshdemo: Run) -> None:
    assert meshdemo("install").code == 0
    assert meshdemo("deploy").code == 0
    assert ready(meshdemo) == {"1/1"}
    ended = meshdemo("verify", "--expect", "v1=50%,v2=50%", "-o", "json")
    assert_split(ended.json, ended.code)
    assert meshdemo("inject").code == 0
    assert ready(meshdemo) == {"2/2"}
    assert meshdemo("route", "v2").code == 0
    assert meshdemo("verify", "--expect", "v2=100%", "--requests", "100").code == 0


def test_what_get_shows_can_be_applied_again_and_one_rule_can_go(
    meshdemo: Run, tmp_path: Path
) -> None:
    assert meshdemo("up", "--no-verify").code == 0
    pods = meshdemo("get", "pods", "-o", "name").out
    assert [line.partition("-")[0] for line in pods.splitlines()] == [
        "pod/app",
        "pod/app",
        "pod/testclient",
    ]
    for form in ("yaml", "json"):
        shown = tmp_path / f"all.{form}"
        shown.write_text(meshdemo("get", "all,istio-io", "-o", form).out)
        deployed = meshdemo("deploy", "-f", str(shown), "-o", "json").json
        assert {change["action"] for change in deployed["changes"]} == {"unchanged"}
        left = [note["message"] for note in deployed["notes"]]
        assert sum("is left to Deployment app-v1, which makes it" in text for text in left) == 1
    assert meshdemo("get", "pods", "-o", "name").out == pods
    gone = meshdemo("delete", "vs", "app-default-v2")
    said = 'virtualservice.networking.istio.io "app-default-v2" deleted\n'
    assert (gone.code, gone.out) == (0, said)
    tally = meshdemo("verify", "-o", "json").json["tally"]["versions"]
    assert min(tally.values()) > 0
    assert meshdemo("delete", "deploy/app-v1").code == 0
    assert "app-v1" not in meshdemo("get", "pods").out
    assert meshdemo("verify", "--expect", "v2=100%").code == 0


def test_what_is_not_there_is_3_and_says_what_to_type(meshdemo: Run) -> None:
    for command in ("verify", "status", "exec", "proxy-url", "logs", "route", "inject"):
        more = {"exec": ["ls"], "route": ["v2"]}.get(command, [])
        ended = meshdemo(command, *more)
        assert ended.code == 3, command
        assert "meshdemo " in ended.err.partition("\n")[2] + ended.out, command
