"""The state directory."""

from __future__ import annotations

import json
import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.objects import manifest

from meshdemo.engines import run_record
from meshdemo.engines.local.runs import SOCKET_PATH_LIMIT
from meshdemo.engines.local.store import Store
from meshdemo.errors import EnvironmentFailed, TimedOut
from meshdemo.objects.model import Object
from meshdemo.system import files


def item(name: str, **spec: Any) -> Object:
    return Object(manifest("Service", name, **spec))


def begun(folder: Path) -> Store:
    store = Store(folder)
    with store.locked("test", 1):
        store.begin("/bin/envoy", "1.2.3")
    return store


def test_a_folder_that_is_not_there_holds_nothing_and_looking_makes_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "state")
    assert (store.run(), store.objects(), store.plan()) == (None, (), {})
    assert not (tmp_path / "state").exists()


def test_objects_come_back_as_they_were_stored_and_leave_when_they_are_not_given(
    tmp_path: Path,
) -> None:
    store = begun(tmp_path / "state")
    objects = (item("a", text="1: äö\n- x", number=1, on="on"), item("b" * 253))
    store.replace(objects)
    assert [found.data for found in store.objects()] == [given.data for given in objects]
    store.replace(objects[:1])
    assert len(store.objects()) == 1


def test_the_file_that_an_object_was_applied_from_is_remembered(tmp_path: Path) -> None:
    file = tmp_path / "my rules.yaml"
    file.write_text("--- # no file\n")
    store = begun(tmp_path / "state")
    text = "one\n--- # /no/such/file\n---\n"
    written = replace(item("a", text=text), file=str(file))
    store.replace([written, replace(item("b"), file="standard input"), item("c")])
    assert store.files() == {written.key: str(file)}
    store.replace(store.objects())
    assert store.files() == {written.key: str(file)}
    assert store.objects()[0].spec["text"] == text
    store.replace(store.objects()[1:])
    assert store.files() == {}


def test_only_the_owner_can_enter_what_we_make_also_below_what_was_there(tmp_path: Path) -> None:
    store = begun(tmp_path / "above" / "state")
    files.write(store.folder / "pods" / "one" / "app.exec", "{}")
    made = [store.folder.parent, store.folder, *store.folder.rglob("*")]
    assert {path.stat().st_mode & 0o777 for path in made} == {0o700, 0o600}


@pytest.mark.parametrize("files", [[], ["mine"]], ids=["empty", "with-a-file"])
def test_a_folder_that_the_user_made_stays_with_what_is_the_users(
    tmp_path: Path, files: list[str]
) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    for name in files:
        (folder / name).touch()
    store = begun(folder)
    store.replace([item("a")])
    store.remove(*filter(None, [store.run()]))
    assert [path.name for path in folder.iterdir()] == files


@pytest.mark.parametrize("target", ["nowhere", "."])
def test_a_folder_whose_mark_is_a_link_stays(tmp_path: Path, target: str) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    (folder / run_record.MADE).symlink_to(target)
    store = begun(folder)
    store.remove(*filter(None, [store.run()]))
    assert list(folder.iterdir()) == []


def test_a_folder_that_we_made_is_removed_also_after_a_command_that_was_killed(
    tmp_path: Path,
) -> None:
    store = Store(tmp_path / "state")
    with store.locked("killed before it recorded a run", 1):
        pass
    with store.locked("test", 1):
        store.remove()
    assert not store.folder.exists()


def test_a_folder_of_ours_has_its_mark_from_the_first_moment(tmp_path: Path) -> None:
    folder, over = tmp_path / "state", threading.Event()
    unmarked: list[set[str]] = []

    def look() -> None:
        while not over.is_set():
            with suppress(FileNotFoundError):
                there = {path.name for path in folder.iterdir()}
                if run_record.MADE not in there:
                    unmarked.append(there)

    with ThreadPoolExecutor() as threads:
        looking = threads.submit(look)
        for number in range(200):
            with run_record.locked(folder, "a test", 10):
                pass
            # Removed, it would lose its mark while it is looked at.
            folder.rename(tmp_path / str(number))
        over.set()
        looking.result()
    assert unmarked == []
    assert len(list(tmp_path.iterdir())) == 200


def test_two_commands_that_make_the_folder_at_once_do_not_disturb_each_other(
    tmp_path: Path,
) -> None:
    def fail(_: int) -> None:
        store = Store(tmp_path / "state")
        with store.locked("test", 20):
            assert store.folder.exists()
            store.remove()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(fail, range(100)))
    fail(0)
    assert not (tmp_path / "state").exists()


def test_whoever_reads_while_another_command_writes_sees_the_old_or_the_new_objects(
    tmp_path: Path,
) -> None:
    store = begun(tmp_path / "state")
    old, new = [[item(f"{name}{n}") for n in range(30)] for name in ("old", "new")]
    store.replace(old)
    done = threading.Event()

    def write() -> None:
        while not done.is_set():
            store.replace(new)
            store.replace(old)

    writing = threading.Thread(target=write)
    writing.start()
    try:
        seen = {frozenset(found.name[:3] for found in store.objects()) for _ in range(100)}
    finally:
        done.set()
        writing.join()
    assert seen <= {frozenset({"old"}), frozenset({"new"})}


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o703], ids=oct)
def test_a_folder_that_anybody_may_change_is_refused_and_not_touched(
    tmp_path: Path, mode: int
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(EnvironmentFailed, match="anybody") as failure, Store(folder).locked("x", 1):
        pass
    assert "chmod o-w" in failure.value.hint
    assert folder.stat().st_mode & 0o7777 == mode
    assert not list(folder.iterdir())


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o500 | 0o200], ids=oct)
def test_a_folder_that_was_there_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(mode)
    store = begun(folder)
    store.remove(*filter(None, [store.run()]))
    assert folder.stat().st_mode & 0o777 == mode


def test_a_folder_that_cannot_be_made_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file" / "state", Path("/proc/nowhere"), tmp_path / ("a" * 300)):
        with pytest.raises(EnvironmentFailed, match="cannot be used"), Store(place).locked("x", 60):
            pass
        with suppress(EnvironmentFailed):
            assert Store(place).run() is None


@pytest.mark.parametrize("place", ["file/state", "file"], ids=["below-a-file", "a-file"])
def test_a_state_directory_that_cannot_be_made_is_an_error_that_names_it(
    tmp_path: Path, place: str
) -> None:
    (tmp_path / "file").touch()
    store = Store(tmp_path / place)
    assert store.run() is None
    with pytest.raises(EnvironmentFailed, match=place), store.locked("test", 1):
        pass


@pytest.mark.parametrize("depth", [10, 100_000])
def test_what_somebody_else_wrote_into_a_file_of_ours_is_not_used(
    tmp_path: Path, depth: int
) -> None:
    store = begun(tmp_path)
    store.replace([item("a")])
    store.save_plan({"pods": [1]})
    objects, pods = tmp_path / "objects.json", tmp_path / "pods.json"
    first, _, rest = objects.read_text().partition("\n")
    objects.write_text(f"{first}\n{rest}---\n{'[' * depth}{']' * depth}\n")
    pods.write_text(pods.read_text().replace("1", f"{'[' * depth}{']' * depth}"))
    for use in (store.objects, store.plan):
        with pytest.raises(run_record.Damaged):
            use()


def test_files_with_our_names_that_we_did_not_make_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    (folder / "objects.json").touch()
    with pytest.raises(EnvironmentFailed, match="objects"):
        begun(folder)
    assert (folder / "objects.json").exists()


@pytest.mark.parametrize("name", ["run.json", "objects.json", "pods.json"])
@pytest.mark.parametrize(
    "text", ["{", "[1]", "\xff", "\0\0"], ids=["torn", "list", "binary", "nul"]
)
def test_a_file_that_says_nothing_is_an_error_that_names_it_and_the_way_out(
    tmp_path: Path, name: str, text: str
) -> None:
    store = begun(tmp_path)
    store.replace([item("a")])
    store.save_plan({"pods": []})
    assert store.plan() == {"pods": []}
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(run_record.Damaged, match=name) as failure:
        (store.run(), store.objects(), store.plan())
    assert "meshdemo down" in failure.value.hint


@pytest.mark.parametrize(
    "run",
    [
        {"engine": "local"},
        {"engine": "local", "run": 1, "schema": "meshdemo/v1"},
        {"engine": "local", "schema": "meshdemo/v9"},
        {"run": "x"},
    ],
    ids=["a-key-is-missing", "a-wrong-type", "a-later-version", "no-engine"],
)
def test_a_record_of_another_version_is_an_error_that_names_it(
    tmp_path: Path, run: dict[str, object]
) -> None:
    (tmp_path / "run.json").write_text(json.dumps(run))
    with pytest.raises(run_record.Damaged, match=r"run\.json"):
        Store(tmp_path).run()


@pytest.mark.parametrize("name", ["run", "created", "sockets", "envoy", "folder", "namespace"])
def test_a_record_that_leaves_something_empty_is_an_error_that_names_it(
    tmp_path: Path, name: str
) -> None:
    begun(tmp_path)
    file = tmp_path / "run.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), name: ""}))
    with pytest.raises(run_record.Damaged, match=name):
        Store(tmp_path).run()


def test_a_run_of_another_engine_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"engine": "cluster"}')
    with pytest.raises(EnvironmentFailed, match="cluster"):
        Store(tmp_path).run()


@pytest.mark.parametrize("depth", [0, 1, 20])
def test_sockets_have_short_paths_however_deep_the_folder_is(tmp_path: Path, depth: int) -> None:
    store = begun(tmp_path.joinpath(*["deep" * 4] * depth) / "state")
    run = store.run()
    assert run
    store.ensure_folders(run)
    sockets = Path(run.sockets)
    assert len(os.fsencode(sockets / "s.1234567")) < SOCKET_PATH_LIMIT
    assert sockets.stat().st_mode & 0o777 == 0o700
    store.remove(run)
    assert not sockets.exists()


@pytest.mark.parametrize("held", [None, files.temporary(Path(run_record.MADE)).name, "a user's"])
def test_sockets_that_were_made_and_not_marked_are_ours_if_nothing_is_in_them(
    tmp_path: Path, held: str | None
) -> None:
    """An ``up`` may end between the folder and its mark."""
    store = begun(tmp_path.joinpath(*["deep" * 4] * 9))
    run = store.run()
    assert run
    sockets = Path(run.sockets)
    sockets.mkdir(mode=0o700)
    try:
        if held:
            (sockets / held).touch()
        if held == "a user's":
            with pytest.raises(run_record.Damaged, match="sockets"):
                store.run()
            return
        assert store.run() == run
        store.ensure_folders(run)
        assert files.text(sockets / run_record.MADE) == run.mark
        store.remove(run)
        assert not sockets.exists()
    finally:
        shutil.rmtree(sockets, ignore_errors=True)


def test_only_one_at_a_time_holds_the_lock_and_the_other_learns_who(tmp_path: Path) -> None:
    store = Store(tmp_path / "state")
    with (
        store.locked("meshdemo up", 1),
        pytest.raises(TimedOut, match=rf"process {os.getpid()} \(meshdemo up\)"),
        store.locked("meshdemo down", 0.1),
    ):
        pass
    with store.locked("meshdemo down", 1):
        pass


def test_whoever_comes_after_a_down_that_was_cut_short_can_go_on(tmp_path: Path) -> None:
    for step in range(9):
        store = begun(tmp_path / str(step))
        store.replace([item("a")])
        store.save_plan({"pods": []})
        files.write(store.folder / "pods" / "one" / "app.exec", "{}")
        for path in store.content()[:step]:  # the order in which it removes them
            files.remove(path)
        assert store.run()
        assert store.objects() in ((item("a"),), ())
        assert store.plan() in ({"pods": []}, {})
