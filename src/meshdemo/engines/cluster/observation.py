"""One request of the test client's, and what its sidecar says of it.

Istio's default profile writes no access log, so the sidecar says more for this one request: its
loggers http and router at debug. The script that sends the request puts their levels back, also
where the connection to it is lost: it goes on in the pod until its end.

A log comes in parts, and late on a busy node. So the calls that raise and put back the levels carry
a mark: what stands between the two is all that the sidecar says of the request, but for its line of
the access log. That goes another way, and may come before or after.
"""

from __future__ import annotations

import time
import uuid
from contextlib import suppress
from math import ceil
from typing import TYPE_CHECKING

from msgspec.structs import replace

from meshdemo.engines import access_log
from meshdemo.engines.cluster import requests
from meshdemo.engines.cluster.api.connection import Forbidden
from meshdemo.engines.cluster.api.remote_exec import Target
from meshdemo.engines.cluster.istio.access_log import only as access_lines
from meshdemo.engines.cluster.namespace_view import target
from meshdemo.engines.cluster.pods import logs
from meshdemo.engines.cluster.sidecar import debug_log
from meshdemo.engines.results import NO_SIDECAR, Observed
from meshdemo.errors import BrokenOff, EnvironmentFailed, TimedOut
from meshdemo.language import said
from meshdemo.objects.containers import ISTIO_PROXY
from meshdemo.system import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from meshdemo.engines.access_log import Account
    from meshdemo.engines.cluster.api.kube import Kube
    from meshdemo.engines.cluster.namespace_view import View
    from meshdemo.engines.results import Pod
    from meshdemo.verdict.traffic import Request

LOG_SECONDS = 3
"""How long a sidecar's line may take to be in its log."""
ACCESS_SECONDS = 0.5
"""How much longer that of its access log may take, where it writes one of this request."""
SLACK_SECONDS = 2
"""How much longer ago than the request began its log is looked through."""
LAST_LINES = 50_000
"""Of it, at most: while it says much, it says much of all that it handles."""
NOT_ALLOWED = said("its sidecar's log may not be read here: that needs the right get on pods/log")
NO_LINE = said(
    "its sidecar's log says nothing of it: Istio writes no access log here, and its log level "
    "could not be raised by way of its admin port, or the lines are gone from the log"
)
NO_REQUEST = said(
    "its sidecar saw no HTTP request: nothing came to it, or the port is not HTTP for it"
)
TALKATIVE = """\
admin=http://127.0.0.1:15000
post() { curl -q -g -s --noproxy '*' --max-time 5 -X POST -H "$mark" "$admin$1" 2>/dev/null; }
before= last=
{ command exec 9</ && flock 9; } 2>/dev/null
mark='x-meshdemo: begin MARK'
for word in $(post /logging); do
case $last in router:|http:) before="$before ${last%:}=$word";; esac
last=$word
done
put_back() {
[ "$before" ] || return
trap '' HUP INT TERM PIPE
mark='x-meshdemo: end MARK'
post /reopen_logs
for one in $before; do post "/logging?$one"; done
}
trap 'put_back >/dev/null' EXIT
trap 'exit 1' HUP INT TERM PIPE
for one in $before; do post "/logging?${one%=*}=debug" >/dev/null; done
sh -c SCRIPT 9<&-
"""
"""Runs a script while the sidecar says much, and puts back how much it said before.

One at a time, as the next one would take "much" for what was before: a lock on the root folder, as
nothing need be written for it. Where the image has no flock there is none; ``command`` has a shell
go on where it cannot open the folder. To reopen its logs is how an Envoy writes the lines of its
access log that it keeps back.
"""


def observe(view: View, kube: Kube, pod: Pod, request: Request, timeout: float) -> Observed:
    """Send a request once from a pod, and read of it what its sidecar wrote.

    Raises as ``requests.send``.
    """
    job, mark = requests.job(view, pod, request, 1), uuid.uuid4().hex
    if pod.injected:
        job = replace(job, within=TALKATIVE.replace("MARK", mark))
    began = time.monotonic()
    reply = next(requests.send(kube, target(pod), job, timeout), None)
    if reply is None:
        raise BrokenOff("the request had no answer when the time was over", hint="Try again.")
    # Curl's own time, where it told: the way through API server and kubelet is not the request's.
    seconds = time.monotonic() - began if reply.seconds is None else reply.seconds
    seen = Observed(reply, seconds)
    if not pod.injected:
        return replace(seen, hidden=NO_SIDECAR, unseen=True)
    if request.is_tcp:
        return replace(seen, hidden=NO_REQUEST, unseen=True)
    where = Target(pod.namespace, pod.name, ISTIO_PROXY)

    def log() -> list[str]:
        ago = ceil(time.monotonic() - began + SLACK_SECONDS)
        return list(logs.lines(kube, where, tail=LAST_LINES, since=ago))

    try:
        return told(seen, log, request.header("x-request-id") or "", mark)
    except Forbidden:
        return replace(seen, hidden=NOT_ALLOWED)
    except EnvironmentFailed as error:
        return replace(seen, hidden=error.message)


def told(
    seen: Observed,
    read: Callable[[], list[str]],
    named: str,
    mark: str,
    patience: float = LOG_SECONDS,
) -> Observed:
    """Add all that a sidecar says of a request in its log, once that is there, or why it does not.

    ``named`` is the request's x-request-id, ``patience`` in seconds. The access log, where there is
    one, says most; only the rest of the log tells of retries and copies.
    """
    lines: list[str] = []

    def between() -> Sequence[str]:
        lines[:] = read()
        return debug_log.between(lines, mark)

    try:
        whole = waiting.until(between, "its lines", timeout=patience, pause=0.05)
    except TimedOut:
        whole = ()
    account = debug_log.read(whole or lines, named)
    if account and not whole:
        account = replace(account, retries=None, copies=None)
    line = _line(lines, named)
    if account and not line and any(access_lines(lines)):
        with suppress(TimedOut):
            line = waiting.until(lambda: _line(read(), named), "its line", timeout=ACCESS_SECONDS)
    if account and line:
        line = replace(line, retries=account.retries, copies=account.copies)
    if line or account:
        return replace(seen, account=line or account)
    return replace(seen, hidden=NO_REQUEST if whole else NO_LINE, unseen=bool(whole))


def _line(lines: Iterable[str], named: str) -> Account | None:
    """Find the last line of the access log about a request: a user may give an id twice."""
    name = debug_log.as_logged(named)
    found = (each for each in map(access_log.read, lines) if each)
    return next((each for each in reversed([*found]) if name.fullmatch(each.request_id)), None)
