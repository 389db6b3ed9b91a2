"""Lessons on a cluster: in which namespaces they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from meshdemo.tour import lessons, placing

if TYPE_CHECKING:
    from pathlib import Path

MESH = ("cluster", "lab", "student-07")


def test_a_class_makes_each_namespace_that_the_lessons_have_there(tmp_path: Path) -> None:
    used: set[str] = set()
    for each in lessons.every():
        lesson = placing.placed(each, MESH, tmp_path)
        files = [file for file in (lesson.start, lesson.rules, lesson.solution) if file]
        for item in (item for file in files for item in yaml.safe_load_all(file.read_text())):
            metadata = item["metadata"] if item else {}
            is_space = bool(item) and item["kind"] == "Namespace"
            used.add(metadata["name"] if is_space else metadata.get("namespace", MESH[2]))
    assert used - {MESH[2]} == {*placing.beside(MESH[2])} != set()
