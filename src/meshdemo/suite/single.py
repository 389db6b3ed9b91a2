"""A route test about one answer: where rules leave open which comes, as many as would show it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from meshdemo.engines.test_client import out_of_time
from meshdemo.suite import diagnosing, judging, replies
from meshdemo.suite.live_mesh import LiveMesh
from meshdemo.suite.patience import hurried, patient, was_hurried
from meshdemo.suite.replies import Replies
from meshdemo.suite.varying import varies
from meshdemo.verdict.judgement import Outcome
from meshdemo.verdict.precision import Precision

if TYPE_CHECKING:
    from meshdemo.rules.request_trace import Trace
    from meshdemo.suite.answers import Answer
    from meshdemo.suite.judging import Finding
    from meshdemo.suite.preparing import Case
    from meshdemo.suite.private_mesh import PrivateMesh

COPY_SECONDS = 1.0
"""How long a copy may take to come after the answer; a thousandth is usual."""
NO_COPY_SECONDS = 0.2
"""How long one waits for a copy that shall not come."""
TELLING = 20
"""How many requests are sent again to have one that is not as expected told from end to end: it is
missed once in a million times where half of them are not."""


class Single:
    """One request of a test, ready to be sent."""

    def __init__(
        self, case: Case, mesh: PrivateMesh | LiveMesh, namespace: str, timeout: float
    ) -> None:
        """``timeout`` is for all that is sent, in seconds."""
        self._mesh, self._namespace, self._timeout = mesh, namespace, timeout
        self.trace = diagnosing.traced(mesh, case.sent.request, case.source)
        self._patient = patient(case, self.trace)
        self.case = hurried(self._patient, timeout)
        sent = self.case.sent
        is_open = varies(mesh, self.trace, case.test.expect)
        self._count = Precision().revealing if is_open else 1
        self._ask = mesh.asking(sent.request, case.source, body=sent.body)
        self.answers: list[Answer] = []
        """What came so far; the last one is what is judged."""
        self.findings: tuple[Finding, ...] = ()
        self.broken_off = ""
        """Why there are fewer answers than were wanted, where all were as expected."""
        self.seconds = 0.0
        self._deadline = 0.0

    async def send(self) -> None:
        """Send it until an answer is not as expected, or enough of them were."""
        began = time.monotonic()
        self._deadline = began + self._timeout
        await self._ask_for(1)
        mesh, trace = self._mesh, self.trace
        if isinstance(mesh, LiveMesh) and trace and replies.tell_all(self.case.test.expect, trace):
            await self._send_many(mesh, trace)
        if not self.broken_off:
            await self._ask_for(self._count - len(self.answers))
        self.seconds = time.monotonic() - began

    async def _send_many(self, mesh: LiveMesh, trace: Trace) -> None:
        """Send all of them as one, while their replies alone say that they are as expected."""
        left = self._count - len(self.answers)
        if not left or self.outcome is not Outcome.MET:
            return
        many = Replies(self.case, mesh, trace, self._namespace)
        many.send(left, max(self._deadline - time.monotonic(), 0.0))
        if not many.answers or judging.outcome(many.findings) is Outcome.MET:
            self.answers += many.answers
            self.broken_off = many.broken_off
            return
        *right, wrong = many.answers
        self.answers += right
        await self._ask_for(TELLING)
        if judging.outcome(self.findings) is Outcome.MET:  # then nothing more is told of it
            self.answers.append(wrong)
            self.findings, self.broken_off = many.findings, ""

    async def _ask_for(self, count: int) -> None:
        """Ask one by one for so many answers, as long as they are as expected."""
        for _ in range(count if self.outcome is Outcome.MET else 0):
            if self.answers and time.monotonic() > self._deadline:
                self.broken_off = out_of_time().message
                break
            answer = await self._with_copies(await self._ask())
            self.answers.append(answer)
            self.findings = judging.findings(self.case.test.expect, answer, self._namespace)
            if judging.outcome(self.findings) is not Outcome.MET:
                break

    @property
    def outcome(self) -> Outcome:
        """Say whether the last answer is as expected, and there were enough of them."""
        found = judging.outcome(self.findings)
        is_short = self.broken_off and found is Outcome.MET
        gave_up = self.answers and was_hurried(self._patient, self.answers[-1])
        return Outcome.INCONCLUSIVE if is_short or gave_up else found

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
