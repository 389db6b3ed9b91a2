"""What came of route tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from meshdemo.language import joined, said
from meshdemo.verdict.judgement import Outcome

if TYPE_CHECKING:
    from meshdemo.errors import Problem
    from meshdemo.suite.answers import Answer
    from meshdemo.suite.coverage import Coverage
    from meshdemo.suite.judging import Finding
    from meshdemo.suite.model import RouteTest, Sent, TestFile
    from meshdemo.walkthrough.explain import Explained


class CaseResult(Struct, frozen=True):
    """What came of one request of a test."""

    test: RouteTest
    sent: Sent
    outcome: Outcome
    findings: tuple[Finding, ...]
    """What was expected, each with what was found."""
    requests: int
    """How many were sent for it."""
    seconds: float
    answers: tuple[Answer, ...] = ()
    """Those that the outcome rests on, where there are few."""
    cause: str = ""
    """Why it failed, as far as that can be proved."""
    fix: str = ""
    place: Problem | None = None
    """Where the rule stands that decided."""
    explained: Explained | None = None
    """The request told from end to end, if it failed."""

    @property
    def name(self) -> str:
        """How reports call it."""
        return f"{self.test.name} ({self.sent.label})" if self.sent.label else self.test.name

    @property
    def ok(self) -> bool:
        return self.outcome is Outcome.MET

    @property
    def expected(self) -> str:
        """What was expected; where it failed, of that what did not come."""
        return joined(said("; "), [each.wanted for each in self._told])

    @property
    def got(self) -> str:
        """What came in its place."""
        return joined(said("; "), list(dict.fromkeys(each.found for each in self._told)))

    @property
    def _told(self) -> list[Finding]:
        return [each for each in self.findings if not each.ok] or list(self.findings)


class FileResult(Struct, frozen=True):
    """What came of all tests of a file."""

    file: TestFile
    cases: tuple[CaseResult, ...]
    coverage: Coverage
    seconds: float
    made_up: tuple[str, ...] = ()
    """Services and pods that the files had not."""
    left_out: tuple[str, ...] = ()
    """Objects that have no part in it."""
    notes: tuple[str, ...] = field(default=())
    """What is not tested, and what else one should know."""

    @property
    def outcome(self) -> Outcome:
        """Tell what the whole comes to; a coverage that is too low is not met either."""
        outcomes = {case.outcome for case in self.cases}
        if Outcome.NOT_MET in outcomes or not self.is_covered:
            return Outcome.NOT_MET
        return Outcome.INCONCLUSIVE if Outcome.INCONCLUSIVE in outcomes else Outcome.MET

    @property
    def is_covered(self) -> bool:
        """Tell whether the tests touched as much as the file asks for."""
        under = self.file.fail_under
        return under is None or self.coverage.percent >= under
