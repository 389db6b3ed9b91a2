"""The tour on a cluster: every lesson fails before and passes with its solution, side by side."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.e2e_cluster.test_class import as_student

from meshdemo.tour import lessons, placing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from meshdemo.tour.lessons import Lesson

    Cluster = Any

# Some lessons are about times, and four learners are company enough.
pytestmark = [pytest.mark.alone, pytest.mark.timeout(900)]
LEARNERS = 3


def tour(learner: Cluster, namespace: str, every: Sequence[Lesson]) -> None:
    """Go through lessons, one after another, in a namespace."""
    for lesson in every:
        number, where = str(lesson.number), ("-n", namespace)
        learner.meshdemo("tour", "goto", number, *where)
        before = learner.meshdemo("tour", "check", number, *where, "-o", "json", code=1).json
        assert before["cause"], lesson.name
        learner.meshdemo("tour", "solution", number, "--apply", *where)
        learner.meshdemo("tour", "check", number, *where)


def test_every_lesson_fails_before_and_passes_with_its_solution(
    meshed: Cluster, namespace: str, tmp_path: Path
) -> None:
    everybody = [lesson for lesson in lessons.every() if not placing.namespaces(lesson)]
    names = [f"{namespace}-{number}" for number in range(LEARNERS)]
    students = [as_student(meshed, name, tmp_path) for name in names]
    teacher = replace(meshed, state=tmp_path / "teacher")
    others = [lesson for lesson in lessons.every() if placing.namespaces(lesson)]
    # Neighbours share an app, so that it need not be set up anew.
    size = -(-len(everybody) // LEARNERS)
    parts = [everybody[n * size : (n + 1) * size] for n in range(LEARNERS)]
    try:
        with ThreadPoolExecutor(LEARNERS + 1) as pool:
            going = [pool.submit(tour, teacher, namespace, others)]
            going += [
                pool.submit(tour, student, name, part)
                for student, name, part in zip(students, names, parts, strict=True)
            ]
            for each in going:
                each.result()
        for name, part in zip(names, parts, strict=True):
            told = meshed.kubectl(
                "-n",
                name,
                "get",
                "configmap",
                "meshdemo-tour",
                "-o",
                "jsonpath={.data.progress\\.json}",
            )
            progress, numbers = json.loads(told), [lesson.number for lesson in part]
            assert (progress["lesson"], progress["passed"]) == (numbers[-1], numbers)
            assert (progress["last"]["lesson"], progress["last"]["passed"]) == (numbers[-1], True)
        teacher.meshdemo("down", "-n", namespace)
    finally:
        meshed.remove(*names, f"{namespace}-payments")
