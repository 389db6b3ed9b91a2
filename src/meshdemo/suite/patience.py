"""Requests of route tests, which are given up only after what rules and tests let them take."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from msgspec.structs import replace

from meshdemo.rules.patience import time_limit, within
from meshdemo.verdict.traffic import TIMED_OUT

if TYPE_CHECKING:
    from meshdemo.rules.request_trace import Trace
    from meshdemo.suite.answers import Answer
    from meshdemo.suite.preparing import Case


def patient(case: Case, trace: Trace | None, most: float = inf) -> Case:
    """Give a case whose request is waited for as long as it may take, ``most`` seconds at most."""
    expect = case.test.expect
    bounds = [*expect.seconds, *(expect.none_of.seconds if expect.none_of else ())]
    longest = max((high for _, high in bounds), default=0.0)
    return _with_limit(case, min(time_limit(trace, longest), most))


def hurried(case: Case, timeout: float) -> Case:
    """Give a case whose request is given up before all of the time is over."""
    return _with_limit(case, within(case.sent.request.time_limit, timeout))


def was_hurried(patient: Case, answer: Answer) -> bool:
    """Tell whether a request was given up that a patient one would have waited for."""
    limit = patient.sent.request.time_limit
    return answer.reply.error == TIMED_OUT and answer.request.time_limit < limit


def _with_limit(case: Case, limit: float) -> Case:
    request = replace(case.sent.request, time_limit=limit)
    return replace(case, sent=replace(case.sent, request=request))
