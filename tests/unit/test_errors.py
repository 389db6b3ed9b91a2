"""How a problem of the input is written."""

from __future__ import annotations

import pytest

from meshdemo.errors import Problem


@pytest.mark.parametrize(
    ("file", "line", "written"),
    [
        ("app.yaml", 3, "app.yaml:3: wrong"),
        ("app.yaml", 0, "app.yaml: wrong"),
        ("", 3, "wrong"),
        ("", 0, "wrong"),
    ],
)
def test_a_line_is_one_of_a_file(file: str, line: int, written: str) -> None:
    assert str(Problem("wrong", file=file, line=line)) == written
