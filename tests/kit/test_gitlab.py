"""The template for GitLab CI: its shape, and its scripts run by a shell as a runner runs them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml
from tests.paths import ROOT

TEMPLATE = ROOT / "templates/meshdemo.gitlab-ci.yml"
HEAD: dict[str, Any] = next(iter(yaml.safe_load_all(TEMPLATE.read_text())))
INPUT = re.compile(r"\$\[\[ inputs\.(\w+) \]\]")
FILES = {
    "rules.yaml": """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec: {hosts: [shop], http: [{redirect: {uri: /new}}]}
""",
    "shop.meshtest.yaml": """
apiVersion: meshdemo.dev/v1
kind: RouteTest
metadata: {name: shop}
rules: [rules.yaml]
tests:
- name: it has moved
  request: {url: "http://shop/"}
  expect: {status: 301}
""",
}


def jobs(**inputs: str) -> dict[str, dict[str, Any]]:
    """Read the jobs as GitLab does: inputs are filled in as text, then ``extends`` is followed."""
    _, text = re.split(r"^---\n", TEMPLATE.read_text(), flags=re.MULTILINE)
    values = {name: each["default"] for name, each in HEAD["spec"]["inputs"].items()} | inputs
    found: dict[str, dict[str, Any]] = yaml.safe_load(INPUT.sub(lambda m: values[m[1]], text))
    return {
        name: found[job["extends"]] | job for name, job in found.items() if not name.startswith(".")
    }


def script(job: dict[str, Any], folder: Path) -> subprocess.CompletedProcess[str]:
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", "\n".join(job["script"])],
        cwd=folder,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_its_shape_is_that_of_a_template_with_inputs() -> None:
    declared = HEAD["spec"]["inputs"]
    assert set(declared) == set(INPUT.findall(TEMPLATE.read_text()))
    assert all(set(each) == {"description", "default"} for each in declared.values())
    found = jobs(stage="rules", package="git+https://example.org/meshdemo.git")
    assert set(found) == {"meshdemo-lint", "meshdemo-test"}
    for job in found.values():
        assert (job["stage"], job["image"]) == ("rules", "python:3.12")
        assert any("git+https://example.org/meshdemo.git" in line for line in job["before_script"])
        assert all(isinstance(line, str) for line in (*job["before_script"], *job["script"]))
    assert found["meshdemo-test"]["artifacts"] == {
        "when": "always",
        "reports": {"junit": "meshdemo.xml"},
    }


@pytest.mark.parametrize("name", ["meshdemo-lint", "meshdemo-test"])
def test_a_job_passes_where_the_rules_are_right(name: str, tmp_path: Path) -> None:
    done = script(jobs()[name], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_job_fails_where_a_test_is_contradicted_and_has_its_report(tmp_path: Path) -> None:
    job = jobs(test="--rules other.yaml")["meshdemo-test"]
    (tmp_path / "other.yaml").write_text(
        FILES["rules.yaml"].replace("/new}", "/new, redirectCode: 308}")
    )
    done = script(job, tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    report = tmp_path / job["artifacts"]["reports"]["junit"]
    (failure,) = ET.parse(report).iter("failure")  # noqa: S314 - ours
    assert "308" in (failure.get("message") or "")


def test_arguments_are_those_that_are_given(tmp_path: Path) -> None:
    done = script(jobs(lint="--strict rules.yaml")["meshdemo-lint"], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (tmp_path / "folder").mkdir()
    assert script(jobs(lint="folder")["meshdemo-lint"], tmp_path).returncode == 2


def test_the_docs_include_it_as_it_is() -> None:
    text = (ROOT / "docs/ci.md").read_text()
    (block,) = (b for b in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "include:" in b)
    (used,) = yaml.safe_load(block)["include"]
    assert ROOT / used["file"] == TEMPLATE
    found = jobs(**used["inputs"])
    assert found["meshdemo-lint"]["script"] == ["meshdemo lint rules/ --strict"]
