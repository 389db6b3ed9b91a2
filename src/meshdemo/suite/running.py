"""Running route tests: a private mesh a file, all requests, and what came of them.

prepare(file) -> Prepared     rules read, everything checked that can be without sending
run(file) -> FileResult       the same, and the requests sent
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from meshdemo.engines.local.private.stand_ins import POD_HEADER
from meshdemo.errors import BrokenOff, InputError, Problem, in_order
from meshdemo.objects import repository
from meshdemo.rules import hosts
from meshdemo.suite import diagnosing, impossible, pods_answering
from meshdemo.suite.coverage import Coverage
from meshdemo.suite.judging import Finding, findings
from meshdemo.suite.model import HIDDEN_SHARE, MARGIN, Source
from meshdemo.suite.private_mesh import Connection, PrivateMesh
from meshdemo.suite.results import CaseResult, FileResult
from meshdemo.suite.varying import varies
from meshdemo.verdict.expectation import percent
from meshdemo.verdict.judgement import Outcome
from meshdemo.verdict.judging import judge, rule_for
from meshdemo.verdict.measurement import Measurement
from meshdemo.verdict.precision import Precision
from meshdemo.verdict.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from meshdemo.objects.repository import Repository
    from meshdemo.rules.request_trace import Trace
    from meshdemo.suite.live_mesh import LiveMesh
    from meshdemo.suite.model import Expect, RouteTest, Sent, TestFile
    from meshdemo.suite.private_mesh import Answer
    from meshdemo.verdict.traffic import Reply

SIDE_BY_SIDE = 4
"""Cases under way at a time, where no rule lets one decide what becomes of another."""
COPY_SECONDS = 1.0
"""How long a copy may take to come after the answer; a thousandth is usual."""
NO_COPY_SECONDS = 0.2
"""How long one waits for a copy that shall not come."""
ERROR_RATE = 0.01
"""How often any share test of a file may be called wrong though all shares are right."""
OPPOSITE = {Outcome.MET: Outcome.NOT_MET, Outcome.NOT_MET: Outcome.MET}


class Case(Struct, frozen=True):
    """One request to send, and where from."""

    test: RouteTest
    sent: Sent
    source: Source


class Prepared(Struct, frozen=True):
    """A file whose mesh can be started."""

    file: TestFile
    mesh: PrivateMesh | LiveMesh
    cases: tuple[Case, ...]
    rules: Repository | None = None
    """None for a mesh that is up."""


def objects_of(file: TestFile) -> Repository:
    """Read the rules of a file. Raises InputError with every problem."""
    found = repository.read(file.rules, file.namespace)
    if not found.objects and not found.problems:
        where = ", ".join(file.rules)
        found.problems.append(file.problem(f"there are no rules in {where}", "rules"))
    if found.problems:
        raise InputError("the rules cannot be used", in_order(found.problems))
    return found


def prepare(file: TestFile, found: Repository | None = None, *, starts: bool = True) -> Prepared:
    """Read the rules of a file, and check all that can be checked before a request is sent.

    ``found`` are its rules where they were read before. With ``starts`` every client that is named
    is started with the mesh, else when it is needed. Raises InputError with every problem: of
    the rules, and of tests that nothing could meet.
    """
    found = found or objects_of(file)
    ports = (urlsplit(sent.request.url).port or 0 for test in file.tests for sent in test.sent)
    mesh = PrivateMesh(
        found.objects, namespace=file.namespace, stand_ins=file.stand_ins, ports=ports
    )
    problems: list[Problem] = list(mesh.admission.problems)
    cases = _cases(file, mesh, problems)
    if not mesh.admission.problems:
        problems += impossible.problems(file, mesh)
    if problems:
        raise InputError("the route tests cannot be run", in_order(problems))
    mesh.need(case.source for case in cases if starts)
    return Prepared(file, mesh, tuple(cases), found)


def prepare_live(file: TestFile, mesh: LiveMesh) -> Prepared:
    """Check a file against the mesh that is up. Raises InputError with every problem.

    Raises EnvironmentFailed where there is none, or nobody in it who could send.
    """
    mesh.sender(Source(mesh.namespace))
    problems: list[Problem] = []
    cases = _cases(file, mesh, problems)
    problems += impossible.problems(file, mesh)
    if problems:
        raise InputError("the route tests cannot be run", in_order(problems))
    return Prepared(file, mesh, tuple(cases))


def _cases(file: TestFile, mesh: PrivateMesh | LiveMesh, problems: list[Problem]) -> list[Case]:
    """Say what is sent, and from where; what is not clear goes to ``problems``."""
    cases: list[Case] = []
    for test in file.tests:
        for sent in test.sent:
            try:
                meant = _addressed(sent, mesh)
                source = mesh.source_of(meant.request, meant.source)
                cases.append(Case(test, replace(meant, source=source), source))
            except InputError as error:
                path = (*test.path, "request")
                problems.append(file.problem(error.message, *path, hint=error.hint))
    return cases


def prepare_all(files: Iterable[TestFile], known: Repository | None = None) -> list[Prepared]:
    """Prepare files; what is wrong with any of them is said at once.

    ``known`` are the rules of all of them, where they were read before.
    """
    found: list[Prepared] = []
    problems: list[Problem] = []
    read: dict[tuple[object, ...], Repository] = {}  # standard input can be read only once
    for file in files:
        try:
            key = file.rules, file.namespace
            if key not in read:
                read[key] = known or file.known or objects_of(file)
            found.append(prepare(file, read[key]))
        except InputError as error:
            problems += error.problems or [file.problem(error.message, hint=error.hint)]
    if problems:
        raise InputError("the route tests cannot be run", in_order(problems))
    return found


def _addressed(sent: Sent, mesh: PrivateMesh | LiveMesh) -> Sent:
    """Give a request with the URL that is meant where none is said. Raises InputError."""
    if sent.request.url:
        return sent
    known = [host for host in mesh.hosts if not hosts.is_wildcard(host)]
    if len(known) != 1:
        named = ", ".join(known) or "none by name"
        raise InputError("it says no url", hint=f"the rules are for several hosts: {named}")
    return replace(sent, request=replace(sent.request, url=f"http://{known[0]}/"))


def run(
    file: TestFile,
    *,
    timeout: float = 300.0,
    each: Callable[[CaseResult], None] = lambda _: None,
) -> FileResult:
    """Run the tests of a file in a private mesh. Raises InputError as ``prepare``.

    ``each`` is given every result as it comes, in any order, from threads.
    """
    return run_prepared(prepare(file), timeout=timeout, each=each)


def run_prepared(
    prepared: Prepared,
    *,
    timeout: float = 300.0,
    each: Callable[[CaseResult], None] = lambda _: None,
) -> FileResult:
    """Start the mesh, send all requests, and take it down."""
    began = time.monotonic()
    file = prepared.file
    with prepared.mesh as mesh:
        runner = _Runner(file, mesh, prepared.cases, timeout, each)
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


class OneByOne:
    """Asks the cases of a file one at a time, for whoever chooses among them, as pytest does."""

    def __init__(self, runner: _Runner) -> None:
        self._runner = runner
        self.asked: set[int] = set()
        """The ids of the cases that were asked."""

    def __call__(self, case: Case) -> CaseResult:
        """Send the requests of a case, and judge what comes."""
        self.asked.add(id(case))
        return self._runner.one(case)

    @property
    def coverage(self) -> Coverage:
        """What was touched so far."""
        return self._runner.coverage


@contextmanager
def one_by_one(
    file: TestFile, mesh: PrivateMesh | LiveMesh, cases: Sequence[Case], *, timeout: float = 300.0
) -> Iterator[OneByOne]:
    """Ask a mesh that is up; the error rate of shares is that of all ``cases`` together."""
    runner = _Runner(file, mesh, cases, timeout, lambda _: None)
    try:
        yield OneByOne(runner)
    finally:
        runner.close()


def _not_tested(prepared: Prepared) -> Iterator[str]:
    by_https = any(c.sent.request.url.startswith("https://") for c in prepared.cases)
    if prepared.mesh.has_tls or by_https:
        yield "TLS is not tested: requests to https come to the gateway as if TLS had ended there"


class _Runner:
    """Sends the requests of a file, and judges what comes."""

    def __init__(
        self,
        file: TestFile,
        mesh: PrivateMesh | LiveMesh,
        cases: Sequence[Case],
        timeout: float,
        each: Callable[[CaseResult], None],
    ) -> None:
        self.file, self.mesh, self.cases, self.timeout, self.each = file, mesh, cases, timeout, each
        self.coverage = Coverage.of(mesh.objects)
        self.shares = sum(case.test.expect.is_share for case in cases)
        self._own = threading.local()
        self._lock = threading.Lock()
        self._connections: list[Connection] = []

    def run(self) -> list[CaseResult]:
        """Run all cases; those that take time by intention, or measure it, come last."""
        slow = [case for case in self.cases if _is_timed(case.test.expect)]
        quick = [case for case in self.cases if not _is_timed(case.test.expect)]
        width = SIDE_BY_SIDE if self.mesh.is_independent else 1
        found: dict[int, CaseResult] = {}
        executor = ThreadPoolExecutor(width)
        try:
            for group in (quick, slow):
                for case, result in zip(group, executor.map(self.one, group), strict=True):
                    found[id(case)] = result
        finally:
            # Whatever is under way ends with the mesh; nobody waits for it.
            executor.shutdown(wait=False, cancel_futures=True)
            self.close()
        return [found[id(case)] for case in self.cases]

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections:
            connection.close()

    def one(self, case: Case) -> CaseResult:
        """Run one case."""
        if case.test.expect.pods:
            result = self._pods(case)
        else:
            result = self._share(case) if case.test.expect.is_share else self._single(case)
        self.each(result)
        return result

    @property
    def _connection(self) -> Connection:
        """The connection of this thread."""
        found = getattr(self._own, "connection", None)
        if found is None:
            found = self._own.connection = Connection()
            with self._lock:
                self._connections.append(found)
        return found

    def _single(self, case: Case) -> CaseResult:
        """Judge one answer; where the rules leave open which comes, as many as would show it."""
        began = time.monotonic()
        expect, mesh = case.test.expect, self.mesh
        trace = diagnosing.traced(mesh, case.sent.request, case.source)
        count = Precision().revealing if varies(mesh, trace, expect) else 1
        answers: list[Answer] = []
        judged: tuple[Finding, ...] = ()
        for _ in range(count):
            answer = mesh.ask(
                case.sent.request, case.source, body=case.sent.body, connection=self._connection
            )
            answer = self._with_copies(answer, expect, trace, waits=not answers)
            judged = findings(expect, answer, self.file.namespace)
            answers.append(answer)
            if not all(each.ok for each in judged):
                break
        met = all(each.ok for each in judged)
        result = CaseResult(
            case.test,
            case.sent,
            Outcome.MET if met else Outcome.NOT_MET,
            judged,
            len(answers),
            time.monotonic() - began,
            tuple(answers[-1:]),
        )
        pods = {(each.namespace, each.pod) for a in answers for each in mesh.arrivals(a)}
        return self._followed(case, result, trace, answers, pods)

    def _with_copies(
        self, answer: Answer, expect: Expect, trace: Trace | None, *, waits: bool
    ) -> Answer:
        """Wait for the copies that are expected, or must not come."""
        wanted = expect.mirrored_to
        if not wanted and not (expect.none_of and expect.none_of.mirrored_to):
            return answer
        mirrors = [each for _, each in trace.mirrors] if trace else []
        patience = COPY_SECONDS if wanted else NO_COPY_SECONDS
        return self.mesh.await_copies(
            answer, mirrors, max(1, len(wanted)), patience if waits else 0
        )

    def _share(self, case: Case) -> CaseResult:
        """Send until the answers decide about the shares."""
        began = time.monotonic()
        expect, is_negated = case.test.expect, False
        if expect.none_of and expect.none_of.shares:
            expect, is_negated = expect.none_of, True
        assert expect.shares  # noqa: S101 - for the type checker: is_share
        expected, mesh = expect.shares, self.mesh
        precision = Precision(
            MARGIN if expect.margin is None else expect.margin,
            ERROR_RATE,
            HIDDEN_SHARE if expect.margin is None else float(expect.margin),
            shared_by=self.shares,
        )
        rule = rule_for(expected, precision)
        tally = Tally.of(dict.fromkeys([*expected.versions, *mesh.versions]), expected.kinds)
        measurement = Measurement(rule, tally)
        replies: list[Reply] = []
        broken = ""
        try:
            for reply in mesh.send(
                case.sent.request, case.source, rule.most, self.timeout, measurement.enough
            ):
                replies.append(reply)
                measurement.add(reply)
        except BrokenOff as error:
            broken = error.message
        verdict = judge(rule, tally, measurement.decisive, complete=not broken, broken_off=broken)
        outcome = OPPOSITE.get(verdict.outcome, verdict.outcome) if is_negated else verdict.outcome
        counted = {**tally.versions, **tally.others}
        shown = [
            f"{name} {percent(Fraction(count, tally.total or 1))} %"
            for name, count in counted.items()
            if count
        ]
        said = "not " if is_negated else ""
        found = f"{', '.join(shown) or 'nothing'} of {tally.total:,} answers"
        finding = Finding("shares", f"{said}shares {expected}", found, outcome is Outcome.MET)
        result = CaseResult(
            case.test,
            case.sent,
            outcome,
            (finding,),
            len(replies),
            time.monotonic() - began,
            cause=broken,
        )
        trace = diagnosing.traced(mesh, case.sent.request, case.source)
        names = {reply.header(POD_HEADER) or "" for reply in replies}
        pods = {(pod.namespace, pod.name) for pod in map(mesh.pod, names) if pod}
        if result.ok:
            return self._followed(case, result, trace, (), pods)
        answers = [mesh.answer(case.sent.request, reply, 0.0, "") for reply in replies]
        return self._followed(case, result, trace, answers, pods)

    def _pods(self, case: Case) -> CaseResult:
        """Count the pods that answer: as many requests are sent as would show one more."""
        began = time.monotonic()
        mesh = self.mesh
        trace = diagnosing.traced(mesh, case.sent.request, case.source)
        wanted = case.test.expect.pods
        found = pods_answering.count(
            mesh, case.sent.request, case.source, trace, wanted, self.timeout
        )
        finding = found.judged(wanted)
        outcome = Outcome.MET if finding.ok else Outcome.NOT_MET
        result = CaseResult(
            case.test,
            case.sent,
            Outcome.INCONCLUSIVE if found.broken else outcome,
            (finding,),
            len(found.answers),
            time.monotonic() - began,
            cause=found.broken,
        )
        pods = [(pod.namespace, pod.name) for pod in map(mesh.pod, found.names) if pod]
        return self._followed(case, result, trace, () if result.ok else found.answers, pods)

    def _followed(
        self,
        case: Case,
        result: CaseResult,
        trace: Trace | None,
        answers: Sequence[Answer],
        pods: Iterable[tuple[str, str]],
    ) -> CaseResult:
        """Count what a request touched; of one that failed say why, and where the rule stands.

        ``pods`` got it, or copies: namespace and name.
        """
        mesh = self.mesh
        with self._lock:
            if trace:
                named = [pod for _, name in pods if (pod := mesh.pod(name))]
                self.coverage.add(trace, [(pod.namespace, pod.labels) for pod in named])
        place = diagnosing.place_of(trace)
        if result.ok or not answers:
            return replace(result, place=place)
        cause = diagnosing.cause_of(mesh, case.test.expect, answers, case.source)
        told = answers[-1]
        if case.test.expect.is_share or case.test.expect.pods:
            told = mesh.ask(case.sent.request, case.source)
        why, own_place = diagnosing.told(mesh, case.sent.request, case.test.expect, answers, trace)
        if cause and cause.name != diagnosing.OTHERWISE:
            why, own_place = cause.message, cause.place
        elif cause:
            why, own_place = f"{cause.message}: {why}" if why else cause.message, cause.place
        return replace(
            result,
            place=own_place if own_place and own_place.file else place,
            cause=result.cause or why,
            fix=diagnosing.fix_of(cause),
            explained=diagnosing.explained(mesh, told, case.source, trace),
        )


def _is_timed(expect: Expect) -> bool:
    return bool(expect.seconds or (expect.none_of and expect.none_of.seconds)) or any(
        status in (504, 408) for status in expect.statuses
    )
