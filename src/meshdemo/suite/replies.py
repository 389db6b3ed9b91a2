"""Many answers of a mesh that is up, judged by what came back alone: so many are sent as one."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING

from msgspec.structs import replace

from meshdemo.suite import judging
from meshdemo.suite.varying import ALWAYS
from meshdemo.verdict.judgement import Outcome
from meshdemo.verdict.measurement import take
from meshdemo.walkthrough.explain import with_own

if TYPE_CHECKING:
    from meshdemo.rules.request_trace import Trace
    from meshdemo.suite.answers import Answer
    from meshdemo.suite.judging import Finding
    from meshdemo.suite.live_mesh import LiveMesh
    from meshdemo.suite.model import Expect
    from meshdemo.suite.preparing import Case
    from meshdemo.verdict.traffic import Reply


def tell_all(expect: Expect, trace: Trace) -> bool:
    """Tell whether replies can say all that is asked: by sidecars alone one knows of copies.

    How a request came to the app, and how long it takes beside no others, they do not say.
    """
    each = _both(expect)
    if any(e.paths or e.request_headers or e.seconds or e.mirrored_to for e in each):
        return False
    return all(percent == ALWAYS for percent, _ in trace.mirrors)


@dataclass
class Replies:
    """What came of one request, sent many times."""

    case: Case
    mesh: LiveMesh
    trace: Trace
    namespace: str
    answers: list[Answer] = field(default_factory=list)
    findings: tuple[Finding, ...] = ()
    """What the last answer comes to."""
    broken_off: str = ""
    """Why there are not as many as were wanted; empty where something else ended it."""
    _enough: Event = field(default_factory=Event)

    def send(self, count: int, timeout: float) -> None:
        """Send until an answer is not as expected, or a reply does not tell whether it is."""
        sent = self.case.sent.request
        request = replace(sent, headers=with_own(sent.headers), wants_headers=True)
        replies = self.mesh.send(request, self.case.source, count, timeout, self._enough)
        self.broken_off = take(request, replies, count, self._look, self._enough).broken_off

    def _look(self, reply: Reply) -> None:
        if self._enough.is_set():  # it was under way
            return
        request, expect = self.case.sent.request, self.case.test.expect
        answer = self.mesh.replied(request, reply, self.trace)
        if self._leaves_open(answer):
            self._enough.set()
            return
        self.answers.append(answer)
        self.findings = judging.findings(expect, answer, self.namespace)
        if judging.outcome(self.findings) is not Outcome.MET:
            self._enough.set()

    def _leaves_open(self, answer: Answer) -> bool:
        """Tell whether nobody knows by the reply who gave it, and one has to."""
        if answer.arrived or not answer.reply.status:
            return False
        return any(each.versions or each.services for each in _both(self.case.test.expect))


def _both(expect: Expect) -> list[Expect]:
    return [expect, expect.none_of] if expect.none_of else [expect]
