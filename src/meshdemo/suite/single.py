"""A route test about one answer: where rules leave open which comes, as many as would show it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from meshdemo.suite import diagnosing, judging
from meshdemo.suite.varying import varies
from meshdemo.verdict.judgement import Outcome
from meshdemo.verdict.precision import Precision

if TYPE_CHECKING:
    from meshdemo.suite.answers import Answer
    from meshdemo.suite.judging import Finding
    from meshdemo.suite.live_mesh import LiveMesh
    from meshdemo.suite.preparing import Case
    from meshdemo.suite.private_mesh import PrivateMesh

COPY_SECONDS = 1.0
"""How long a copy may take to come after the answer; a thousandth is usual."""
NO_COPY_SECONDS = 0.2
"""How long one waits for a copy that shall not come."""


class Single:
    """One request of a test, ready to be sent."""

    def __init__(self, case: Case, mesh: PrivateMesh | LiveMesh, namespace: str) -> None:
        self.case, self._mesh, self._namespace = case, mesh, namespace
        sent = case.sent
        self.trace = diagnosing.traced(mesh, sent.request, case.source)
        is_open = varies(mesh, self.trace, case.test.expect)
        self._count = Precision().revealing if is_open else 1
        self._ask = mesh.asking(sent.request, case.source, body=sent.body)
        self.answers: list[Answer] = []
        """What came so far; the last one is what is judged."""
        self.findings: tuple[Finding, ...] = ()
        self.seconds = 0.0

    async def send(self) -> None:
        """Send it until an answer is not as expected, or enough of them were."""
        began = time.monotonic()
        for _ in range(self._count):
            answer = await self._with_copies(await self._ask())
            self.answers.append(answer)
            self.findings = judging.findings(self.case.test.expect, answer, self._namespace)
            if self.outcome is not Outcome.MET:
                break
        self.seconds = time.monotonic() - began

    @property
    def outcome(self) -> Outcome:
        """Say whether the last answer is as expected."""
        return judging.outcome(self.findings)

    async def _with_copies(self, answer: Answer) -> Answer:
        """Wait for the copies that are expected, or must not come; after the first, for no more."""
        expect = self.case.test.expect
        wanted = expect.mirrored_to
        if not wanted and not (expect.none_of and expect.none_of.mirrored_to):
            return answer
        mirrors = [each for _, each in self.trace.mirrors] if self.trace else []
        patience = COPY_SECONDS if wanted else NO_COPY_SECONDS
        seconds = 0 if self.answers else patience
        return await self._mesh.with_copies(answer, mirrors, max(1, len(wanted)), seconds)
