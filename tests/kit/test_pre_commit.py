"""The hooks for pre-commit, run as pre-commit runs them: the entry, its args, the files' names."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.kit.shop import RULES
from tests.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

HOOKS = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
YAML = (".yaml", ".yml")
"""What pre-commit's ``types: [yaml]`` goes by."""
KNOWN = {
    *("id", "name", "description", "entry", "language", "types"),
    *("require_serial", "pass_filenames"),
}
TESTS = """
apiVersion: meshdemo.dev/v1
kind: RouteTest
metadata: {name: shop}
rules: [../rules]
tests:
- name: old path
  request: {url: "http://shop/old"}
  expect: {status: 301, location: "http://shop/new"}
"""
OTHERS = {
    ".pre-commit-config.yaml": "repos: []\n",
    ".github/workflows/test.yml": "on: push\njobs: {test: {steps: []}}\n",
    "README.md": "# Rules\n",
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Make a git repository with rules, a test of them, and what else there is in one."""
    files = {"rules/shop.yaml": RULES, "tests/shop.meshtest.yaml": TESTS, **OTHERS}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    for command in (["init", "--quiet"], ["add", "--all"]):
        subprocess.run(["git", "-C", tmp_path, *command], check=True)
    return tmp_path


@pytest.fixture
def hook(repository: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a hook over all files, as ``pre-commit run --all-files`` does."""

    def run(name: str, *args: str) -> subprocess.CompletedProcess[str]:
        hook: dict[str, Any] = HOOKS[name]
        listed = ["git", "ls-files"]
        known = subprocess.run(listed, cwd=repository, check=True, capture_output=True, text=True)
        files = [file for file in known.stdout.split() if file.endswith(YAML)]
        return subprocess.run(
            [*shlex.split(hook["entry"]), *args, *(files if hook.get("pass_filenames", 1) else ())],
            cwd=repository,
            env={**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def change(repository: Path, old: str, new: str) -> None:
    file = repository / "rules/shop.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_they_say_what_pre_commit_reads() -> None:
    assert set(HOOKS) == {"meshdemo-lint", "meshdemo-test"}
    for hook in HOOKS.values():
        assert set(hook) <= KNOWN
        assert (hook["language"], hook["types"]) == ("python", ["yaml"])


@pytest.mark.parametrize("name", HOOKS)
def test_a_repository_that_is_right_passes(
    name: str, hook: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    done = hook(name)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_istio_refuses_is_refused(
    repository: Path, hook: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    change(repository, "redirect: {uri: /new}", "redirect: {uri: /new, redirectCode: 999}")
    done = hook("meshdemo-lint")
    assert done.returncode == 2
    assert "rules/shop.yaml:9: error: VirtualService default/shop spec.http[0]" in done.stdout


def test_warnings_count_where_the_repository_says_so(
    hook: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = hook("meshdemo-lint", "--strict")  # args: [--strict]
    assert done.returncode == 2
    assert 'no service has the host "shop"' in done.stdout


def test_a_rule_that_contradicts_a_test_fails(
    repository: Path, hook: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    change(repository, "/new", "/newer")
    done = hook("meshdemo-test")
    assert done.returncode == 1
    assert "got:      Location http://shop/newer" in done.stdout


def test_the_docs_name_them() -> None:
    text = (ROOT / "docs/ci.md").read_text()
    (block,) = (b for b in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "repos:" in b)
    (used,) = yaml.safe_load(block)["repos"]
    assert {hook["id"] for hook in used["hooks"]} == set(HOOKS)
