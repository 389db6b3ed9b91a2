from __future__ import annotations

from meshdemo.errors import Problem


def test_a_problem_is_one_line_that_a_terminal_can_show() -> None:
    said = str(Problem(f"a\n\x1b[31m\ud800{'é' * 5000}", hint="b\0"))
    assert said.startswith(r"a\n\x1b[31m\ud800éé")
    assert said.endswith(r"éé; b\x00")
    assert len(said) < 500
