"""How far a student is, whatever the student has written there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from meshdemo.engines.cluster.classroom import progress

if TYPE_CHECKING:
    from tests.unit.engines.cluster.conftest import FakeKube

WRITTEN = (
    '{"lesson": 4, "passed": [1, 2, 3], '
    '"last": {"lesson": 3, "passed": true, "at": "2026-11-29T12:01:00Z"}}'
)


def said(data: Any) -> dict[str, Any]:
    metadata = {"name": "meshdemo-tour", "namespace": "lab-01"}
    return {"kind": "ConfigMap", "metadata": metadata, "data": data}


def look(kube: Any) -> progress.Student:
    (student,) = progress.look(kube, ["lab-01"])
    return student


def test_what_the_tour_writes_is_read(kube: FakeKube) -> None:
    found = look(kube.put(said({"progress.json": WRITTEN})))
    assert found.trouble == ""
    assert (found.progress.lesson, found.progress.passed) == (4, (1, 2, 3))
    assert found.progress.last is not None
    assert found.progress.last.at.isoformat() == "2026-11-29T12:01:00+00:00"


def test_who_has_not_begun_has_no_progress_and_no_trouble(kube: FakeKube) -> None:
    assert look(kube) == progress.Student("lab-01", progress.Progress())


@pytest.mark.parametrize(
    "data",
    [
        None,
        {"other": "x"},
        {"progress.json": "{"},
        {"progress.json": "[]"},
        {"progress.json": WRITTEN.replace("4", '"\\u001b[31m"', 1)},
        {"progress.json": WRITTEN.replace("2026", "x")},
        {"progress.json": WRITTEN.replace("2026-11-29", "0001-01-01").replace("Z", "+14:00")},
        {"progress.json": WRITTEN.replace("2026-11-29", "9999-12-31").replace("Z", "-14:00")},
    ],
)
def test_what_a_student_has_spoiled_is_said_and_shown_nowhere(kube: FakeKube, data: Any) -> None:
    found = look(kube.put(said(data)))
    assert (found.progress, found.trouble) == (progress.Progress(), progress.UNREADABLE)


def test_what_one_may_not_see_is_said(kube: FakeKube) -> None:
    kube.forbidden = {"ConfigMap"}
    assert look(kube).trouble == "you are not allowed to see it"
