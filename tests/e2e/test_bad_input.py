"""A thousand lines with ten mistakes: all of them are found at once, and nothing is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Mesh

DEPLOYMENT = """\
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: app-{n}
  labels:
    app: app-{n}
spec:
  replicas: 1
  selector:
    matchLabels:
      app: app-{n}
  template:
    metadata:
      labels:
        app: app-{n}
    spec:
      containers:
        - image: dustise/flaskapp
          name: app
"""
RULE = """\
---
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata:
  name: rule-{n}
spec:
  hosts:
    - app-{n}
  http:
    - route:
        - destination:
            host: app-{n}
      timeout: 5s
"""
# What was right, what stands there instead, and what a message must name besides file and line.
MISTAKES = [
    (DEPLOYMENT, "  replicas: 1", "  replicas: many", "replicas"),
    (DEPLOYMENT, "  replicas: 1", "  replica: 1", "replica"),
    (DEPLOYMENT, "        - image: dustise/flaskapp", "        - image: nginx:1.27", "nginx"),
    (DEPLOYMENT, "    app: app-{n}", "    app: 7", "metadata.labels.app"),
    (DEPLOYMENT, "kind: Deployment", "kind: Deploymint", "Deploymint"),
    (DEPLOYMENT, "  name: app-{n}", "  name: Not_A_Name", "Not_A_Name"),
    (DEPLOYMENT, "  replicas: 1", "  selector: {{}}", "selector"),
    (RULE, "      timeout: 5s", "      timeout: soon", "timeout"),
    (RULE, "            host: app-{n}", "            hots: app-{n}", "hots"),
    (RULE, "      timeout: 5s", "      tiemout: 5s", "tiemout"),
]


def thousand_lines() -> tuple[str, dict[int, str]]:
    """Give the text, and for the line of each mistake what the message must name."""
    parts: list[str] = []
    named: dict[int, str] = {}
    lines = 0
    for number in range(60):
        template, right, wrong, names = MISTAKES[number // 6]
        text = template
        if number % 6 == 3:
            text = template.replace(f"{right}\n", f"{wrong}\n", 1)
            named[lines + text.splitlines().index(wrong) + 1] = names
        text = text.format(n=number)
        parts.append(text)
        lines += text.count("\n")
    assert lines > 1000
    return "".join(parts), named


@pytest.mark.parametrize("command", ["up", "deploy"])
def test_all_mistakes_are_found_at_once_and_nothing_is_touched(
    mesh: Mesh, tmp_path: Path, command: str
) -> None:
    text, named = thousand_lines()
    file = tmp_path / "big.yaml"
    file.write_text(text)

    said = mesh.run(command, "-f", str(file), code=2).stderr.splitlines()

    for line, names in named.items():
        about = [text for text in said if f"{file}:{line}:" in text]
        assert any(names in text for text in about), f"line {line}, {names}: {said}"
    assert not mesh.processes()
    assert not (mesh.state / "objects.json").exists()


def test_mistakes_in_a_later_file_leave_a_running_mesh_alone(running: Mesh, tmp_path: Path) -> None:
    pids = {process.pid for process in running.processes()}
    good, bad = tmp_path / "a.yaml", tmp_path / "b.yaml"
    good.write_text(DEPLOYMENT.format(n=1))
    bad.write_text(RULE.format(n=1).replace("timeout", "tiemout"))
    running.run("deploy", "-f", str(tmp_path), code=2)
    assert {process.pid for process in running.processes()} == pids
    assert len(running.json("status")["pods"]) == 3
