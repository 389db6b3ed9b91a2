"""The state directory of a mesh that runs: damaged, copied, moved, given, of two namespaces."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import pytest
from msgspec.structs import replace
from tests.contract.conftest import run_of
from tests.damage import OTHERS, Damage, common, of_the_record

from meshdemo.engines import run_record
from meshdemo.engines.local.engine import LocalEngine
from meshdemo.engines.local.pods import ports
from meshdemo.engines.local.processes import orphans
from meshdemo.engines.options import Injection
from meshdemo.errors import EnvironmentFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from meshdemo.objects.model import Object
    from meshdemo.settings import Settings

SECONDS = 30
Answers: TypeAlias = Callable[..., Counter[str]]


@pytest.fixture
def engine(local: LocalEngine) -> LocalEngine:
    return local


def apply(engine: LocalEngine, objects: Sequence[Object]) -> None:
    engine.apply(objects)
    engine.wait_ready(objects, SECONDS)


def in_namespace(objects: Sequence[Object], name: str) -> list[Object]:
    return [
        item.with_data({**item.data, "metadata": {**item.metadata, "namespace": name}})
        for item in objects
    ]


def test_what_can_be_derived_again_is_mended_by_the_next_up(
    engine: LocalEngine, up: Callable[[], None], answers: Answers, tmp_path: Path
) -> None:
    up()
    for kind in ("NULs", "a pipe", "gone"):
        hurts: list[Damage] = [d for d in common() if d.kind == kind and d.place in OTHERS]
        assert len(hurts) > 5
        for hurt in hurts:
            hurt.do(engine.store.folder, tmp_path)
        up()
        assert {(pod.ready, pod.message) for pod in engine.pods()} == {("2/2", "")}, kind
        for process in orphans.of_run(run_of(engine)):
            if "supervisord" not in " ".join(process.cmdline()):
                process.kill()  # what comes back reads all of it again
        up()
        assert set(answers(50)) == {"v2"}, kind


@pytest.mark.usefixtures("client")
def test_a_copy_of_a_state_directory_says_so_and_down_leaves_the_mesh_alone(
    engine: LocalEngine, settings: Settings, tmp_path: Path
) -> None:
    ignored = shutil.ignore_patterns("sockets")
    shutil.copytree(engine.store.folder, tmp_path / "copy", ignore=ignored)
    copy = LocalEngine(replace(settings, state_dir=tmp_path / "copy"))
    with pytest.raises(run_record.Damaged, match="a copy"):
        copy.pods()
    assert all(check.ok for check in copy.down())
    assert not (tmp_path / "copy").exists()
    assert all(pod.is_ready for pod in engine.pods())


@pytest.mark.usefixtures("client")
def test_down_ends_the_mesh_of_a_state_directory_that_was_moved(
    engine: LocalEngine, settings: Settings, tmp_path: Path
) -> None:
    run = run_of(engine)
    engine.store.folder.rename(tmp_path / "moved")
    moved = LocalEngine(replace(settings, state_dir=tmp_path / "moved"))
    with pytest.raises(run_record.Damaged, match="moved here"):
        moved.pods()
    assert all(check.ok for check in moved.down())
    assert not orphans.of_run(run)
    assert not (tmp_path / "moved").exists()


@pytest.mark.usefixtures("client")
def test_down_gives_back_the_ports_of_a_run_whose_record_names_another_folder(
    engine: LocalEngine, tmp_path: Path
) -> None:
    run = run_of(engine)
    locks = ports.PortLocks(run, engine.store.folder)
    assert locks.held()
    (hurt,) = [each for each in of_the_record() if each.kind == "folder is {outside}"]
    hurt.do(engine.store.folder, tmp_path)
    assert all(check.ok for check in engine.down())
    assert not orphans.of_run(run)
    assert not locks.held()


@pytest.fixture
def given(settings: Settings, mode: int) -> Iterator[LocalEngine]:
    """Give an engine on a folder of the user's, with something in it."""
    (settings.state_dir / "work").mkdir(parents=True)
    (settings.state_dir / "notes.txt").write_text("precious")
    settings.state_dir.chmod(mode)
    made = LocalEngine(settings)
    yield made
    assert all(check.ok for check in made.down())


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o775], ids=oct)
def test_a_folder_that_is_given_keeps_its_mode_and_its_content_and_ours_is_closed(
    given: LocalEngine, mode: int, workloads: Sequence[Object]
) -> None:
    folder = given.store.folder
    apply(given, given.inject([i for i in workloads if i.name == "testclient"]))
    theirs = {folder / "work", folder / "notes.txt"}
    ours = {path for path in folder.rglob("*") if path not in theirs}
    assert len(ours) > 10
    assert {path for path in ours if path.stat().st_mode & 0o077} == set()
    assert all(check.ok for check in given.down())
    assert set(folder.iterdir()) == theirs
    assert folder.stat().st_mode & 0o777 == mode


def test_down_of_a_namespace_leaves_the_others_and_the_next_command_is_about_them(
    engine: LocalEngine, settings: Settings, workloads: Sequence[Object], answers: Answers
) -> None:
    apply(engine, engine.inject(workloads, Injection.NONE))
    demo = LocalEngine(replace(settings, namespace="demo"))
    apply(demo, in_namespace([item for item in workloads if item.name == "testclient"], "demo"))
    assert LocalEngine(settings).where.namespace == "demo"
    said: list[str] = []
    demo.notify = lambda text, **_: said.append(text)
    assert all(check.ok for check in demo.down())
    assert said == ["staying: default (5 objects)"]
    assert {pod.namespace for pod in engine.pods()} == {"default"}
    assert set(answers(50)) == {"v1", "v2"}
    again = LocalEngine(settings)
    assert again.where.namespace == "default"
    # Once more, and of one that never was: nothing to do, and nothing is done.
    assert all(check.ok for check in demo.down())
    assert all(pod.is_ready for pod in engine.pods())
    again.notify = demo.notify
    assert all(check.ok for check in again.down())
    assert said[-1] == f"removing all that is in {engine.store.folder}: default (5 objects)"
    assert not engine.store.folder.exists()


@pytest.mark.usefixtures("client")
def test_a_damaged_mesh_is_not_taken_down_by_namespace(
    engine: LocalEngine, settings: Settings
) -> None:
    (engine.store.folder / "objects.json").write_text("[")
    with pytest.raises(EnvironmentFailed, match=r"objects\.json") as failure:
        LocalEngine(replace(settings, namespace="demo")).down()
    assert "Leave out -n" in failure.value.hint
    assert orphans.of_run(run_of(engine))
