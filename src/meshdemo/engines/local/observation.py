"""One request of the test client's, and what the sidecars on its way say of it."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from meshdemo.engines import access_log
from meshdemo.engines.local.envoy.unix_http import Unreachable
from meshdemo.engines.local.model import LOOPBACK
from meshdemo.engines.local.pods import logs
from meshdemo.engines.results import Arrival, Observed
from meshdemo.errors import BrokenOff, EnvironmentFailed, InputError, TimedOut
from meshdemo.rules import mirrors
from meshdemo.rules.http_choice import chosen
from meshdemo.rules.promise import RequestPath
from meshdemo.system import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from meshdemo.engines.access_log import Account
    from meshdemo.engines.local.model import PlannedPod
    from meshdemo.engines.local.test_client import Caller
    from meshdemo.rules.mirrors import Mirror
    from meshdemo.verdict.traffic import Request

T = TypeVar("T")
LOG_SECONDS = 5
"""How long the client's sidecar may take to write of a request that has ended."""
NOT_SENT = {"UF", "UO"}
"""The flags of a request that did not come to the pod that was chosen for it."""
OTHERS_SECONDS, COPIES_SECONDS = 0.02, 0.3
"""How long after these the others may take at least, as nothing says how many there will be: those
of pods that were tried before, and those of pods that get a copy, which may come late."""
SLACK = 3
"""How many times as long as the client's own sidecar they may take: machines are slow at times."""
PAUSE, LONGEST_PAUSE = 0.005, 0.05
INBOUND = "inbound|"
"""How the cluster begins by which a sidecar passes a request to its own pod."""
NO_LINE = "its sidecar wrote no line of it in its access log"
NOT_HTTP = "the port is not HTTP for its sidecar, which sees connections there and no requests"


def observe(caller: Caller, request: Request, timeout: float) -> Observed:
    """Send a request once, and read of it what sidecars wrote. Raises as ``Caller.send``."""
    began = time.monotonic()
    reply = next(caller.send(request, 1, timeout, None), None)
    if reply is None:
        raise BrokenOff("the request had no answer when the time was over", hint="Try again.")
    seconds = (ended := time.monotonic()) - began
    if not caller.pod.injected:
        return Observed(reply, seconds, hidden="the client has no sidecar that could tell")
    path = RequestPath.of(caller.objects, (), request, caller.client)
    dialled = path.dialled
    if request.is_tcp or (dialled and dialled.chooses_by_connection):
        return Observed(reply, seconds, hidden=NOT_HTTP)
    named = request.header("x-request-id") or ""
    account = _look_until(lambda: _sent(caller, named), caller, [caller.pod], LOG_SECONDS)
    if account is None:
        return Observed(reply, seconds, hidden=NO_LINE)
    took = time.monotonic() - ended
    others = [other for other in caller.runtime.planned().pods if other.injected]

    def came() -> tuple[Arrival, ...]:
        return tuple(Arrival(o.name, each) for o in others for each in _came(caller, o, named))

    # The pod that it was sent to has no longer than any line takes to be there.
    told = partial(_has_told, caller, others, account)
    _look_until(told, caller, others, logs.ARRIVAL_SECONDS)
    sent = [each.percent for each in _mirrors(path) if each.percent]
    if sent and account.endpoint:
        time.sleep(COPIES_SECONDS)
        wanted = 1 + sent.count(mirrors.ALL)
        _look_until(lambda: len(came()) >= wanted, caller, others, logs.ARRIVAL_SECONDS)
    time.sleep(max(OTHERS_SECONDS, SLACK * took))
    return Observed(reply, seconds, account, arrivals=came())


def _mirrors(path: RequestPath) -> Iterator[Mirror]:
    """Give where the rule that takes a request has copies of it sent; of any that may take it."""
    dialled = path.dialled
    if dialled is None or dialled.rule is None:
        return
    try:
        taking = chosen(dialled.rule, dialled.port, path.call)
        rules = [taking.http] if taking else []
    except InputError:
        rules = [*dialled.rule.http]
    for http in rules:
        yield from mirrors.mirrors_of(http)


def _look_until(
    told: Callable[[], T | None], caller: Caller, pods: Sequence[PlannedPod], timeout: float
) -> T | None:
    """Have these sidecars write what they keep back, until it is there; None if it never is."""

    def look() -> T | None:
        _have_written(caller, pods)
        return told()

    with suppress(TimedOut):
        return waiting.until(
            look, "its line", timeout=timeout, pause=PAUSE, longest_pause=LONGEST_PAUSE
        )
    return None


def _have_written(caller: Caller, pods: Iterable[PlannedPod]) -> None:
    for pod in pods:
        with suppress(Unreachable):
            caller.runtime.layout.sidecar(pod).admin.write_access_log()


def _has_told(caller: Caller, others: Iterable[PlannedPod], account: Account) -> bool:
    """Tell whether the pod that a request was sent to last has written of it, if it is to."""
    place = "" if NOT_SENT.intersection(account.flags) else account.endpoint
    sent_to = (o for o in others for p in o.ports if place == f"{LOOPBACK}:{p.entry}")
    return all(any(_came(caller, pod, account.request_id)) for pod in sent_to)


def _came(caller: Caller, pod: PlannedPod, named: str) -> Iterator[Account]:
    """Give what a pod's sidecar says of requests that came to it."""
    return (each for each in _of(caller, pod, named) if each.cluster.startswith(INBOUND))


def _sent(caller: Caller, named: str) -> Account | None:
    """Give what the client's sidecar says; a pod that calls itself takes the request as well."""
    said = _of(caller, caller.pod, named)
    return next((each for each in said if not each.cluster.startswith(INBOUND)), None)


def _of(caller: Caller, pod: PlannedPod, named: str) -> Iterator[Account]:
    log = caller.runtime.layout.access_log(pod)
    with suppress(EnvironmentFailed):
        for line in logs.lines(log, follow=False, tail=-1):
            if named in line and (found := access_log.read(line)) and found.request_id == named:
                yield found
