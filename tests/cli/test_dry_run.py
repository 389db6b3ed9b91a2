"""``up --dry-run`` on the local engine refuses what ``up`` refuses, and starts nothing either."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from meshdemo.cli import main
from meshdemo.cli.invocation import Invocation
from meshdemo.report.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path

RULE = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: [web]
  http: [{route: [{destination: {host: web}}], MORE}]
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: web, namespace: other}
spec: {ports: [{name: http, port: 80}]}
"""


def run(state: Path, *argv: str) -> tuple[int, str, str]:
    """Run a command line on the real local engine: its status, and what it said on both streams."""
    out, err = io.StringIO(), io.StringIO()
    invocation = Invocation(progress=Progress.on(out, err))
    code = main(["--state-dir", str(state), *argv], invocation=invocation)
    return code, out.getvalue(), err.getvalue()


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        (RULE.replace("MORE", "timeout: soon"), [], '"soon" is not a valid duration'),
        (RULE.replace("MORE", "fault: {abort: {http2Error: a}}"), [], "does not support it yet"),
        (RULE.replace("VirtualService", "Gateway"), [], "does not support the kind Gateway"),
        (RULE.replace(", MORE", ""), ["--strict"], 'no service has the host "web"'),
        (SERVICE, ["-n", "blue"], "and -n says blue"),
        (SERVICE, ["--istio-profile", "demo"], "takes no Istio settings"),
        ("a: [", [], "not YAML"),
        ("", [], "no objects in it"),
    ],
    ids=["value", "field", "kind", "warning", "namespace", "settings", "syntax", "empty"],
)
def test_what_up_refuses_a_dry_run_refuses_in_the_same_words(
    text: str, options: list[str], said: str, tmp_path: Path
) -> None:
    file, state = tmp_path / "own.yaml", tmp_path / "state"
    file.write_text(text)
    dry = run(state, "up", "--dry-run", "-f", str(file), *options)
    assert dry == run(state, "up", "-f", str(file), *options)
    assert (dry[0], dry[1]) == (2, "")
    assert said in dry[2]
    assert not state.exists()


def test_what_is_worth_a_word_is_said_and_the_script_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = RULE.replace(", MORE", "").encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    code, out, err = run(tmp_path / "state", "up", "--dry-run", "-f", "-")
    assert code == 0
    assert "warning: standard input:6: VirtualService default/web" in err
    assert "kubectl apply -f injected.yaml" in out
    assert not (tmp_path / "state").exists()


def test_a_cluster_is_not_asked(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(RULE.replace("MORE", "retries: {attempts: 2}"))
    code, out, _ = run(tmp_path / "state", "up", "--dry-run", "--context", "kind", "-f", str(file))
    assert (code, out.partition("\n")[0]) == (0, "#!/bin/sh")


@pytest.mark.parametrize(
    "line", ["inject -f -", "lint -", "diff - live", "test --rules - examples"]
)
def test_standard_input_without_objects_is_named_so(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"# nothing\n")))
    code, _, err = run(tmp_path / "state", *line.split())
    assert code == 2
    assert "standard input" in err
