"""One request of the test client's, and what its sidecar says of it.

Istio's default profile writes no access log, so the sidecar says more for this one request: its
loggers http and router at debug. The script that sends the request puts their levels back, also
where the connection to it is lost: it goes on in the pod until its end.

A log comes in parts, and late on a busy node. So the calls that raise and put back the levels carry
a mark: what stands between the two is all that the sidecar says of the request.
"""

from __future__ import annotations

import time
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec.structs import replace

from meshdemo.engines import access_log as line_format
from meshdemo.engines.cluster import requests
from meshdemo.engines.cluster.api.connection import Forbidden
from meshdemo.engines.cluster.api.remote_exec import Target
from meshdemo.engines.cluster.istio import access_log
from meshdemo.engines.cluster.namespace_view import target
from meshdemo.engines.cluster.pods import logs
from meshdemo.engines.cluster.sidecar import debug_log
from meshdemo.engines.results import Observed
from meshdemo.errors import BrokenOff, EnvironmentFailed, TimedOut
from meshdemo.objects.containers import ISTIO_PROXY
from meshdemo.system import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from meshdemo.engines.access_log import Account
    from meshdemo.engines.cluster.api.kube import Kube
    from meshdemo.engines.cluster.namespace_view import View
    from meshdemo.engines.results import Pod
    from meshdemo.verdict.traffic import Request

LOG_SECONDS = 3
"""How long a sidecar's line may take to be in its log."""
ACCESS_SECONDS = 1.5
"""How much longer that of its access log may take, which it would write each second unasked."""
LAST_LINES = 4000
"""Of the sidecar's log that are looked through."""
NOT_ALLOWED = "its sidecar's log may not be read here: that needs the right get on pods/log"
NO_LINE = (
    "its sidecar's log says nothing of it: Istio writes no access log here, and its log level "
    "could not be raised by way of its admin port"
)
NOT_HTTP = "its sidecar saw no HTTP request: the port is not HTTP for it, or it is left alone"
TALKATIVE = """\
admin=http://127.0.0.1:15000
post() { curl -q -g -s --noproxy '*' --max-time 5 -X POST -H "$mark" "$admin$1" 2>/dev/null; }
before= last=
exec 9</
flock 9 2>/dev/null
mark='x-meshdemo: begin MARK'
for word in $(post /logging); do
case $last in router:|http:) before="$before ${last%:}=$word";; esac
last=$word
done
put_back() {
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
a folder that is there can always be opened, and where the image has no flock there is none. To
reopen its logs is how an Envoy writes the lines of its access log that it keeps back.
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
    if not pod.injected:
        return Observed(reply, seconds, hidden="the client has no sidecar that could tell")
    if request.is_tcp:
        return Observed(reply, seconds, hidden=NOT_HTTP)
    where = Target(pod.namespace, pod.name, ISTIO_PROXY)
    named = request.header("x-request-id") or ""
    try:
        account, hidden = told(lambda: list(logs.lines(kube, where, tail=LAST_LINES)), named, mark)
    except Forbidden:
        return Observed(reply, seconds, hidden=NOT_ALLOWED)
    except EnvironmentFailed as error:
        return Observed(reply, seconds, hidden=error.message)
    return Observed(reply, seconds, account, hidden)


def told(
    read: Callable[[], list[str]], named: str, mark: str, patience: float = LOG_SECONDS
) -> tuple[Account | None, str]:
    """Wait for all that a sidecar says of a request in its log, or give why nothing is known.

    ``named`` is the request's x-request-id, ``patience`` in seconds. Of the log's two parts the
    access log, where there is one, says most; only the other tells of retries and copies.
    """

    def since_then() -> Sequence[str]:
        return debug_log.since(read(), mark)

    try:
        lines = waiting.until(since_then, "its lines", timeout=patience, pause=0.05)
    except TimedOut:
        written = _written(read(), named)
        return written, "" if written else NO_LINE
    said = debug_log.read(lines, named)
    if said is None:
        return None, NOT_HTTP
    written = _written(lines, named)
    if written is None and any(access_log.only(read())):
        with suppress(TimedOut):
            written = waiting.until(
                lambda: _written(since_then(), named), "it", timeout=ACCESS_SECONDS, pause=0.05
            )
    return (replace(written, retries=said.retries, copies=said.copies) if written else said), ""


def _written(lines: Sequence[str], named: str) -> Account | None:
    """Find the line of the access log."""
    name = debug_log.written(named)
    found = (line_format.read(line) for line in lines if name.search(line))
    return next((each for each in found if each and name.fullmatch(each.request_id)), None)
