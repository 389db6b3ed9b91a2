"""Commands that are killed while they change a mesh, in each phase: nothing they leave lies."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from tests.contract import killed_change

from meshdemo.errors import EnvironmentFailed
from meshdemo.objects import reading

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from meshdemo.engines.local.engine import LocalEngine
    from meshdemo.objects.model import Object

SECONDS = 60
Answers = Callable[..., Counter[str]]


@pytest.fixture
def engine(local: LocalEngine) -> LocalEngine:
    return local


CLEAN = multiprocessing.get_context("forkserver")
"""Forks from a process that has the engine loaded, and no thread and no file of the tests'."""
CLEAN.set_forkserver_preload([killed_change.__name__])


def kill_at(
    phase: str, number: int, engine: LocalEngine, source: Path, *, doing: str = "apply"
) -> None:
    """Have another process change the mesh, and be killed when it comes to a phase."""
    change = killed_change.Change(doing, engine.store.folder, source, phase, number)
    process = CLEAN.Process(target=change.make)
    process.start()
    process.join(SECONDS)
    assert process.exitcode == -signal.SIGKILL, f"it never came to {phase}"


FIRST_APPLY = {
    "before the folder is locked": ("fcntl.flock", 1),
    "before the run is recorded": ("run.json", 1),
    "before the objects are stored": ("objects.json", 1),
    "before the Envoys' files": ("lds.json", 1),
    "between the Envoys' files": ("lds.json", 2),
    "before the plan": ("pods.json", 1),
    "before supervisord's configuration": ("supervisord.conf", 1),
    "before supervisord is started": ("subprocess.Popen", 2),  # the first one is envoy --version
    "when all is started": ("pods.json", 2),
}


@pytest.fixture
def few(workloads: Sequence[Object], rules: Sequence[Object], tmp_path: Path) -> Path:
    """Give a file of the walkthrough without app-v2, to which the rules send all.

    So the rules are in force where nobody answers.
    """
    file = tmp_path / "few.yaml"
    file.write_text(reading.dump([*(i for i in workloads if i.name != "app-v2"), *rules]))
    return file


@pytest.mark.parametrize("repair", ["up", "down"])
@pytest.mark.parametrize("phase", FIRST_APPLY)
def test_a_first_apply_killed_in_any_phase_can_be_repeated_or_taken_down(
    engine: LocalEngine,
    few: Path,
    deploy: Callable[..., None],
    phase: str,
    repair: str,
    answers: Answers,
) -> None:
    kill_at(*FIRST_APPLY[phase], engine, few)
    engine.pods()
    if repair == "up":
        deploy(*engine.inject(reading.read([str(few)])))
        assert {(pod.ready, pod.message) for pod in engine.pods()} == {("2/2", "")}
        assert set(answers(50)) == {"HTTP 503"}
    assert all(check.ok for check in engine.down())
    assert not engine.store.folder.exists()


RULES = {
    "stored": ("pods.json", 1),
    "before the clusters": ("cds.json", 1),
    "before the routes": ("rds.json", 1),
    "before the end": ("pods.json", 2),
}


def test_rules_that_a_killed_apply_stored_are_not_taken_for_live_until_up_makes_them_so(
    engine: LocalEngine,
    workloads: Sequence[Object],
    rules: Sequence[Object],
    deploy: Callable[..., None],
    tmp_path: Path,
    answers: Answers,
) -> None:
    deploy(*engine.inject(workloads))
    (tmp_path / "rules.yaml").write_text(reading.dump(rules))
    for phase, at in RULES.items():
        kill_at(*at, engine, tmp_path / "rules.yaml")
        began = time.monotonic()
        with pytest.raises(EnvironmentFailed, match="not live"):
            engine.wait_ready(rules, SECONDS)
        assert time.monotonic() - began < SECONDS / 3, phase
        assert all("not live" in pod.message for pod in engine.pods()), phase
        deploy(*rules)
        assert not any(pod.message for pod in engine.pods()), phase
        assert set(answers(50)) == {"v2"}, phase
        engine.delete(rules)


def test_a_deletion_that_was_killed_is_finished_by_the_next_one(
    engine: LocalEngine,
    up: Callable[[], None],
    rules: Sequence[Object],
    tmp_path: Path,
    answers: Answers,
) -> None:
    up()
    (tmp_path / "rules.yaml").write_text(reading.dump(rules))
    kill_at("rds.json", 1, engine, tmp_path / "rules.yaml", doing="delete")
    assert set(answers(50)) == {"v2"}
    engine.delete(rules)
    assert set(answers(50)) == {"v1", "v2"}
    assert not any(pod.message for pod in engine.pods())
