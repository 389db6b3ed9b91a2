"""The docs are true: their commands work, their tables are complete, their numbers agree."""

from __future__ import annotations

import inspect
import io
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests import chance
from tests.paths import ROOT
from tests.printed import hold, read, schema, validator

from meshdemo import __version__, diagnosis
from meshdemo.cli import main
from meshdemo.cli.invocation import Invocation
from meshdemo.diagnosis import BESIDE, CHANGED, SEEN
from meshdemo.engines.local import fields
from meshdemo.engines.local.admission import bounds
from meshdemo.engines.local.fields.types import Standing
from meshdemo.errors import ExitCode
from meshdemo.report.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = ROOT / "docs"
BIN = Path(sys.executable).parent
JSON = "docs/reference/exit-codes-and-json.md"
STATE_DIR = "MESHDEMO_STATE_DIR"
LIMIT = 180
"""Seconds that a command of the docs may take."""
ROUTE_TEST = """apiVersion: meshdemo.dev/v1
kind: RouteTest
metadata: {name: shop}
tests: [{name: t, request: {url: "http://shop/"}, expect: {status: 404}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec: {hosts: [shop], http: [{route: [{destination: {host: shop}}]}]}
"""
POLICY = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: nobody}
"""
BAD_RULE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: bad}
spec: {hosts: 1}
"""


@cache
def pages() -> dict[str, str]:
    """Give the text of every page by its path."""
    found = [ROOT / "README.md", *sorted(DOCS.glob("**/*.md"))]
    return {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in found}


def sections() -> dict[tuple[str, str], list[str]]:
    """Give the commands of each section that has some, by page and title."""
    found: dict[tuple[str, str], list[str]] = {}
    for page, text in pages().items():
        for part in re.split(r"^#+ ", text, flags=re.MULTILINE)[1:]:
            blocks = re.findall(r"^```console\n(.*?)^```", part, re.MULTILINE | re.DOTALL)
            commands = re.findall(r"^\$ (.*)$", "".join(blocks), re.MULTILINE)
            if commands:
                found[page, part.splitlines()[0]] = commands
    return found


def files(page: str) -> dict[str, str]:
    """Give the files that a page shows in full, each below its name."""
    shown = r"^`([\w.]+)`:\n\n```\w+\n(.*?)^```"
    return dict(re.findall(shown, pages()[page], re.MULTILINE | re.DOTALL))


def rows(page: str, title: str) -> list[list[str]]:
    """Give the cells of the tables in one section, without their heads."""
    section = re.split(rf"^#+ {re.escape(title)}\n", pages()[page], flags=re.MULTILINE)[1]
    section = re.split(r"^#", section, flags=re.MULTILINE)[0]
    tables = re.findall(r"^\|[-|]+\|\n((?:\|.*\n)+)", section, re.MULTILINE)
    assert tables
    return [re.split(r" *(?<!\\)\| *", line)[1:-1] for line in "".join(tables).splitlines()]


def code(cell: str) -> list[str]:
    """Give what stands in backticks in a cell."""
    return re.findall(r"`([^`]+)`", cell)


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Put the command on PATH, and its mesh into a folder of the test."""
    environment = {
        **os.environ,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        STATE_DIR: str(tmp_path / "state"),
    }
    yield environment
    if Path(environment[STATE_DIR]).exists():
        subprocess.run([BIN / "meshdemo", "down"], env=environment, check=True, capture_output=True)


@pytest.mark.parametrize(
    ("seen", "by_chance"),
    [
        pytest.param("v1: 1,307 of 1,800 answers, 72.6 % where 75 % is expected", True, id="maybe"),
        pytest.param("v1: 200 of 459 answers, 43.6 % where 75 % is expected", False, id="never"),
        pytest.param("v1: 1 of 459 answers, 0.2 % where 0 % is expected", False, id="hidden"),
        pytest.param("nothing was counted", False, id="no counts"),
    ],
)
def test_what_may_be_chance_is_told_from_what_is_none(seen: str, by_chance: bool) -> None:
    def told(code: ExitCode, said: str) -> bool:
        return chance.of_verdict(subprocess.CompletedProcess([], code, said))

    assert told(ExitCode.NOT_MET, seen) is by_chance
    assert not told(ExitCode.INCONCLUSIVE, seen)
    left_open = f"{seen}\n  {chance.NOT_RULED_OUT} by 5 points are ruled out"
    assert told(ExitCode.INCONCLUSIVE, left_open) is by_chance


@pytest.mark.parametrize(
    ("got", "by_chance"),
    [("v2 3.65 %, v1 96.35 % of 219 answers", True), ("v2 0 %, v1 100 % of 219 answers", False)],
)
def test_chance_is_told_in_what_pytest_prints_too(got: str, by_chance: bool) -> None:
    of_python = ["E       expected: shares v2=10%", f"E       got:      {got}", "  ✔ as they say"]
    of_file = ["expected: shares v2=10%", f"got:      {got}"]

    def told(*tests: str) -> bool:
        failed = [f"FAILED {test}" for test in tests]
        said = "".join(f"{line}\n" for line in [*of_python, *of_file, *failed])
        return chance.of_route_tests(subprocess.CompletedProcess((), 1, said))

    assert told("test_shop.py::test_canary", "shop.meshtest.yaml::canary") is by_chance
    assert not told("test_shop.py::test_canary", "shop.meshtest.yaml::canary", "test_shop.py::b")


@pytest.mark.parametrize(
    ("page", "commands"),
    [
        pytest.param(page, commands, id=f"{page} {title}")
        for (page, title), commands in sections().items()
        if "make up" not in commands
    ],
)
def test_the_commands_of_each_section_work_in_their_order(
    page: str, commands: list[str], environment: dict[str, str], tmp_path: Path
) -> None:
    for name, text in files(page).items():
        (tmp_path / name).write_text(text)
    for command in commands:
        # Targets of make that run the tests or change the sources are only looked up.
        make = command.startswith("make ")
        done = subprocess.run(
            ["sh", "-c", f"{command} --dry-run" if make else command],
            cwd=ROOT if make else tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        right = done.returncode == 0 or chance.of_verdict(done) or chance.of_route_tests(done)
        assert right, f"{command}\n{done.stdout}\n{done.stderr}"
        hold(done.stdout)


def test_the_chinese_readme_has_the_commands_the_output_and_the_links_of_the_english_one() -> None:
    # So its commands work: those of the English one are run above.
    english, chinese = (
        (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh.md")
    )
    block, link = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL), re.compile(r"\]\((.*?)\)")
    assert block.findall(chinese) == block.findall(english) != []
    other, *links = link.findall(english)
    back, *theirs = link.findall(chinese)
    assert (other, back) == ("README.zh.md", "README.md")
    assert theirs == links != []
    words = re.compile(r"`([^`\n]+)`")
    assert set(words.findall(english)) <= set(words.findall(chinese)), "what is to be typed"


def test_the_first_command_of_all_is_up() -> None:
    # make itself would first bring .venv up to date. That `up` works is seen in tests/e2e.
    recipe = ["make", "--dry-run", "--old-file=.venv/run.stamp", "up"]
    printed = subprocess.run(recipe, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert printed.split() == [".venv/bin/meshdemo", "up"]


def every_command() -> set[str]:
    said = subprocess.run([BIN / "meshdemo", "--help"], check=True, capture_output=True, text=True)
    return set(re.findall(r"^  ([a-z][a-z-]+)  ", said.stdout, re.MULTILINE))


def test_every_command_has_its_row_and_every_row_its_command() -> None:
    commands = every_command()
    cells = [row[0] for row in rows("docs/reference/commands.md", "Commands")]
    assert {name.split()[0] for cell in cells for name in code(cell)} == commands


def test_every_exit_code_has_its_row() -> None:
    table = rows(JSON, "Exit codes")
    codes = {int(number) for row in table for number in row[0].split(", ")}
    assert codes == {int(number) for number in ExitCode}


def parts(data: Any) -> Iterator[tuple[str, set[str]]]:
    """Give the keys of each mapping in a document with its name; ``NAME[]`` is one of a list."""
    for key, value in data.items() if isinstance(data, dict) else ():
        items = value if isinstance(value, list) else [value]
        name = f"{key}[]" if isinstance(value, list) else key
        for item in items:
            if isinstance(item, dict) and key not in ("spec", "object"):  # Kubernetes' own form
                yield name, set(item)
                yield from parts(item)


def mappings(data: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Give each mapping in a document, and the keys that lead to it; Kubernetes' own form aside."""
    if isinstance(data, dict):
        yield place, data
    for key, value in data.items() if isinstance(data, dict) else ():
        for item in value if isinstance(value, list) else [value]:
            if key not in ("spec", "object"):
                yield from mappings(item, (*place, key))


def assert_strict(document: Any) -> None:
    """See that the schema takes no other key, wherever it stands, and misses each that it has."""
    for place, each in dict(mappings(document)).items():
        each["moon"] = {}
        assert not validator().is_valid(document), (*place, "moon")
        del each["moon"]
    for key, value in list(document.items()):
        del document[key]
        assert not validator().is_valid(document), f"without {key}"
        document[key] = value


def test_the_keys_of_json_are_those_that_are_printed(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(STATE_DIR, environment[STATE_DIR])
    (tmp_path / "bad.yaml").write_text(BAD_RULE)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "shop.meshtest.yaml").write_text(ROUTE_TEST)
    (tmp_path / "tests" / "policy.yaml").write_text(POLICY)
    common = {key for row in rows(JSON, "JSON") for key in code(row[0])}
    commands = {
        code(row[0])[0]: set(code(row[1])) for row in rows(JSON, "The keys of each command")
    }
    described = schema()["else"]["properties"]["command"]["enum"]
    assert {command.split()[0] for command in commands} == set(described)
    assert set(described) == every_command() - {"get", "shell", "ui", "watch"}, "no document"
    kinds = schema()["$defs"]["class"]["oneOf"]
    of_a_class = [commands.pop(f"class {kind['description']}") for kind in kinds]  # e2e_cluster's
    assert of_a_class == [set(kind["required"]) for kind in kinds]
    commands["up"] = commands["up"] - {"verify", "--no-verify"} | commands["verify"]
    commands["up -f bad.yaml"] = {"error"}
    said = {tuple(code(row[0])): set(code(row[1])) for row in rows(JSON, "The parts")}
    seen: dict[tuple[str, ...], set[str]] = {names: set() for names in said}
    for command, keys in commands.items():
        name, *rest = command.split()
        few = ["--requests", "20"] if command in ("up", "verify") else []
        out, err = io.StringIO(), io.StringIO()
        main(
            [name, "-o", "json", *rest, *few], invocation=Invocation(progress=Progress.on(out, err))
        )
        document = read(out.getvalue())
        assert set(document) == common | keys, command
        if command != "inject -f .":
            assert_strict(document)
        for part, found in parts(document) if command != "inject -f ." else ():
            for names in said:
                seen[names] |= found if part in names else set()
    assert seen == said


def test_the_keys_of_a_record_are_those_of_the_schema() -> None:
    said = {key for row in rows(JSON, "Record") for key in code(row[0])}
    assert said == set(schema()["$defs"]["record"]["required"])


def test_the_causes_are_those_that_the_code_names_in_the_order_in_which_it_looks() -> None:
    called = r"\bCause\(\s*(\"[a-z-]+\")?"
    looked_for = [
        re.findall(called, inspect.getsource(look)) for look in (*BESIDE, *CHANGED, *SEEN)
    ]
    assert all(looked_for), "each looks for a cause"
    names = list(dict.fromkeys(name.strip('"') for found in looked_for for name in found))
    assert [code(row[0])[0] for row in rows("docs/reference/causes.md", "Causes")] == names
    folder = Path(inspect.getfile(diagnosis)).parent
    everywhere = "".join(file.read_text() for file in folder.glob("*.py")).replace(
        "class Cause", ""
    )
    assert {name.strip('"') for name in re.findall(called, everywhere)} == set(names)


def test_the_changelog_knows_the_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## \[(.+?)\]", changelog, re.MULTILINE)[1] == __version__  # type: ignore[index]  # None fails as well


def checker(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, DOCS / script, *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_the_reference_is_current() -> None:
    done = checker("write_reference.py", "--check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_reference_that_is_not_current_is_named_with_the_way_out(tmp_path: Path) -> None:
    shutil.copytree(DOCS, tmp_path / "docs", ignore=shutil.ignore_patterns("_build"))
    page = tmp_path / "docs/reference/fields.md"
    page.write_text(page.read_text().replace("| `spec.hosts` | a list", "| `spec.hosts` | a lot"))
    done = checker(str(tmp_path / "docs/write_reference.py"), "--check")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == "docs/reference: not current: fields.md. Type: make reference\n"


def test_a_link_that_leads_nowhere_is_named_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/page.md").write_text("# A page\n\n## Two `words`, twice\n")
    (tmp_path / "README.md").write_text(
        "[to](docs/page.md#two-words-twice) [out](https://example.org/#x) ![pic](none.png)\n"
        "\n| a |\n|---|\n| [away](docs/none.md) |\n\n[within](docs/page.md#none) [here](#none)\n"
    )
    done = checker("check_links.py", tmp_path)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "README.md:1: none.png: there is no none.png",
        "README.md:5: docs/none.md: there is no docs/none.md",
        "README.md:7: docs/page.md#none: page.md has no heading #none",
        "README.md:7: #none: README.md has no heading #none",
    ]


def bullet(begins: str) -> str:
    """Give the one bullet of the limits that begins so."""
    (line,) = [
        line for line in pages()["docs/limits.md"].splitlines() if line.startswith(f"- {begins}")
    ]
    return line


@pytest.mark.parametrize(
    ("begins", "standing"),
    [("Accepted without effect", Standing.IDLE), ("Refused, as", Standing.UNSUPPORTED)],
)
def test_what_becomes_of_a_field_is_what_the_table_says(begins: str, standing: Standing) -> None:
    found = {path.rpartition(".")[2]: row.standing for path, row in fields.every_row("Deployment")}
    words = re.findall(r"`(\w+)`", bullet(begins))
    assert words
    assert {word: found[word] for word in words} == dict.fromkeys(words, standing)


def test_the_bounds_are_those_that_hold() -> None:
    found = re.findall(r"[\d,]*\d", bullet("At most "))
    numbers = [int(number.replace(",", "")) for number in found]
    bounded = [bounds.MOST_PODS, bounds.MOST_OBJECTS, bounds.MOST_PORTS, bounds.MOST_POD_PORTS]
    bounded.append(bounds.MOST_ITEMS)
    assert numbers == bounded


def test_the_picture_of_the_rooms_is_what_the_linter_holds() -> None:
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r"^layers = \[\n([^\]]*)", settings, re.MULTILINE)  # the first contract's
    assert found
    picture = pages()["docs/contributing.md"].partition("```text\n")[2].partition("```")[0]
    shown = re.findall(r"^  ([a-z_]+(?:, [a-z_]+)*)\b", picture, re.MULTILINE)
    held = [layer.replace(" : ", ", ") for layer in re.findall(r'"(.*)"', found[1])]
    assert shown == held
