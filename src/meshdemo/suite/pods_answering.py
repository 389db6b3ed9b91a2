"""How many pods answer a request that is sent again and again, as session affinity decides it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from meshdemo.language import said
from meshdemo.suite.judging import Finding
from meshdemo.suite.shares import Counted
from meshdemo.verdict.evidence import answers
from meshdemo.verdict.judgement import Outcome
from meshdemo.verdict.measurement import take
from meshdemo.verdict.precision import DEFAULT_PRECISION

if TYPE_CHECKING:
    from meshdemo.rules.request_trace import Trace
    from meshdemo.suite.live_mesh import LiveMesh
    from meshdemo.suite.preparing import Case
    from meshdemo.suite.private_mesh import PrivateMesh
    from meshdemo.verdict.traffic import Reply


def count(case: Case, mesh: PrivateMesh | LiveMesh, trace: Trace | None, timeout: float) -> Counted:
    """Send a request until no other number of pods can come of it.

    That is: once there are too many of them; once there are as many as the rules lead to; or when
    one more with a share of one in a hundred would have shown with 99 % confidence. An answer of
    nobody is none of a pod.
    """
    wanted, request = case.test.expect.pods, case.sent.request
    sent_to = trace.destinations if trace else ()
    behind = {id(pod) for each in sent_to for pod in each.behind(mesh.pods)}
    pods: set[tuple[str, str]] = set()
    nameless: list[Reply] = []
    enough = threading.Event()

    def add(reply: Reply) -> None:
        if arrived := mesh.answering(reply):
            pods.add((arrived.namespace, arrived.pod))
        else:
            nameless.append(reply)
        if nameless or len(pods) > wanted or len(pods) == wanted == len(behind):
            enough.set()

    most = DEFAULT_PRECISION.revealing
    replies = mesh.send(request, case.source, most, timeout, enough)
    sample = take(request, replies, most, add, enough)
    found = said("{pods} in {answers}", pods=_pods(len(pods)), answers=answers(len(sample.replies)))
    if nameless:
        found = said(
            "{found}, of which {count:,} came from no pod that is known",
            found=found,
            count=len(nameless),
        )
    right = len(pods) == wanted and not nameless
    finding = Finding("pods", said("answers of {pods}", pods=_pods(wanted)), found, right)
    outcome = Outcome.MET if right else Outcome.NOT_MET
    return Counted(Outcome.INCONCLUSIVE if sample.broken_off else outcome, finding, sample)


def _pods(count: int) -> str:
    return said("1 pod") if count == 1 else said("{count:,} pods", count=count)
