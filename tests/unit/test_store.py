"""The state directory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from meshdemo.engines.local.store import SOCKET_PATH_LIMIT, Store
from meshdemo.errors import EnvironmentFailed
from meshdemo.manifests import Object

if TYPE_CHECKING:
    from pathlib import Path


def begun(folder: Path) -> Store:
    store = Store(folder)
    with store.locked("test", 1):
        store.begin("/bin/envoy", "1.2.3")
    return store


def item(name: str, **spec: object) -> Object:
    metadata = {"name": name, "namespace": "default"}
    return Object({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})


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


def test_only_the_owner_can_enter(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o755)
    store = begun(tmp_path / "state")
    assert store.folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("existing", [False, True], ids=["made-by-us", "made-by-the-user"])
def test_removal_leaves_what_is_not_ours(tmp_path: Path, existing: bool) -> None:
    folder = tmp_path / "state"
    if existing:
        folder.mkdir(mode=0o700)
        (folder / "mine").touch()
    store = begun(folder)
    store.replace([item("a")])
    store.remove(store.run())
    assert store.left() == []
    assert folder.exists() is existing
    assert not existing or (folder / "mine").exists()


def test_a_folder_of_others_with_files_in_it_is_refused_and_not_touched(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir(mode=0o755)
    (folder / "mine").touch()
    with pytest.raises(EnvironmentFailed, match="other files"):
        Store(folder).locked("test", 1)
    assert folder.stat().st_mode & 0o777 == 0o755


def test_files_with_our_names_that_we_did_not_make_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    (folder / "objects").mkdir()
    with pytest.raises(EnvironmentFailed, match="objects"):
        begun(folder)


def test_a_record_that_cannot_be_read_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(EnvironmentFailed, match=r"run\.json"):
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
    sockets = store.ensure_sockets(run)
    assert len(os.fsencode(sockets / "s.1234567")) < SOCKET_PATH_LIMIT
    assert sockets.stat().st_mode & 0o777 == 0o700
    store.remove(run)
    assert not sockets.exists()


def test_only_one_at_a_time_holds_the_lock_and_the_other_learns_who(tmp_path: Path) -> None:
    store = Store(tmp_path / "state")
    with (
        store.locked("meshdemo up", 1),
        pytest.raises(EnvironmentFailed, match=rf"process {os.getpid()} \(meshdemo up\)"),
        store.locked("meshdemo down", 0.1),
    ):
        pass
    with store.locked("meshdemo down", 1):
        pass
