"""Ports that no two runs ever share."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdemo.engines import run_record
from meshdemo.engines.local.pods import ports
from meshdemo.errors import EnvironmentFailed, TimedOut

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def locks(root: Path, run: str, choice: Sequence[int] = ()) -> ports.PortLocks:
    state = root / run
    state.mkdir(exist_ok=True)
    run_record.write(state, {"engine": "local", "run": run})
    return ports.PortLocks(run, state, root / "ports", choice)


@given(low=st.integers(1024, 65_535), size=st.integers(0, 65_535))
def test_there_is_always_room_and_outside_of_the_ephemeral_range_if_it_leaves_any(
    low: int, size: int
) -> None:
    high = min(low + size, 65_535)
    found = ports.candidates(low, high)
    assert len(found) >= ports.ROOM
    outside = [port for port in found if not low <= port <= high]
    assert len(outside) in {0, len(found)} or low - ports.LOWEST + 65_535 - high < ports.ROOM


def test_what_is_taken_is_free_distinct_and_locked_until_released(tmp_path: Path) -> None:
    run = locks(tmp_path, "one")
    taken = run.take(20)
    assert len(set(taken)) == 20
    assert all(ports.is_free(port) for port in taken)
    assert run.held() == sorted(taken)
    assert stat.S_IMODE((tmp_path / "ports").stat().st_mode) == 0o700
    run.release(taken)
    assert not (tmp_path / "ports").exists()


def test_runs_that_choose_at_once_never_get_the_same_port(tmp_path: Path) -> None:
    narrow = range(ports.LOWEST, ports.LOWEST + 120)
    found: list[int] = []

    def choose(run: str) -> None:
        for _ in range(5):
            found.extend(locks(tmp_path, run, narrow).take(2))

    threads = [threading.Thread(target=choose, args=[f"run{number}"]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == len(set(found)) == 60


def test_a_port_that_somebody_listens_on_is_not_chosen(tmp_path: Path) -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        taken = stranger.getsockname()[1]
        with pytest.raises(EnvironmentFailed, match="free ports"):
            locks(tmp_path, "one", [taken]).take(1)
        assert not ports.is_free(taken)
        assert ports.is_listening(taken)


def test_the_lock_of_a_run_that_is_over_is_taken_over_and_that_of_another_is_not(
    tmp_path: Path,
) -> None:
    old, new = locks(tmp_path, "old"), locks(tmp_path, "new")
    (port,) = old.take(1)
    assert new.keep([port]) == [port]
    (tmp_path / "old" / "run.json").unlink()
    assert new.keep([port]) == []
    assert new.held() == [port]
    old.release([port])
    assert new.held() == [port]


def test_a_lock_that_was_cleaned_away_is_made_again(tmp_path: Path) -> None:
    run = locks(tmp_path, "one")
    (port,) = run.take(1)
    (tmp_path / "ports" / str(port)).unlink()
    assert run.keep([port]) == []
    assert run.held() == [port]


def test_what_others_have_called_like_our_folder_is_passed_over(tmp_path: Path) -> None:
    first = ports.lock_folder(tmp_path)
    assert first.name == f"meshdemo-ports-{os.getuid()}"
    first.touch()
    second = ports.lock_folder(tmp_path)
    assert second.name == f"{first.name}-1"
    second.mkdir()
    assert ports.lock_folder(tmp_path) == second


def test_a_folder_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "ports").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EnvironmentFailed, match="not a folder of yours"):
        locks(tmp_path, "one").take(1)


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ports").touch()
    with pytest.raises(EnvironmentFailed, match="not a folder of yours"):
        locks(tmp_path, "one").take(1)


def test_a_place_where_no_folder_can_be_made_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    run = ports.PortLocks("one", tmp_path, tmp_path / "file" / "ports")
    with pytest.raises(EnvironmentFailed, match="cannot be made"):
        run.take(1)


def test_whoever_holds_the_folder_for_ever_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "FOLDER_SECONDS", 0.1)
    (tmp_path / "ports").mkdir(mode=0o700)
    handle = os.open(tmp_path / "ports", os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(TimedOut, match=r"waited 0\.1 s"):
            locks(tmp_path, "one").take(1)
    finally:
        os.close(handle)


def test_a_run_whose_record_is_lost_is_found_by_its_ports(tmp_path: Path) -> None:
    one, other = locks(tmp_path, "one"), locks(tmp_path, "other")
    one.take(1)
    other.take(1)
    assert ports.runs_of(tmp_path / "one", tmp_path / "ports") == {"one"}
    assert ports.runs_of(tmp_path / "none", tmp_path / "ports") == set()
