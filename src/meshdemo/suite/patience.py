"""Requests of route tests, which are given up only after what rules and tests let them take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from meshdemo.rules.patience import time_limit

if TYPE_CHECKING:
    from meshdemo.rules.request_trace import Trace
    from meshdemo.suite.preparing import Case


def patient(case: Case, trace: Trace | None, timeout: float) -> Case:
    """Give a case whose request is waited for as long as it may take; ``timeout`` is the most."""
    expect = case.test.expect
    bounds = [*expect.seconds, *(expect.none_of.seconds if expect.none_of else ())]
    longest = max((high for _, high in bounds), default=0.0)
    limit = time_limit(trace, timeout, longest)
    request = replace(case.sent.request, time_limit=limit)
    return replace(case, sent=replace(case.sent, request=request))
