"""Where the state is, and what a path of the user's means."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshdemo.errors import EnvironmentFailed
from meshdemo.settings import absolute, expand, state_folder

NOBODY = "~no-such-user-here"


@pytest.mark.parametrize(
    ("given", "environment", "folder"),
    [
        ("", {}, "/home/anna/.local/state/meshdemo"),
        ("", {"XDG_STATE_HOME": "/x"}, "/x/meshdemo"),
        ("", {"XDG_STATE_HOME": "/x", "MESHDEMO_STATE_DIR": "/y"}, "/y"),
        ("/z", {"MESHDEMO_STATE_DIR": "/y"}, "/z"),
        ("~/z", {}, "/home/anna/z"),
        (f"{NOBODY}/z", {}, f"{NOBODY}/z"),
        ("", {"MESHDEMO_STATE_DIR": NOBODY}, NOBODY),
        ("", {"XDG_STATE_HOME": NOBODY}, f"{NOBODY}/meshdemo"),
    ],
    ids=str,
)
def test_the_state_is_where_it_was_said(
    given: str, environment: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/anna")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert state_folder(given) == Path(folder)


def test_a_relative_folder_is_one_below_where_we_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert state_folder("x") == tmp_path / "x"


def test_a_home_folder_that_nobody_has_is_an_error_with_a_way_out() -> None:
    with pytest.raises(EnvironmentFailed, match=f"{NOBODY}/x cannot be used here: .*no user") as no:
        expand(f"{NOBODY}/x")
    assert no.value.hint


def test_from_a_folder_that_is_gone_nothing_relative_is_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert absolute("/x") == Path("/x")
    with pytest.raises(EnvironmentFailed, match="not there any more"):
        absolute("x")
    assert state_folder("x") == Path("x")
