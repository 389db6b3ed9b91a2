"""What pytest shows of a failure: what ``meshdemo test`` would say, and no traceback of ours."""

from __future__ import annotations

import io
from textwrap import dedent
from typing import TYPE_CHECKING

from meshdemo.errors import InputError
from meshdemo.report import suite_report
from meshdemo.report.terminal import Terminal

if TYPE_CHECKING:
    from meshdemo.errors import MeshdemoError
    from meshdemo.suite.results import CaseResult


class _Text(io.StringIO):
    encoding = "utf-8"


def failure_text(result: CaseResult) -> str:
    """Say what was expected, what came, why, and tell the request from end to end."""
    text = _Text()
    suite_report.show_case(Terminal(text, {}), result)
    _, _, rest = text.getvalue().partition("\n")  # the first line names the test, as pytest does
    return f"expected {result.expected}; got {result.got}\n{dedent(rest)}"


def error_text(error: MeshdemoError) -> str:
    """Say what is wrong, with all problems."""
    problems = error.problems if isinstance(error, InputError) else ()
    said = [error.message, *(f"  {problem}" for problem in problems), error.hint]
    return "\n".join(filter(None, said))
