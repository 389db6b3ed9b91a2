"""One request of the test client's, and what the sidecars on its way say of it."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from meshdemo.engines import access_log
from meshdemo.engines.access_log import INBOUND, UNREADABLE
from meshdemo.engines.local.model import LOOPBACK
from meshdemo.engines.local.pods import logs
from meshdemo.engines.results import NO_SIDECAR, Arrival, Observed
from meshdemo.errors import BrokenOff, EnvironmentFailed, TimedOut
from meshdemo.language import said
from meshdemo.rules import request_trace
from meshdemo.rules.mirrors import ALL
from meshdemo.system import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from meshdemo.engines.access_log import Account
    from meshdemo.engines.local.model import PlannedPod
    from meshdemo.engines.local.test_client import Caller
    from meshdemo.verdict.traffic import Reply, Request

T = TypeVar("T")
LOG_SECONDS = 5
"""How long the client's sidecar may take to write of a request that has ended."""
NOT_SENT = {"UF", "UO"}
"""The flags of a request that did not come to the pod that was chosen for it."""
OTHERS_SECONDS, COPIES_SECONDS = 0.02, 0.3
"""How long after these the others may take at least, as nothing says how many there will be: those
of pods that were tried before, and those of pods that get a copy of some requests."""
COPY_SECONDS = 1.0
"""How long a copy may take that is sent of each request; a thousandth is usual."""
SLACK = 3
"""How many times as long as the client's own sidecar they may take: machines are slow at times."""
A_MOMENT = 0.001
"""What a line's time is rounded by."""
PAUSE, LONGEST_PAUSE = 0.005, 0.05
NO_LINE = said("its sidecar wrote no line of it in its access log")
NOT_HTTP = said(
    "the port is not HTTP for its sidecar, which sees connections there and no requests"
)


def observe(caller: Caller, request: Request, timeout: float) -> Observed:
    """Send a request once, and read of it what sidecars wrote. Raises as ``Caller.send``."""
    since, began = time.time() - A_MOMENT, time.monotonic()
    reply = next(caller.send(request, 1, timeout, None), None)
    if reply is None:
        raise BrokenOff("the request had no answer when the time was over", hint="Try again.")
    seconds = (ended := time.monotonic()) - began
    if not caller.pod.injected:
        return Observed(reply, seconds, hidden=NO_SIDECAR, unseen=True)
    trace = request_trace.trace(caller.objects, (), request, caller.client)
    dialled = trace.dialled
    if request.is_tcp or (dialled and dialled.chooses_by_connection):
        return Observed(reply, seconds, hidden=NOT_HTTP, unseen=True)
    named = request.header("x-request-id") or ""

    def written() -> Account | None:
        return _sent(caller, named) or _unread(caller, reply, since)

    account = _look_until(written, caller, [caller.pod], LOG_SECONDS)
    if account is None:
        return Observed(reply, seconds, hidden=NO_LINE)
    if account.is_unread:
        return Observed(reply, seconds, account, unseen=True, arrivals=())
    took = time.monotonic() - ended
    others = [other for other in caller.runtime.planned().pods if other.injected]

    def came() -> tuple[Arrival, ...]:
        return tuple(Arrival(o.name, each) for o in others for each in _came(caller, o, named))

    # The pod that it was sent to has no longer than any line takes to be there.
    told = partial(_has_told, caller, others, account)
    _look_until(told, caller, others, logs.ARRIVAL_SECONDS)
    if any(0 < percent < ALL for percent, _ in trace.mirrors):
        time.sleep(COPIES_SECONDS)
        _have_written(caller, others)
    sure = [each.behind(others) for percent, each in trace.mirrors if percent == ALL]
    if account.endpoint and (sure := [pods for pods in sure if pods]):
        answering = [pod.name for pod in _sent_to(others, account)]
        copied = partial(_copied, sure, answering, came)
        _look_until(copied, caller, others, COPY_SECONDS)
    time.sleep(max(OTHERS_SECONDS, SLACK * took))
    return Observed(reply, seconds, account, arrivals=came())


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
        caller.runtime.layout.sidecar(pod).admin.write_access_log()


def _has_told(caller: Caller, others: Iterable[PlannedPod], account: Account) -> bool:
    """Tell whether the pod that a request was sent to last has written of it, if it is to."""
    sent_to = _sent_to(others, account)
    return all(any(_came(caller, pod, account.request_id)) for pod in sent_to)


def _sent_to(others: Iterable[PlannedPod], account: Account) -> list[PlannedPod]:
    """Give the pod that a request was sent to last; none where it did not come there."""
    place = "" if NOT_SENT.intersection(account.flags) else account.endpoint
    return [o for o in others for p in o.ports if place == f"{LOOPBACK}:{p.entry}"]


def _copied(
    mirrors: Iterable[Sequence[PlannedPod]],
    answering: Sequence[str],
    came: Callable[[], Iterable[Arrival]],
) -> bool:
    """Tell whether of each mirror one of its pods has got a copy, beside the request itself."""
    places = Counter(each.pod for each in came()) - Counter(answering)
    return all(any(pod.name in places for pod in pods) for pods in mirrors)


def _came(caller: Caller, pod: PlannedPod, named: str) -> Iterator[Account]:
    """Give what a pod's sidecar says of requests that came to it."""
    return (each for each in _of(caller, pod, named) if each.cluster.startswith(INBOUND))


def _sent(caller: Caller, named: str) -> Account | None:
    """Give what the client's sidecar says; a pod that calls itself takes the request as well."""
    said = _of(caller, caller.pod, named)
    return next((each for each in said if not each.cluster.startswith(INBOUND)), None)


def _unread(caller: Caller, reply: Reply, since: float) -> Account | None:
    """Give what the client's sidecar says of a request that it could not read: it has no id."""
    for line, found in _accounts(caller, caller.pod, UNREADABLE):
        is_new = access_log.began(line) >= since
        if is_new and found.is_unread and found.status == reply.status:
            return found
    return None


def _of(caller: Caller, pod: PlannedPod, named: str) -> Iterator[Account]:
    return (each for _, each in _accounts(caller, pod, named) if each.request_id == named)


def _accounts(caller: Caller, pod: PlannedPod, having: str) -> Iterator[tuple[str, Account]]:
    """Give the lines of a sidecar's access log that have some text in them, each as it is read."""
    log = caller.runtime.layout.access_log(pod)
    with suppress(EnvironmentFailed):
        for line in logs.lines(log, follow=False, tail=-1):
            if having in line and (found := access_log.read(line)):
                yield line, found
