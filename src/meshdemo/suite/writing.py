"""``--write``: requests are sent, and what comes back is written down as what is expected.

It is the first test of a repository that has none: what the rules do now, to be looked at, and to
be kept from changing unseen.
"""

from __future__ import annotations

import os
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec import structs

from meshdemo.errors import InputError
from meshdemo.objects import documents
from meshdemo.objects.sources import STDIN, URL
from meshdemo.rules import hosts
from meshdemo.suite import diagnosing, preparing
from meshdemo.suite.changes import probing
from meshdemo.suite.model import (
    API_VERSION,
    DEFAULT_NAMESPACE,
    KIND,
    SUFFIX,
    Expect,
    RouteTest,
    Sent,
    TestFile,
    Text,
)
from meshdemo.suite.varying import varies
from meshdemo.verdict.expectation import Expectation, outcome_text, percent
from meshdemo.verdict.judgement import Outcome
from meshdemo.verdict.judging import rule_for
from meshdemo.verdict.measurement import Measurement, take
from meshdemo.verdict.tally import Tally
from meshdemo.verdict.traffic import status_kind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from meshdemo.rules.request_trace import Trace
    from meshdemo.suite.answers import Answer
    from meshdemo.suite.live_mesh import LiveMesh
    from meshdemo.suite.model import Source, StandIn
    from meshdemo.suite.preparing import Case, Prepared
    from meshdemo.suite.private_mesh import PrivateMesh

Json = dict[str, Any]

ANYTHING = Expect(versions=("",), bodies=(Text(""),))
"""What looks at all that may differ from one answer to the next."""
OF_PROXIES = ("x-envoy-", "x-forwarded-", "x-request-id", "x-b3-", "x-echo-")
OF_CLIENTS = frozenset(
    {"host", "user-agent", "accept", "accept-encoding", "content-length", "transfer-encoding"}
)
"""Headers that client and proxies set by themselves: no rule's."""
OF_ANSWERS = frozenset({"content-type", "content-length", "date", "server", "location"})
SLOW = 0.3
"""Seconds from which on an answer is late on purpose."""
LONGEST_BODY = 200
DECIMALS = 10**8
"""Of a share of 1: the per cent have six, as many as may be written."""
MANY = 1000
"""Requests by which one sees what may come, where no rule promises it."""
OK = 200
KINDS = frozenset(map(status_kind, range(200, 600)))
COPY_SECONDS = 1.0
COMMENT = (
    "# Written by meshdemo test --write: what the rules do now. Read it before you rely on it.\n"
)


def derived(rules: Sequence[str], target: Path, namespace: str) -> Prepared:
    """Prepare requests for rules that have no tests: derived from their matches.

    Raises InputError with every problem of the rules.
    """
    name = target.name.removesuffix(SUFFIX).partition(".")[0] or "rules"
    file = TestFile(str(target), name, (), tuple(rules), namespace=namespace)
    found = preparing.objects_of(file)
    probes = probing.derived([found.objects], namespace).every
    if not probes:
        raise InputError("no rule among them is for any host, so there is nothing to ask")
    sent = tuple(Sent(each.request, each.source, each.label()) for each in probes)
    test = RouteTest("", sent, Expect())
    whole = structs.replace(file, tests=(test,))
    return preparing.prepare(whole, found, starts=False)


def write(prepared: Prepared, target: Path, timeout: float) -> int:
    """Send the requests of a file, write ``target``, and say how many tests are in it.

    Of requests that were derived those are kept that a rule or a match takes that took none before.
    Raises InputError, OSError.
    """
    tests: list[Json] = []
    names: set[str] = set()
    touched: set[object] = set()
    with prepared.mesh as mesh:
        for case in prepared.cases:
            trace = diagnosing.traced(mesh, case.sent.request, case.source)
            if not case.test.name and not _is_new(case, trace, touched):
                continue
            expect = _expected(mesh, case, trace, timeout)
            name = _unique(_name(case), names)
            tests.append({"name": name, "request": _request(case.sent, mesh), "expect": expect})
    text = COMMENT + documents.write([_document(prepared.file, tests, target)])
    with target.open("x", encoding="utf-8") as file:  # what is there is somebody's work
        file.write(text)
    return len(tests)


def _is_new(case: Case, trace: Trace | None, touched: set[object]) -> bool:
    """Tell whether a request is the first to touch a rule or a match; or a host, if no rule's."""
    host = urlsplit(case.sent.request.url).hostname
    step = trace.chosen if trace else None
    keys: set[object] = {(case.source.gateway, host)}
    if step:
        rule = (*step.origin.item.key, *step.origin.path)
        keys = {rule, (*rule, len(step.tried.failed))} if step.tried.match else {rule}
    elif trace and trace.rules:
        keys.add((case.source.gateway, host, "no rule takes it"))
    new = not keys <= touched
    touched |= keys
    return new


def _document(file: TestFile, tests: list[Json], target: Path) -> Json:
    metadata: Json = {"name": file.name}
    if file.namespace != DEFAULT_NAMESPACE:
        metadata["namespace"] = file.namespace
    found: Json = {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata}
    if rules := [_relative(rule, target) for rule in file.rules if rule != STDIN]:
        found["rules"] = rules
    if file.stand_ins:
        found["standIns"] = {
            host: [_stand_in(pod) for pod in pods] for host, pods in file.stand_ins.items()
        }
    return {**found, "tests": tests}


def _relative(rule: str, target: Path) -> str:
    return rule if URL.match(rule) else os.path.relpath(rule, target.parent)


def _stand_in(pod: StandIn) -> Json:
    labels = {name: value for name, value in pod.labels.items() if name != "version"}
    found: Json = {"version": pod.version} if pod.version else {}
    found |= {"labels": labels} if labels else {}
    found |= {"replicas": pod.replicas} if pod.replicas != 1 else {}
    found |= {"status": pod.status} if pod.status != 200 else {}  # noqa: PLR2004 - HTTP's OK
    found |= {"delay": f"{pod.delay:g}s"} if pod.delay else {}
    return found | ({"failing": True} if pod.failing else {})


def _request(sent: Sent, mesh: PrivateMesh | LiveMesh) -> Json:
    request = sent.request
    found: Json = {"url": request.url}
    found |= {"method": request.method} if request.method != "GET" else {}
    found |= {"headers": dict(request.headers)} if request.headers else {}
    found |= {"body": sent.body} if sent.body else {}
    if sent.source and (source := _source(sent.source, mesh)):
        found["from"] = source
    return found


def _source(source: Source, mesh: PrivateMesh | LiveMesh) -> Json:
    if source.gateway:
        return {"gateway": source.gateway}
    found: Json = {}
    if source.namespace and source.namespace != mesh.namespace:
        found["namespace"] = source.namespace
    if labels := dict(source.labels):
        found["labels"] = labels
    return found


def _name(case: Case) -> str:
    if case.test.name:
        return f"{case.test.name} ({case.sent.label})" if case.sent.label else case.test.name
    return case.sent.label


def _unique(name: str, taken: set[str]) -> str:
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name} ({number})"
    taken.add(found)
    return found


def _expected(
    mesh: PrivateMesh | LiveMesh, case: Case, trace: Trace | None, timeout: float
) -> Json:
    """Send a request, and give what came back as an expectation."""
    if varies(mesh, trace, ANYTHING):
        return _shares(mesh, case, timeout)
    answer = mesh.ask(case.sent.request, case.source, body=case.sent.body)
    found: Json = _at_app(mesh, answer) if answer.arrived else _own_answer(answer, trace)
    if headers := _response_headers(answer):
        found["responseHeaders"] = headers
    if trace and trace.mirrors:
        mirrors = [each for _, each in trace.mirrors]
        copied = mesh.run(mesh.with_copies(answer, mirrors, len(mirrors), COPY_SECONDS))
        if names := sorted({_called(host, mesh) for host in copied.copied_to}):
            found["mirroredTo"] = names if len(names) > 1 else names[0]
    if answer.seconds >= SLOW:
        found["seconds"] = [round(answer.seconds / 2, 2), round(2 * answer.seconds + 1, 2)]
    return found


def _at_app(mesh: PrivateMesh | LiveMesh, answer: Answer) -> Json:
    """Say who answered, and what it saw of the request."""
    arrived = answer.arrived
    assert arrived  # noqa: S101 - for the type checker
    found: Json = {"version": answer.version} if answer.version else {}
    if answer.services:
        found["service"] = _called(answer.services[0], mesh)
    if answer.reply.status != 200 or not found:  # noqa: PLR2004 - HTTP's OK
        found["status"] = answer.reply.status
    parts = urlsplit(answer.request.url)
    sent = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if arrived.path != sent:
        found["path"] = arrived.path
    given = {name.lower(): value for name, value in answer.request.headers}
    headers: Json = {
        name: value
        for name, value in sorted(arrived.headers.items())
        if not _is_own(name) and given.get(name) != value
    }
    headers |= {name: None for name in given if not _is_own(name) and name not in arrived.headers}
    if headers:
        found["requestHeaders"] = headers
    return found


def _called(host: str, mesh: PrivateMesh | LiveMesh) -> str:
    """Name a service so that it is found again, and as short as that may be."""
    if not hosts.namespace_of(host):
        return host
    name = host.partition(".")[0]
    several = sum(each.partition(".")[0] == name for each in mesh.services) > 1
    return host if several else name


def _own_answer(answer: Answer, trace: Trace | None) -> Json:
    """Say what a proxy answered by itself, as far as rules say it."""
    reply = answer.reply
    found: Json = {"status": reply.status}
    if location := reply.header("location"):
        found["location"] = location
    step = trace.chosen if trace else None
    if step and "directResponse" in step.tried.http and 0 < len(reply.body) <= LONGEST_BODY:
        found["body"] = reply.body
    return found


def _response_headers(answer: Answer) -> Json:
    return {
        name.lower(): value
        for name, value in sorted(answer.reply.headers)
        if name.lower() not in OF_ANSWERS and not _is_own(name.lower())
    }


def _is_own(name: str) -> bool:
    return name in OF_CLIENTS or name.startswith(OF_PROXIES)


def _shares(mesh: PrivateMesh | LiveMesh, case: Case, timeout: float) -> Json:
    """Say which shares the outcomes have, if rules promise any and the answers agree; else which
    outcomes there are.
    """
    promised = _promised(mesh, case)
    if promised is not None and len(promised.shares) > 1:
        tally = _measured(mesh, case, promised, timeout)
        if tally is None:
            return {"shares": _written(promised)}
    else:
        tally = _counted(mesh, case, MANY, timeout)
    versions = sorted(name for name, count in tally.versions.items() if count)
    others = [name for name, count in tally.others.items() if count]
    if versions and not others:
        # Load balancing need not keep to any shares.
        return {"version": versions if len(versions) > 1 else versions[0]}
    statuses = {int(name.rpartition(" ")[2]) for name in others if name in KINDS}
    if versions or len(statuses) < len(others):
        statuses.add(OK)
    return {"status": sorted(statuses) if len(statuses) > 1 else statuses.pop()}


def _promised(mesh: PrivateMesh | LiveMesh, case: Case) -> Expectation | None:
    """Give what the rules promise; None where that is no split."""
    shares: dict[str, Fraction] = {}
    try:
        parts = mesh.path_of(case.sent.request, case.source).parts()
    except InputError:
        return None
    for weight, part in parts:
        for version, share in part.items():
            shares[version] = shares.get(version, Fraction(0)) + weight * share
    return Expectation.of(shares)


def _written(expected: Expectation) -> Json:
    # Rounded down, so that thirds do not come to more than all.
    rounded = {name: Fraction(int(share * DECIMALS), DECIMALS) for name, share in expected.shares}
    return {outcome_text(name): f"{percent(share)}%" for name, share in rounded.items()}


def _measured(
    mesh: PrivateMesh | LiveMesh, case: Case, promised: Expectation, timeout: float
) -> Tally | None:
    """Give the answers that contradict what is promised; None where they do not."""
    rule = rule_for(promised)
    tally = Tally.of(dict.fromkeys([*promised.versions, *mesh.versions]), promised.kinds)
    measurement = Measurement(rule, tally)
    request, enough = case.sent.request, measurement.enough
    replies = mesh.send(request, case.source, rule.most, timeout, enough)
    sample = take(request, replies, rule.most, measurement.add, enough)
    return None if measurement.verdict(sample).outcome is Outcome.MET else tally


def _counted(mesh: PrivateMesh | LiveMesh, case: Case, count: int, timeout: float) -> Tally:
    tally = Tally.of(mesh.versions)
    for reply in mesh.send(case.sent.request, case.source, count, timeout):
        tally.add(reply)
    return tally
