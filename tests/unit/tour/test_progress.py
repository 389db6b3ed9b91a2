"""What is remembered of a lesson, where the mesh is not as the progress says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.cli.conftest import FakeEngine

from meshdemo.engines.protocol import CLUSTER
from meshdemo.engines.results import Where
from meshdemo.errors import EnvironmentFailed
from meshdemo.tour import checking, lessons, staging
from meshdemo.tour.progress import Desk, Staged, mesh

if TYPE_CHECKING:
    from pathlib import Path

SHARED = Where(CLUSTER, "lab", "student-07")
LESSON = lessons.find("canary")


def check(engine: FakeEngine, desk: Desk) -> checking.Checked:
    story = checking.check(engine, lambda *_: engine, LESSON, desk, 1.0)
    with pytest.raises(StopIteration) as end:
        next(story)
    found: checking.Checked = end.value.value
    return found


@pytest.mark.parametrize(
    ("at_hand", "staged", "is_noted"),
    [
        ("canary", Staged("canary", mesh(SHARED), ""), True),  # nothing runs there any more
        ("canary", None, True),  # setting up another one broke off
        ("header", Staged("canary", mesh(SHARED), ""), True),
        ("canary", Staged("canary", ["cluster", "lab", "student-08"], ""), False),
        ("header", None, False),
        ("", None, False),
    ],
)
def test_a_check_without_requests_is_remembered_where_the_lesson_was_set_up(
    at_hand: str, staged: Staged | None, is_noted: bool, tmp_path: Path
) -> None:
    desk = Desk(tmp_path)
    with desk.changing() as progress:
        progress.lesson, progress.staged = at_hand, staged
    found = check(FakeEngine(where=SHARED), desk)
    assert not found.passed
    last = Desk(tmp_path).progress.last
    assert (last and (last.lesson, last.passed)) == (("canary", False) if is_noted else None)


def test_a_lesson_that_is_there_no_more_is_in_the_way_of_none(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.progress.staged = Staged("an-old-one", mesh(SHARED), "")
    engine = FakeEngine(where=SHARED, fails={"install": EnvironmentFailed("as far as that")})
    with pytest.raises(EnvironmentFailed, match="as far as that"):
        list(staging.begin(engine, LESSON, desk, 1.0))
