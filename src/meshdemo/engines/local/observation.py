"""One request of the test client's, and what the sidecars on its way say of it."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from meshdemo.engines import access_log
from meshdemo.engines.local.pods import logs
from meshdemo.engines.results import Arrival, Observed
from meshdemo.errors import BrokenOff, EnvironmentFailed, TimedOut
from meshdemo.system import waiting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.engines.access_log import Account
    from meshdemo.engines.local.model import PlannedPod
    from meshdemo.engines.local.test_client import Caller
    from meshdemo.verdict.traffic import Request

LOG_SECONDS = 5
"""How long a sidecar may take to write of a request that has ended."""
INBOUND = "inbound|"
"""How the cluster begins by which a sidecar passes a request to its own pod."""
NO_LINE = "its sidecar wrote no line of it in its access log"


def observe(caller: Caller, request: Request, timeout: float) -> Observed:
    """Send a request once, and read of it what sidecars wrote. Raises as ``Caller.send``."""
    began = time.monotonic()
    reply = next(caller.send(request, 1, timeout, None), None)
    if reply is None:
        raise BrokenOff("the request had no answer when the time was over", hint="Try again.")
    seconds = time.monotonic() - began
    named = request.header("x-request-id") or ""
    pod = caller.pod
    if not pod.injected:
        return Observed(reply, seconds, hidden="the client has no sidecar that could tell")
    # Envoys keep their lines back for a moment, and nothing says how many there will be.
    time.sleep(logs.ARRIVAL_SECONDS)
    with suppress(TimedOut):
        waiting.until(lambda: _sent(caller, pod, named), "its line", timeout=LOG_SECONDS)
    account = _sent(caller, pod, named)
    if account is None:
        return Observed(reply, seconds, hidden=NO_LINE)
    others = [other for other in caller.runtime.planned().pods if other.injected]
    found = [
        Arrival(other.name, each)
        for other in others
        for each in _of(caller, other, named)
        if each.cluster.startswith(INBOUND)
    ]
    return Observed(reply, seconds, account, arrivals=tuple(found))


def _sent(caller: Caller, pod: PlannedPod, named: str) -> Account | None:
    """Give what a client's sidecar says; a pod that calls itself takes the request as well."""
    return next((e for e in _of(caller, pod, named) if not e.cluster.startswith(INBOUND)), None)


def _of(caller: Caller, pod: PlannedPod, named: str) -> Iterator[Account]:
    log = caller.runtime.layout.access_log(pod)
    with suppress(EnvironmentFailed):
        for line in logs.lines(log, follow=False, tail=-1):
            if named in line and (found := access_log.read(line)) and found.request_id == named:
                yield found
