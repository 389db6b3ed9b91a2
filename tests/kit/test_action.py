"""The GitHub Action, its own shell steps run as a runner runs them: by bash, with GitHub's files.

What the runner does itself (other actions, expressions) is done here. Nothing is downloaded: the
requirements are empty, and the dependencies come from the environment of the tests.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml
from tests.kit.shop import RULES
from tests.paths import ROOT

ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "scripts", "manifests", "src")
NAME = r"((?:inputs|steps|github)\.[\w.-]+)"
BASH = ["bash", "--noprofile", "--norc", "-eo", "pipefail"]
"""What a runner makes of ``shell: bash``."""
TESTS = """
apiVersion: meshdemo.dev/v1
kind: RouteTest
metadata: {name: shop}
rules: ["the rules.yaml"]
tests:
- name: the old path
  request: {url: "http://shop/old"}
  expect: {status: 301, location: "http://shop/new"}
"""


class Runner:
    """A job on a runner, as far as this action sees it."""

    def __init__(self, temp: Path, workspace: Path, action: Path) -> None:
        self.temp, self.workspace, self.action = temp, workspace, action
        self.outputs: dict[str, dict[str, str]] = {}
        self.inputs: dict[str, str] = {}
        self.said = ""
        self.code = 0
        self.uploaded: dict[str, str] = {}
        for name in ("summary", "path"):
            (temp / name).touch()

    @property
    def summary(self) -> str:
        return (self.temp / "summary").read_text()

    def use(self, **inputs: str) -> None:
        """Run the action with these inputs."""
        declared = {name: each.get("default", "") for name, each in ACTION["inputs"].items()}
        assert set(inputs) <= {name.replace("-", "_") for name in declared}
        self.inputs = declared | {name.replace("_", "-"): v for name, v in inputs.items()}
        self.outputs, self.code, self.uploaded, self.said = {}, 0, {}, ""
        (self.temp / "summary").write_text("")
        for step in STEPS:
            condition = step.get("if", "")
            if (self.code and "always()" not in condition) or not self.holds(condition):
                continue
            self.outputs[step.get("id", "")] = self.step(step)

    def step(self, step: dict[str, Any]) -> dict[str, str]:
        given = {k: self.filled(str(v)) for k, v in step.get("with", {}).items()}
        match step.get("uses", "").partition("@")[0]:
            case "actions/setup-python":
                return {"python-path": sys.executable}
            case "actions/cache":
                assert Path(given["path"]).is_relative_to(self.temp)
                return {"cache-hit": "true" if Path(given["path"]).is_dir() else ""}
            case "actions/upload-artifact":
                self.uploaded = given
                return {}
        return self.shell(step)

    def shell(self, step: dict[str, Any]) -> dict[str, str]:
        assert step["shell"] == "bash"
        assert "${{" not in step["run"], "what is pasted into a script is run by it"
        output, script = self.temp / "output", self.temp / "script.sh"
        output.write_text("")
        script.write_text(step["run"])
        done = subprocess.run(
            [*BASH, script],
            cwd=self.workspace / self.filled(step.get("working-directory", ".")),
            env=self.environment({k: self.filled(v) for k, v in step.get("env", {}).items()}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.code, self.said = self.code or done.returncode, self.said + done.stdout
        return dict(line.split("=", 1) for line in output.read_text().splitlines())

    def environment(self, own: dict[str, str]) -> dict[str, str]:
        path = [*(self.temp / "path").read_text().split(), os.defpath]
        return {
            "HOME": str(self.temp),
            "PATH": os.pathsep.join(path),
            "LANG": "C.UTF-8",
            "MESHDEMO_STATE_DIR": str(self.temp / "state"),
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_OUTPUT": str(self.temp / "output"),
            "GITHUB_STEP_SUMMARY": str(self.temp / "summary"),
            "GITHUB_PATH": str(self.temp / "path"),
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_REPOSITORY": "team/rules",
            "GITHUB_SHA": "1f2e",
            "RUNNER_TEMP": str(self.temp),
            # So that the wheel is built with the backend that is here.
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",
            **{key: os.environ[key] for key in ("MESHDEMO_ENVOY",) if key in os.environ},
            **own,
        }

    def value(self, name: str) -> str:
        kind, _, rest = name.partition(".")
        if kind == "inputs":
            return self.inputs[rest]
        if kind == "github":
            return {"action_path": str(self.action)}[rest]
        step, _, output = rest.partition(".outputs.")
        assert step in {each.get("id") for each in STEPS}, name
        return self.outputs.get(step, {}).get(output, "")

    def filled(self, text: str) -> str:
        return re.sub(rf"\$\{{\{{ {NAME} \}}\}}", lambda found: self.value(found[1]), text)

    def holds(self, condition: str) -> bool:
        if not condition:
            return True
        text = re.sub(NAME, lambda found: repr(self.value(found[1])), condition)
        text = text.replace("&&", "and").replace("always()", "True")
        return bool(eval(text, {"__builtins__": {}}))  # noqa: S307 - of our own file


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """Have the action set itself up, as by its first use in a job."""
    temp = tmp_path_factory.mktemp("runner")
    workspace = temp / "workspace"
    workspace.mkdir()
    action = temp / "action"
    (action / "requirements").mkdir(parents=True)
    for name in ("run.txt", "envoy.txt"):
        (action / "requirements" / name).touch()
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, action / name)
    found = Runner(temp, workspace, action)
    found.use(command="moon")
    assert found.code == 2, found.said
    (site,) = (temp / "meshdemo/venv/lib").glob("python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return found


@pytest.fixture
def job(runner: Runner) -> Runner:
    """Have rules and a test of them in the workspace, as they are checked out."""
    shutil.rmtree(runner.workspace)
    folder = runner.workspace / "mesh"
    folder.mkdir(parents=True)
    (folder / "the rules.yaml").write_text(RULES)
    (folder / "shop.meshtest.yaml").write_text(TESTS)
    return runner


def rules(job: Runner, old: str, new: str) -> None:
    file = job.workspace / "mesh/the rules.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def test_a_command_that_there_is_not_is_named(runner: Runner) -> None:
    runner.use(command="moon")
    assert (runner.code, runner.outputs["run"]) == (2, {"exit-code": "2"})
    assert "::error title=meshdemo::command is test, lint or verify, not moon" in runner.said


def test_the_wheel_is_built_once_and_later_steps_find_the_command(job: Runner) -> None:
    (wheel,) = job.temp.glob("meshdemo-cpython-*/*.whl")
    before = wheel.stat().st_mtime_ns
    job.use(command="lint", working_directory="mesh")
    assert job.outputs["cache"] == {"cache-hit": "true"}
    assert wheel.stat().st_mtime_ns == before
    later = {"PATH": job.environment({})["PATH"]}
    found = shutil.which("meshdemo", path=later["PATH"])
    assert found == str(job.temp / "meshdemo/bin/meshdemo")
    ask = "import meshdemo; print(meshdemo.__file__)"
    python = job.temp / "meshdemo/venv/bin/python"
    where = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True)
    assert where.stdout.startswith(str(job.temp)), "the wheel, and not the sources"


def test_rules_that_hold_pass_and_the_report_is_uploaded(job: Runner) -> None:
    job.use(working_directory="mesh")
    assert job.code == 0, job.said
    assert "::" not in job.said
    assert job.summary.startswith("<h3>✔ meshdemo test: 1 ok of 1 test</h3>")
    assert job.outputs["run"]["exit-code"] == "0"
    assert job.uploaded["name"] == "meshdemo-junit"
    (case,) = ET.parse(job.uploaded["path"]).iter("testcase")  # noqa: S314 - ours
    assert (case.get("name"), len(case)) == ("the old path", 0)


def test_what_fails_is_seen_at_the_rule_in_the_summary_and_in_the_report(job: Runner) -> None:
    rules(job, "/new", '"/100%,new"')
    job.use(args="mesh")
    assert (job.code, job.outputs["run"]["exit-code"]) == (1, "1")
    (line,) = (line for line in job.said.splitlines() if line.startswith("::"))
    assert line.startswith(
        "::error title=route test%3A the old path,file=mesh/the rules.yaml,line=8::expected: "
    )
    assert "/100%25,new" in line
    assert job.summary.startswith("<h3>✘ meshdemo test: 0 ok, 1 failed of 1 test</h3>")
    link = "https://github.com/team/rules/blob/1f2e/mesh/the%20rules.yaml#L8"
    assert link in job.summary
    (failure,) = ET.parse(job.uploaded["path"]).iter("failure")  # noqa: S314 - ours
    assert "/100%,new" in (failure.get("message") or "")


def test_lint_has_a_place_for_what_is_refused_and_no_report(job: Runner) -> None:
    rules(job, "redirect: {uri: /new}", "redirect: {uri: /new, redirectCode: 999}")
    job.use(command="lint", args='"mesh/the rules.yaml"', artifact="none")
    assert (job.code, job.outputs["run"]) == (2, {"exit-code": "2"})
    assert "::error title=meshdemo lint (istio) IST0106,file=mesh/the rules.yaml,line=9" in job.said
    assert not job.uploaded


def test_verify_says_that_nothing_is_up(job: Runner) -> None:
    job.use(command="verify", args="--expect v2=100%")
    assert (job.code, job.outputs["run"]) == (3, {"exit-code": "3"})
    assert "::error title=meshdemo verify::" in job.said


@pytest.mark.parametrize(
    ("args", "code"),
    [
        pytest.param("'mesh", 2, id="a quote that nobody ends"),
        pytest.param("mesh; touch moon", 2, id="a command"),
        pytest.param("$(touch moon)", 2, id="a substitution"),
        pytest.param("mesh/*", 2, id="a pattern"),
        pytest.param("mesh --rules 'mesh/the rules.yaml'", 0, id="a word with a space"),
    ],
)
def test_arguments_are_words_and_nothing_else(job: Runner, args: str, code: int) -> None:
    job.use(args=args)
    assert (job.code, job.outputs["run"]["exit-code"]) == (code, str(code)), job.said
    assert not (job.workspace / "moon").exists()


def test_what_the_action_says_of_itself_is_what_it_reads() -> None:
    text = (ROOT / "action.yml").read_text()
    assert set(re.findall(r"\$\{\{ inputs\.([\w-]+)", text)) | {"artifact"} == set(ACTION["inputs"])
    assert ACTION["runs"]["using"] == "composite"
    for step in STEPS:
        assert ("run" in step) != ("uses" in step)
        assert "@v" in step.get("uses", "@v")
    for output in ACTION["outputs"].values():
        assert re.fullmatch(r"\$\{\{ steps\.run\.outputs\.[\w-]+ \}\}", output["value"])


def test_the_docs_use_it_as_it_is() -> None:
    text = (ROOT / "docs/ci.md").read_text()
    (block,) = (b for b in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "runs-on" in b)
    steps = yaml.safe_load(block)["jobs"]["mesh"]["steps"]
    used = [step["with"] for step in steps if step["uses"].startswith("OWNER/meshdemo@")]
    assert len(used) == 2
    for each in used:
        assert set(each) <= set(ACTION["inputs"])
    (listed,) = re.findall(r"^- The inputs are (.*?)\. The outputs are (.*)\.$", text, re.MULTILINE)
    assert set(re.findall(r"`([\w-]+)`", listed[0])) == {
        *ACTION["inputs"],
        "test",
        "lint",
        "verify",
    }
    assert set(re.findall(r"`([\w-]+)`", listed[1])) == set(ACTION["outputs"])
