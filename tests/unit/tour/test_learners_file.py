"""What a learner's file may have become, and what is said of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from meshdemo.errors import EnvironmentFailed, InputError, advice
from meshdemo.tour import lessons
from meshdemo.tour.progress import Desk

if TYPE_CHECKING:
    from pathlib import Path


def test_one_that_is_not_utf8_is_said_to_be_so(tmp_path: Path) -> None:
    desk, lesson = Desk(tmp_path), lessons.every()[1]
    desk.lay_out(lesson).write_bytes(b"a: \xff")
    with pytest.raises(InputError) as refused:
        desk.text(lesson)
    assert [each.message for each in refused.value.problems] == ["it is not UTF-8"]


def test_a_folder_in_its_place_has_advice(tmp_path: Path) -> None:
    desk, lesson = Desk(tmp_path), lessons.every()[1]
    desk.file(lesson).mkdir(parents=True)
    with pytest.raises(EnvironmentFailed) as read:
        desk.text(lesson)
    with pytest.raises(OSError, match="it is not a file") as reset:
        desk.renew(lesson)
    assert read.value.hint == advice(reset.value) == "Remove what stands in its place."
