"""Running route tests: a private mesh a file, all requests, and what came of them.

run(file) -> FileResult     all of it; ``preparing`` is the part before a request is sent
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from msgspec.structs import replace

from meshdemo.language import said
from meshdemo.suite import diagnosing, pods_answering, shares
from meshdemo.suite.coverage import Coverage
from meshdemo.suite.patience import patient
from meshdemo.suite.preparing import prepare
from meshdemo.suite.results import CaseResult, FileResult
from meshdemo.suite.single import Single

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from meshdemo.engines.local.private.stand_ins import Arrived
    from meshdemo.rules.request_trace import Trace
    from meshdemo.suite.answers import Answer
    from meshdemo.suite.live_mesh import LiveMesh
    from meshdemo.suite.model import Expect, TestFile
    from meshdemo.suite.preparing import Case, Prepared
    from meshdemo.suite.private_mesh import PrivateMesh


def run(file: TestFile, *, timeout: float = 300.0) -> FileResult:
    """Run the tests of a file in a private mesh. Raises InputError as ``prepare``."""
    return run_prepared(prepare(file), timeout=timeout)


def run_prepared(prepared: Prepared, *, timeout: float = 300.0) -> FileResult:
    """Start the mesh, send all requests, and take it down."""
    began = time.monotonic()
    file = prepared.file
    with prepared.mesh as mesh:
        runner = Runner(file, mesh, prepared.cases, timeout)
        cases = runner.run()
        return FileResult(
            file,
            tuple(cases),
            runner.coverage,
            time.monotonic() - began,
            mesh.made_up,
            (*mesh.left_out, *sorted(prepared.rules.other_kinds if prepared.rules else ())),
            tuple(_not_tested(prepared)),
        )


def _not_tested(prepared: Prepared) -> Iterator[str]:
    by_https = any(c.sent.request.url.startswith("https://") for c in prepared.cases)
    if prepared.mesh.has_tls or by_https:
        yield "TLS is not tested: requests to https come to the gateway as if TLS had ended there"


class Runner:
    """Sends the requests of a file to a mesh that is up, and judges what comes."""

    def __init__(
        self,
        file: TestFile,
        mesh: PrivateMesh | LiveMesh,
        cases: Sequence[Case],
        timeout: float = 300.0,
        *,
        alarms: float = 1.0,
    ) -> None:
        """Take all ``cases`` that there are: the error rate of shares is that of them together.

        ``alarms`` is which part of it may be spent on calling a right mesh wrong.
        """
        self.file, self.mesh, self.cases, self.timeout = file, mesh, cases, timeout
        self.coverage = Coverage.of(mesh.objects)
        """What was touched so far."""
        self._shares = round(sum(case.test.expect.is_share for case in cases) / alarms)

    def run(self) -> list[CaseResult]:
        """Run all cases; those that take time by intention, or measure it, come last."""
        slow = [case for case in self.cases if _is_timed(case.test.expect)]
        quick = [case for case in self.cases if not _is_timed(case.test.expect)]
        every = (*self._results(quick), *self._results(slow))
        found = {id(case): result for case, result in every}
        return [found[id(case)] for case in self.cases]

    def one(self, case: Case) -> CaseResult:
        """Run one case."""
        ((_, result),) = self._results([case])
        return result

    def _results(self, cases: Iterable[Case]) -> Iterator[tuple[Case, CaseResult]]:
        """Give the results of those that are about one answer, and then of those about many."""
        every = list(cases)
        ones = [case for case in every if not _is_counted(case.test.expect)]
        singles = [Single(case, self.mesh, self.file.namespace, self.timeout) for case in ones]
        self.mesh.run_all(single.send for single in singles)
        for given, single in zip(ones, singles, strict=True):
            yield given, self._of_single(single)
        for case in every:
            if _is_counted(case.test.expect):
                yield case, self._of_counted(case)

    def _of_single(self, single: Single) -> CaseResult:
        case, answers = single.case, single.answers
        result = CaseResult(
            case.test,
            case.sent,
            single.outcome,
            single.findings,
            len(answers),
            single.seconds,
            tuple(answers[-1:]),
            cause=single.broken_off,
        )
        reached = [pod for answer in answers for pod in self.mesh.arrivals(answer)]
        self._touch(single.trace, reached)
        if result.ok:
            return replace(result, place=diagnosing.place_of(single.trace))
        return self._explained(case, result, single.trace, answers, answers[-1])

    def _of_counted(self, case: Case) -> CaseResult:
        mesh = self.mesh
        trace = diagnosing.traced(mesh, case.sent.request, case.source)
        case = patient(case, trace, most=self.timeout + 1)  # before it the sample is broken off
        if case.test.expect.pods:
            found = pods_answering.count(case, mesh, trace, self.timeout)
        else:
            found = shares.measure(case, mesh, self.timeout, self._shares)
        replies, broken = found.sample.replies, found.sample.broken_off
        result = CaseResult(
            case.test,
            case.sent,
            found.outcome,
            (found.finding,),
            len(replies),
            found.sample.seconds,
            cause=broken,
        )
        self._touch(trace, filter(None, map(mesh.answering, replies)))
        if result.ok or not replies:
            return replace(result, place=diagnosing.place_of(trace))
        answers = [mesh.answer(case.sent.request, reply) for reply in replies]
        told = mesh.ask(case.sent.request, case.source)
        return self._explained(case, result, trace, answers, told)

    def _touch(self, trace: Trace | None, reached: Iterable[Arrived]) -> None:
        """Count what a request touched; pods that were reached got it, or copies of it."""
        if trace:
            pods = {(each.namespace, each.pod): each.labels for each in reached}
            self.coverage.add(trace, [(space, labels) for (space, _), labels in pods.items()])

    def _explained(
        self,
        case: Case,
        result: CaseResult,
        trace: Trace | None,
        answers: Sequence[Answer],
        told: Answer,
    ) -> CaseResult:
        """Say why a case failed, where the rule stands, and what became of one of its requests."""
        mesh, expect = self.mesh, case.test.expect
        cause = diagnosing.cause_of(mesh, expect, answers, case.source)
        why, place = diagnosing.told(mesh, case.sent.request, expect, answers, trace)
        if cause and cause.name != diagnosing.OTHERWISE:
            why, place = cause.message, cause.place
        elif cause:
            what = cause.message
            why = said("{cause}: {rule}", cause=what, rule=why) if why else what
            place = cause.place
        if unknown := [each.found for each in result.findings if not each.known]:
            why = said("{cause}: {rule}", cause=unknown[0], rule=why) if why else unknown[0]
        return replace(
            result,
            place=place if place and place.file else diagnosing.place_of(trace),
            cause=result.cause or why,
            fix=diagnosing.fix_of(cause),
            explained=diagnosing.explained(mesh, told, case.source, trace),
        )


def _is_counted(expect: Expect) -> bool:
    return bool(expect.is_share or expect.pods)


def _is_timed(expect: Expect) -> bool:
    return bool(expect.seconds or (expect.none_of and expect.none_of.seconds)) or any(
        status in (504, 408) for status in expect.statuses
    )
