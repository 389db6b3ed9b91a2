"""What a request met, or lacked, on its way: said where a test failed and no cause has a name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from meshdemo.errors import InputError
from meshdemo.language import said
from meshdemo.rules import request_trace
from meshdemo.rules.client_view import Client
from meshdemo.rules.policy_words import policy_words
from meshdemo.rules.promise import RequestPath
from meshdemo.verdict.traffic import Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from meshdemo.rules.request_trace import Trace
    from meshdemo.suite.answers import Answer
    from meshdemo.suite.live_mesh import LiveMesh
    from meshdemo.suite.model import Expect
    from meshdemo.suite.private_mesh import PrivateMesh

FETCH = "/fetch"
"""Where the walkthrough's app asks another service for what its parameter ``url`` says."""
NOT_FOUND, LATE = 404, (408, 504)


def words(
    expect: Expect, answers: Sequence[Answer], trace: Trace, mesh: PrivateMesh | LiveMesh
) -> Iterator[str]:
    """Say which of the fields that would do what is expected the rule has not."""
    http: Mapping[str, Any] = trace.chosen.tried.http if trace.chosen else {}
    wanted = expect.none_of or expect
    yield from _of_answers(expect, answers[-1], http)
    if expect.mirrored_to and not trace.mirrors:
        yield said("it mirrors nothing")
    if expect.pods:
        yield from _of_pods(expect.pods, trace)
    if wanted.shares and not (http.get("fault") or {}).get("abort") and not expect.none_of:
        statuses = [kind for kind in wanted.shares.kinds if kind.startswith("HTTP 5")]
        if statuses and not any(f"HTTP {each.reply.status}" in statuses for each in answers):
            yield said("it aborts nothing")
    yield from _of_app(answers, http, trace, mesh)


def _of_answers(expect: Expect, last: Answer, http: Mapping[str, Any]) -> Iterator[str]:
    if (expect.locations or any(each in range(300, 400) for each in expect.statuses)) and not (
        http.get("redirect")
    ):
        yield said("it redirects nothing")
    low = min((low for low, _ in expect.seconds), default=0.0)
    high = max((high for _, high in expect.seconds), default=float("inf"))
    is_late = last.seconds > high or any(status in expect.statuses for status in LATE)
    fault = http.get("fault") or {}
    if last.seconds < low and not fault.get("delay") and not is_late:
        yield said("it delays nothing")
    if is_late and not http.get("timeout") and last.reply.status not in LATE:
        yield said("it has no timeout")


def _of_pods(wanted: int, trace: Trace) -> Iterator[str]:
    """Say how the pods are chosen."""
    for each in trace.destinations:
        way = ", ".join(policy_words({"loadBalancer": each.policy.get("loadBalancer") or {}}))
        how = f"DestinationRule {each.rule.name}: {way}" if each.rule and way else way
        if "consistentHash" not in (each.policy.get("loadBalancer") or {}) and wanted == 1:
            yield said(
                "nothing binds requests to one pod ({how})", how=how or said("no loadBalancer")
            )
        elif how:
            yield said("pods are chosen so: {how}", how=how)


def _of_app(
    answers: Sequence[Answer],
    http: Mapping[str, Any],
    trace: Trace,
    mesh: PrivateMesh | LiveMesh,
) -> Iterator[str]:
    """Say what the app answered itself, and what nobody did about it."""
    own = [answer for answer in answers if answer.arrived or answer.reply.body in mesh.versions]
    failed = [each.reply.status for each in own if each.reply.status >= 500]  # noqa: PLR2004 - HTTP's
    if failed:
        yield said(
            "the app itself answered {status} to {count} of {total} requests",
            status=failed[-1], count=f"{len(failed):,}", total=f"{len(answers):,}",
        )  # fmt: skip
        if not (http.get("retries") or {}).get("attempts"):
            yield said("nothing tries again")
        if not any(each.policy.get("outlierDetection") for each in trace.destinations):
            yield said("no outlierDetection leaves out the pods that fail")
    lost = next((a for a in answers if a.reply.status == NOT_FOUND and trace.destinations), None)
    if lost and "rewrite" not in http:
        yield said(
            "it leaves the path {path} as it is, and the app answers {status}",
            path=urlsplit(lost.request.url).path, status=NOT_FOUND,
        )  # fmt: skip


def second_hop(
    mesh: PrivateMesh | LiveMesh, request: Request, trace: Trace
) -> tuple[Trace, str] | None:
    """Follow what the app asks another service for, where the request tells it to.

    Gives the way of that request, and who sends it; None where there is none.
    """
    called = urlsplit(request.url)
    url = next(iter(parse_qs(called.query).get("url", ())), "")
    if called.path != FETCH or not url:
        return None
    for pod in (pod for each in trace.destinations for pod in each.behind(mesh.pods)):
        client = Client(pod.namespace, dict(pod.labels), injected=True)
        try:
            path = RequestPath.of(mesh.objects, mesh.endpoints, Request(url), client)
            found = request_trace.trace_path(path, mesh.written)
        except InputError:
            return None
        version = pod.labels.get("version", "")
        return found, f"{pod.labels.get('app', 'the app')} {version}".strip()
    return None
