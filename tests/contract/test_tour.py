"""The lessons of the tour on the local engine: one mesh for all of them, one after another."""

from __future__ import annotations

import io
import os
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.paths import ROOT
from tests.printed import read

from meshdemo.cli import main
from meshdemo.cli.invocation import Invocation
from meshdemo.engines.local.engine import LocalEngine
from meshdemo.engines.results import Where
from meshdemo.errors import ExitCode
from meshdemo.language import LANGUAGES
from meshdemo.report.progress import Progress
from meshdemo.settings import Settings
from meshdemo.tour import lessons, staging
from meshdemo.tour.progress import Desk, Staged, mesh
from meshdemo.walkthrough.events import Started

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from meshdemo.engines.results import Change
    from meshdemo.objects.model import Object
    from meshdemo.tour.lessons import Lesson

EVERY = lessons.every()
EACH = pytest.mark.parametrize("lesson", EVERY, ids=[lesson.name for lesson in EVERY])
BLOCK = re.compile(r"^```\w*\n.*?^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")


DISGUISES = """
apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata: {name: app}
spec:
  host: app
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
---
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata: {name: app}
spec:
  hosts: [app]
  http: [{route: [{destination: {host: app, subset: v2}}]}]
"""
"""Hides pods that fail, and teaches nothing."""
EXTRA = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: extra}
spec:
  hosts: [extra.example]
  http: [{route: [{destination: {host: app}}]}]
"""
ROUTES_AROUND = DISGUISES.replace(
    "  http: [{route",
    """  http:
  - match: [{headers: {x-echo-status: {exact: "500"}}}]
    route: [{destination: {host: app, subset: v2}}]
  - route: [{destination: {host: app}}]
#""",
)
"""Knows which requests fail and where, and tries none of them again."""
RETRIES = """
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata: {name: app}
spec:
  hosts: [app]
  http: [{route: [{destination: {host: app}}], retries: {attempts: 3, retryOn: 5xx}}]
"""
REFUSES = """---
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata: {name: reports}
spec:
  hosts: [reports]
  http:
  - fault: {abort: {httpStatus: 503, percentage: {value: 100}}}
    route: [{destination: {host: reports}}]
"""
"""Answers 503, and has no limit."""
BROKEN = """---
apiVersion: apps/v1
kind: Deployment
metadata: {name: broken}
spec:
  selector: {matchLabels: {app: broken}}
  template:
    metadata: {labels: {app: broken}, annotations: {meshdemo.dev/command: "false"}}
    spec: {containers: [{name: app, image: dustise/flaskapp}]}
"""
ENDS_LIKE_HERS = ("exact: anna", "regex: .*na")
OF_ONE_PATH = (
    "    - route:",
    """    - match: [{uri: {exact: /}}]
      route: [{destination: {host: app}}]
    - route:""",
)
WRONG: dict[str, list[str | tuple[str, str]]] = {
    "header": [ENDS_LIKE_HERS],
    "fault": [
        ("exact: anna", "prefix: anna"),
        ("exact: bob", "regex: .*"),
        ("fixedDelay: 0.5s", "fixedDelay: 0.1s"),
        ("fixedDelay: 0.5s", "fixedDelay: 1s"),
    ],
    "timeout": [("timeout: 0.5s", "timeout: 0.95s"), OF_ONE_PATH],
    "retries": [DISGUISES, ROUTES_AROUND, ("attempts: 2", "attempts: 1")],
    "mirroring": [("mirror:\n        host: app\n        subset: v2", "mirror:\n        host: app")],
    "circuit-breaking": [
        DISGUISES,
        RETRIES,
        ("consecutive5xxErrors: 3", "consecutive5xxErrors: 100"),
        ("http2MaxRequests: 1", "http2MaxRequests: 2"),
        ("    connectionPool:\n      http:\n        http2MaxRequests: 1\n", REFUSES),
    ],
    "session-affinity": [("httpHeaderName: x-user", "useSourceIp: true")],
    "catch-all-first": [("exact: anna", "regex: .*"), ENDS_LIKE_HERS],
}
"""Answers that look right: whole files, or what is changed in the solution."""


class Screen(io.StringIO):
    """Shows whatever there is to be shown."""

    encoding = "utf-8"


class Learner:
    """Types commands; every mesh of theirs is in one state directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def types(self, *words: str) -> tuple[int, str]:
        out, err = Screen(), Screen()
        invocation = Invocation(progress=Progress.on(out, err))
        arguments = ["--state-dir", str(self.folder), *words]
        code = main(arguments, invocation=invocation)
        return code, out.getvalue() + err.getvalue()

    def asks(self, *words: str) -> Any:
        out = io.StringIO()
        invocation = Invocation(progress=Progress.on(out, io.StringIO()))
        main([*words, "--state-dir", str(self.folder), "-o", "json"], invocation=invocation)
        return read(out.getvalue())

    def tours(self, *words: str) -> None:
        code, said = self.types("tour", *words)
        assert code == ExitCode.OK, said

    def file(self, lesson: Lesson) -> Path:
        return self.folder / "tour" / f"{lesson.name}.yaml"


@pytest.fixture(scope="module")
def learner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Learner]:
    made = Learner(tmp_path_factory.mktemp("tour") / "state")
    yield made
    code, said = made.types("down")
    assert code == ExitCode.OK, said


@pytest.fixture
def newcomer(tmp_path: Path) -> Iterator[Learner]:
    made = Learner(tmp_path / "state")
    yield made
    made.types("down")


def test_where_nothing_is_up_no_lesson_is_passed(newcomer: Learner) -> None:
    for lesson in EVERY:
        code, said = newcomer.types("tour", "check", str(lesson.number))
        assert code == ExitCode.NOT_MET, said
        assert f"goto {lesson.number}" in said


@EACH
def test_each_lesson_fails_before_and_passes_with_its_solution(
    lesson: Lesson, learner: Learner
) -> None:
    number = str(lesson.number)
    learner.tours("reset", number)  # another test may have left its own file
    before = learner.asks("tour", "check", number)
    assert (before["exitCode"], before["passed"]) == (ExitCode.NOT_MET, False)
    assert before["cause"]
    for wrong in WRONG.get(lesson.name, ()):
        solution = lesson.solution.read_text()
        text = wrong if isinstance(wrong, str) else solution.replace(*wrong)
        assert text != solution
        learner.file(lesson).write_text(text)
        found = learner.asks("tour", "check", number)
        assert (found["exitCode"], bool(found["cause"])) == (ExitCode.NOT_MET, True), text
    learner.tours("solution", number, "--apply")
    code, said = learner.types("tour", "check", number)
    assert code == ExitCode.OK, said
    assert lesson.name in {
        e["name"] for e in learner.asks("tour", "list")["lessons"] if e["passed"]
    }


@pytest.mark.parametrize("name", ["walkthrough", "canary", "second-rule", "port-name"])
def test_who_edits_the_file_as_the_solution_says_passes(name: str, learner: Learner) -> None:
    lesson = lessons.find(name)
    learner.tours("reset", name)
    assert learner.types("tour", "check")[0] == ExitCode.NOT_MET
    if lesson is EVERY[0]:
        assert learner.types("up")[0] == ExitCode.OK
        assert learner.types("route", "--clear")[0] == ExitCode.OK
    learner.file(lesson).write_bytes(lesson.solution.read_bytes())
    code, said = learner.types("tour", "check")
    assert code == ExitCode.OK, said


def test_who_takes_the_other_version_away_has_not_passed(learner: Learner) -> None:
    learner.tours("reset", "port-name")
    assert learner.types("delete", "deployment/app-v1")[0] == ExitCode.OK
    found = learner.asks("tour", "check")
    assert found["exitCode"] == ExitCode.NOT_MET
    assert "no pod has the version v1" in str(found)


def test_what_a_pool_held_before_a_check_does_not_count_in_it(learner: Learner) -> None:
    lesson = lessons.find("circuit-breaking")
    learner.tours("reset", lesson.name)
    busy = ("-H", "x-echo-delay: 10", "-H", "x-echo-only: reports", "http://shop/")
    right = lesson.solution.read_text()
    wrong = right.replace("http2MaxRequests: 1", "http2MaxRequests: 2")
    for text, code in ((wrong, ExitCode.NOT_MET), (right, ExitCode.OK)):
        learner.file(lesson).write_text(text)
        for _ in range(2):
            assert learner.types("tour", "check")[0] == code, text
            assert learner.types("exec", "--", "curl", "-s", *busy)[0] == ExitCode.OK


def test_steps_are_passed_one_after_another_in_a_check_of_several(learner: Learner) -> None:
    lesson = lessons.find("canary")
    learner.tours("reset", "canary")
    one = "        - destination:\n            host: app\n            subset: {}\n"
    last = lesson.solution.read_text()
    two = (one + "          weight: {}\n").format
    for shares, said in [((50, 50), "got"), ((90, 10), "Step 1 of 3"), ((50, 50), "Step 2 of 3")]:
        both = two("v1", shares[0]) + two("v2", shares[1])
        learner.file(lesson).write_text(last.replace(one.format("v2"), both))
        code, report = learner.types("tour", "check", "--lang", "en")
        assert (code, said in report) == (ExitCode.NOT_MET, True), report
    found = learner.asks("tour", "check")
    assert (found["exitCode"], found["passed"]) == (ExitCode.NOT_MET, False)
    learner.file(lesson).write_text(last)
    assert learner.types("tour", "check")[0] == ExitCode.OK


@EACH
def test_both_languages_have_the_same_commands_and_yaml(lesson: Lesson) -> None:
    texts = [(lesson.folder / f"{each}.md").read_text(encoding="utf-8") for each in LANGUAGES]
    english, chinese = map(BLOCK.findall, texts)
    assert english == chinese
    english, chinese = (sorted(set(CODE.findall(BLOCK.sub("", text)))) for text in texts)
    assert english == chinese
    assert texts[0].count(lessons.FILE) == texts[1].count(lessons.FILE) >= 1


@EACH
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_lesson_says_what_to_do_two_or_three_hints_and_why(lesson: Lesson, language: str) -> None:
    assert lesson.title(language)
    assert lesson.text(language)
    assert 2 <= len(lesson.hints(language)) <= 3
    assert lesson.why(language)
    is_chinese = bool(re.search("[\u4e00-\u9fff]", lesson.text(language)))
    assert is_chinese is (language == "zh")


@EACH
def test_its_tests_have_names_in_chinese(lesson: Lesson) -> None:
    documents = yaml.safe_load_all(lesson.check.read_text(encoding="utf-8"))
    names = [test["name"] for document in documents for test in document["tests"]]
    assert list(lesson.tests("zh")) == list(dict.fromkeys(names))


def test_a_check_names_its_tests_in_the_language_and_in_json_in_english(learner: Learner) -> None:
    learner.tours("reset", "fault")
    said = learner.types("tour", "check", "--lang", "zh")[1]
    assert "除 anna 以外没有人需要等待 (没有请求头)" in said
    learner.tours("reset", "canary")
    said = learner.types("tour", "check", "--lang", "zh")[1]
    assert "十个请求中九个进入 v1" in said
    assert "nine requests" not in said
    (test,) = learner.asks("tour", "check", "--lang", "zh")["tests"]
    assert test["name"] == "nine requests of ten go to v1, one to v2"


def test_lessons_are_numbered_without_gaps_and_named_once() -> None:
    assert [lesson.number for lesson in EVERY] == list(range(1, len(EVERY) + 1))
    assert len({lesson.name for lesson in EVERY}) == len(EVERY)


def test_what_was_written_is_kept_and_progress_too(newcomer: Learner) -> None:
    lesson = lessons.find("canary")
    newcomer.tours("goto", "2")
    written = lesson.rules.read_text() + "# mine\n"
    newcomer.file(lesson).write_text(written)
    newcomer.tours("goto", "2")
    assert newcomer.file(lesson).read_text() == written
    found = newcomer.asks("tour", "reset")
    assert (newcomer.folder / "tour" / "canary.1.yaml").read_text() == written
    assert found["kept"] == str(newcomer.folder / "tour" / "canary.1.yaml")
    assert newcomer.file(lesson).read_bytes() == lesson.rules.read_bytes()
    newcomer.file(lesson).write_text("# again\n")
    newcomer.tours("reset")
    assert (newcomer.folder / "tour" / "canary.1.yaml").read_text() == written
    assert (newcomer.folder / "tour" / "canary.2.yaml").read_text() == "# again\n"
    code, said = newcomer.types("down")
    assert (code, "in the tour stays: " in said) == (ExitCode.OK, True), said
    assert newcomer.asks("tour")["lesson"]["name"] == "canary"


def test_a_mesh_of_somebody_else_is_left_alone(newcomer: Learner, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    service = "{apiVersion: v1, kind: Service, metadata: {name: mine}, spec: {ports: [{port: 80}]}}"
    own.write_text(service)
    assert newcomer.types("deploy", "-f", str(own))[0] == ExitCode.OK
    code, said = newcomer.types("tour")
    assert code == ExitCode.ENVIRONMENT
    assert "Service default/mine" in said
    assert newcomer.types("get", "svc", "mine")[0] == ExitCode.OK


def test_a_file_that_is_refused_is_bad_input_with_its_line(learner: Learner) -> None:
    lesson = lessons.find("canary")
    learner.tours("reset", "canary")
    wrong = lesson.rules.read_text().replace("subset: v1", "subsett: v1")
    learner.file(lesson).write_text(wrong)
    line = wrong[: wrong.index("subsett")].count("\n") + 1
    code, said = learner.types("tour", "check")
    assert code == ExitCode.BAD_INPUT
    assert f"canary.yaml:{line}" in said


def test_hints_come_one_by_one_and_the_solution_after_a_pass(newcomer: Learner) -> None:
    hints = lessons.find("canary").hints("en")
    for expected in [*hints, hints[-1]]:
        assert newcomer.asks("tour", "hint", "2", "--lang", "en")["hint"] == expected
    assert newcomer.types("tour", "solution", "2")[0] == ExitCode.BAD_INPUT
    shown = newcomer.asks("tour", "solution", "2", "--spoil")["solution"]
    assert shown == lessons.find("canary").solution.read_text()


def renamed(text: str) -> str:
    """Give a lesson's file with the learner's own name for its VirtualService."""
    rule = "VirtualService\nmetadata:\n  name:"
    found = text.replace(f"{rule} app", f"{rule} mine")
    assert found != text
    return found


def test_what_left_the_file_leaves_the_mesh(learner: Learner) -> None:
    lesson = lessons.find("canary")
    learner.tours("reset", "canary")
    learner.file(lesson).write_text(renamed(lesson.solution.read_text()))
    code, said = learner.types("tour", "check")
    assert code == ExitCode.OK, said
    assert "takes precedence" not in said, "the one before has gone by then"
    code, said = learner.types("get", "vs", "-o", "name")
    assert said.split()[:1] == ["virtualservice.networking.istio.io/mine"]


def test_what_the_lesson_began_with_is_put_back_when_it_leaves_the_file(learner: Learner) -> None:
    lesson = lessons.find("label-drift")
    learner.tours("reset", lesson.name)
    service = (ROOT / "manifests" / "app-istio.yaml").read_text().split("---\n")[1]
    learner.file(lesson).write_text(f"{lesson.rules.read_text()}\n---\n{service}")
    assert learner.types("tour", "check")[0] == ExitCode.NOT_MET
    learner.file(lesson).write_bytes(lesson.solution.read_bytes())
    code, said = learner.types("tour", "check")
    assert code == ExitCode.OK, said


def test_a_reset_that_was_ended_in_the_middle_is_gone_on_with(learner: Learner) -> None:
    lesson = lessons.find("canary")
    learner.tours("reset", "canary")
    learner.file(lesson).write_text(renamed(lesson.rules.read_text()))
    assert learner.types("tour", "check")[0] == ExitCode.NOT_MET
    engine = LocalEngine(Settings(state_dir=learner.folder, timeout=60))
    story = staging.begin(engine, lesson, Desk(learner.folder), 60)
    assert isinstance(next(story), Started)
    story.close()
    code, said = learner.types("tour", "check")
    assert (code, "not set up" in said) == (ExitCode.NOT_MET, True), said
    learner.tours("goto", "canary")
    assert "mine" not in learner.types("get", "vs", "-o", "name")[1]


class Ending(LocalEngine):
    """One that is ended as soon as something was deleted."""

    def delete(self, objects: Sequence[Object]) -> tuple[Change, ...]:
        super().delete(objects)
        raise KeyboardInterrupt


def test_rules_that_a_check_was_putting_in_anew_when_it_was_ended_come_back(
    learner: Learner,
) -> None:
    lesson = lessons.find("circuit-breaking")
    learner.tours("reset", lesson.name)
    learner.file(lesson).write_bytes(lesson.solution.read_bytes())
    assert learner.types("tour", "check")[0] == ExitCode.OK
    engine = Ending(Settings(state_dir=learner.folder, timeout=60))
    with pytest.raises(KeyboardInterrupt):
        staging.forget(engine, lesson, Desk(learner.folder), 60)
    assert "/app" not in learner.types("get", "destinationrules", "-o", "name")[1]
    code, said = learner.types("tour", "check")
    assert code == ExitCode.OK, said


def test_a_solution_is_in_force_until_the_learner_goes_on_in_their_file(newcomer: Learner) -> None:
    lesson = lessons.find("header")
    newcomer.tours("goto", "header")
    newcomer.file(lesson).write_text("kind: [\n")  # a slip
    newcomer.tours("solution", "header", "--apply")
    assert newcomer.types("tour", "check")[0] == ExitCode.OK
    own = lesson.solution.read_text().replace("  name: app\n", "  name: own\n")
    assert own != lesson.solution.read_text()
    newcomer.file(lesson).write_text(own.replace("subset: v2", "subset: v1"))
    code, said = newcomer.types("tour", "check")
    assert (code, "v1 100 %" in said) == (ExitCode.NOT_MET, True), said
    names = newcomer.types("get", "virtualservices", "-o", "name")[1]
    assert "/own" in names
    assert "/app" not in names
    newcomer.tours("goto", "4")


def test_after_down_a_lesson_is_set_up_anew_whatever_runs_there(newcomer: Learner) -> None:
    lesson = lessons.find("path")
    newcomer.tours("goto", "path")
    for argv in (("down",), ("up", "--no-verify")):
        assert newcomer.types(*argv)[0] == ExitCode.OK
    code, said = newcomer.types("tour", "check")
    assert (code, "lesson 4 is not set up here" in said) == (ExitCode.NOT_MET, True), said
    newcomer.tours()
    assert "app-default-v2" not in newcomer.types("get", "virtualservices", "-o", "name")[1]
    newcomer.file(lesson).write_text(lesson.solution.read_text())
    newcomer.tours("check")


def test_a_lesson_that_is_taken_again_stays_at_hand_until_it_is_passed_again(
    newcomer: Learner,
) -> None:
    newcomer.tours("solution", "header", "--apply")
    newcomer.tours("goto", "header")
    newcomer.tours("solution", "header", "--apply")
    newcomer.tours("check")
    assert newcomer.asks("tour")["lesson"]["name"] == "path"
    newcomer.tours("reset", "header")
    again = newcomer.asks("tour")["lesson"]
    assert (again["name"], again["passed"]) == ("header", True)
    newcomer.tours("solution", "header", "--apply")
    newcomer.tours("check")
    assert newcomer.asks("tour")["lesson"]["name"] == "path"


def test_down_needs_no_progress_that_can_be_read(newcomer: Learner) -> None:
    newcomer.tours("goto", "path")
    (newcomer.folder / "tour" / "progress.json").write_text("{")
    assert newcomer.types("down")[0] == ExitCode.OK


def test_to_set_up_a_lesson_does_not_tell_what_is_wrong_with_it(newcomer: Learner) -> None:
    code, said = newcomer.types("tour", "goto", "port-name")
    assert (code, "warning" in said) == (ExitCode.OK, False), said


def test_what_a_learner_put_in_force_by_hand_is_of_the_tour(newcomer: Learner) -> None:
    lesson = lessons.find("header")
    newcomer.tours("goto", "header")
    newcomer.file(lesson).write_text(lesson.solution.read_text() + "---\n" + EXTRA)
    assert newcomer.types("route", "-f", str(newcomer.file(lesson)))[0] == ExitCode.OK
    newcomer.tours("goto", "4")
    assert "extra" not in newcomer.types("get", "virtualservices", "-o", "name")[1]


def test_commands_at_once_keep_each_others_progress(tmp_path: Path) -> None:
    first, second, where = Desk(tmp_path), Desk(tmp_path), Where("local", "here", "default")
    canary, header = lessons.find("canary"), lessons.find("header")
    with first.changing() as progress:
        progress.hints["canary"] = 1
        progress.staged = Staged("canary", mesh(where), "")
    assert second.note(canary, where, passed=True)
    with first.changing() as progress:
        progress.staged = Staged("header", mesh(where), "")
    assert not second.note(canary, where, passed=False), "it is not what is in force any more"
    assert not second.note(header, where, passed=False)
    found = Desk(tmp_path).progress
    assert (found.hints, found.passed) == ({"canary": 1}, ["canary"])
    assert found.last
    assert (found.last.lesson, found.last.passed) == ("header", False)


def test_so_does_what_was_applied_when_the_check_failed(newcomer: Learner) -> None:
    lesson = lessons.find("canary")
    newcomer.tours("goto", "canary")
    solution = lesson.solution.read_text()
    newcomer.file(lesson).write_text(solution + BROKEN)
    code, said = newcomer.types("tour", "check")
    assert (code, "ends each time it is started" in said) == (ExitCode.ENVIRONMENT, True), said
    newcomer.file(lesson).write_text(lesson.rules.read_text())  # as it was applied before
    assert newcomer.types("tour", "check")[0] == ExitCode.NOT_MET
    assert "deployment.apps/broken" not in newcomer.types("get", "deployments", "-o", "name")[1]
    newcomer.file(lesson).write_text(solution + BROKEN)
    assert newcomer.types("tour", "check")[0] == ExitCode.ENVIRONMENT
    newcomer.tours("goto", "3")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["lists"], ExitCode.BAD_INPUT),
        (["goto"], ExitCode.BAD_INPUT),
        (["check", "99"], ExitCode.BAD_INPUT),
        (["check", "1", "2"], ExitCode.BAD_INPUT),
        (["list", "--lang", "fr"], ExitCode.BAD_INPUT),
        (["check", "--apply"], ExitCode.BAD_INPUT),
    ],
)
def test_what_makes_no_sense_is_refused(words: list[str], code: int, tmp_path: Path) -> None:
    assert Learner(tmp_path / "state").types("tour", *words)[0] == code
    assert not os.path.lexists(tmp_path / "state")


def test_the_language_is_as_said_else_by_variable_else_by_locale(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def title(*words: str) -> str:
        asked = Learner(tmp_path / "state").asks("tour", "list", *words)
        found: str = asked["lessons"][1]["title"]
        return found

    english, chinese = (lessons.find("canary").title(each) for each in LANGUAGES)
    for name in ("LC_ALL", "LC_MESSAGES", "MESHDEMO_LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    assert title() == english
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert title() == chinese
    monkeypatch.setenv("MESHDEMO_LANG", "en")
    assert title() == english
    assert title("--lang", "zh") == chinese


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"passed": 3}', "\udcff", '{"hints": {"canary": -4}}', '{"x":' + "[" * 200_000],
    ids=lambda content: repr(content[:30]),
)
def test_progress_that_cannot_be_read_is_named_and_left(content: str, tmp_path: Path) -> None:
    learner = Learner(tmp_path / "state")
    file = learner.folder / "tour" / "progress.json"
    file.parent.mkdir(parents=True)
    file.write_text(content, errors="surrogateescape")
    before = file.read_bytes()
    code, said = learner.types("tour", "list")
    assert code == ExitCode.ENVIRONMENT
    assert str(file) in said
    assert file.read_bytes() == before
