"""The lessons in other forms: all of them are there, and each script says whether one is passed."""

from __future__ import annotations

import io
import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.paths import PROGRAM
from tests.printed import read

from meshdemo.cli import main
from meshdemo.cli.invocation import Invocation
from meshdemo.errors import ExitCode
from meshdemo.report.progress import Progress
from meshdemo.tour import lessons
from meshdemo.tour.placing import copied

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EVERY = lessons.every()


class Place:
    """A folder with the lessons, and a mesh of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state = folder / "lessons", folder / "state"

    def export(self, *words: str, on: Invocation | None = None) -> int:
        state = ["--state-dir", str(self.state)]
        return main(
            ["tour", "export", words[0], str(self.folder), *words[1:], *state], invocation=on
        )

    def run(self, script: str) -> int:
        path = f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "MESHDEMO_STATE_DIR": str(self.state), "PATH": path}
        done = subprocess.run(
            ["sh", "-c", script], cwd=self.folder, env=environment, check=False, capture_output=True
        )
        return done.returncode


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    main(["down", "--state-dir", str(made.state), "-q"])


def test_killercodas_scenarios_have_every_file_that_they_name(place: Place) -> None:
    printed = io.StringIO()
    invocation = Invocation(progress=Progress.on(printed, io.StringIO()))
    assert place.export("killercoda", "--lang", "en", "-o", "json", on=invocation) == ExitCode.OK
    found, steps = set(), []
    for item in json.loads((place.folder / "structure.json").read_text())["items"]:
        folder = place.folder / item["path"]
        details = json.loads((folder / "index.json").read_text())["details"]
        steps += details["steps"]
        for part in (details["intro"], *details["steps"], details["finish"]):
            files = {value for name, value in part.items() if name != "title"}
            found |= {folder / file for file in files}
    assert [step["title"] for step in steps] == [lesson.title("en") for lesson in EVERY]
    assert all("verify" in step for step in steps)
    written = {file for file in place.folder.rglob("*") if file.is_file()}
    assert {each["path"] for each in read(printed.getvalue())["files"]} == set(map(str, written))
    assert found == {file for file in written if file.suffix != ".json"}
    scripts = [file for file in written if file.suffix == ".sh"]
    assert all(os.access(file, os.X_OK) for file in scripts)
    subprocess.run(["bash", "-n", *scripts], check=True)
    texts = [file.read_text() for file in written if file.suffix == ".md"]
    assert not any(lessons.FILE in text or "```console" in text for text in texts)


def test_killercodas_scripts_say_whether_a_lesson_is_passed(place: Place) -> None:
    assert place.export("killercoda") == ExitCode.OK
    verify = "bash repair/step2/verify.sh"
    assert place.run(verify) == ExitCode.NOT_MET
    background = (place.folder / "repair/step2/background.sh").read_text()
    lines = [line for line in background.splitlines() if "while" not in line]
    assert place.run("\n".join(lines)) == ExitCode.OK
    assert place.run(verify) == ExitCode.NOT_MET
    solution = lessons.find("label-drift").solution.read_bytes()
    (place.state / "tour" / "label-drift.yaml").write_bytes(solution)
    assert place.run(verify) == ExitCode.OK


def test_pages_have_the_lessons_files_and_their_scripts_say_whether_they_are_passed(
    place: Place,
) -> None:
    assert place.export("markdown", "--lang", "zh") == ExitCode.OK
    contents = (place.folder / "README.md").read_text()
    assert all(f"[{each.title('zh')}]({each.folder.name}.md)" in contents for each in EVERY)
    pages = [(place.folder / f"{each.folder.name}.md").read_text() for each in EVERY]
    assert not any(lessons.FILE in page for page in pages)
    verify, up = (
        "sh 14-label-drift/verify.sh",
        "meshdemo up --no-verify -f 14-label-drift/start.yaml",
    )
    assert f"$ {up} -f 14-label-drift/rules.yaml" in pages[13]
    assert place.run(f"{up} -f 14-label-drift/rules.yaml") == ExitCode.OK
    assert place.run(verify) == ExitCode.NOT_MET
    assert place.run(f"{up} -f 14-label-drift/solution.yaml") == ExitCode.OK
    assert place.run(verify) == ExitCode.OK


def test_a_folder_that_holds_anything_is_left_as_it_is(place: Place) -> None:
    place.folder.mkdir()
    (place.folder / "mine").write_text("mine")
    assert place.export("markdown") == ExitCode.BAD_INPUT
    assert [file.name for file in place.folder.iterdir()] == ["mine"]


@pytest.mark.parametrize("words", [[], ["html", "x"], ["markdown"], ["markdown", "x", "y"]])
def test_what_makes_no_sense_is_refused(words: list[str], tmp_path: Path) -> None:
    assert main(["tour", "export", *words, "--state-dir", str(tmp_path)]) == ExitCode.BAD_INPUT


def test_a_cluster_gets_images_that_a_registry_has_and_namespaces_of_the_students_own(
    tmp_path: Path,
) -> None:
    for lesson in EVERY:
        own = copied(lesson, tmp_path, {"payments": "anna-payments"})
        assert (own.number, own.name, own.track) == (lesson.number, lesson.name, lesson.track)
        for file in own.folder.iterdir():
            text = file.read_text()
            assert "meshdemo/echo" not in text
            if "payments" in text and "pay" in text:
                names = ("pay.payments", "namespace: payments", "name: payments", "`payments`")
                assert not any(name in text for name in names), file
