"""One request of the test client's, and what its sidecar says of it.

Istio's default profile writes no access log, so the sidecar says more for this one request: its
loggers http and router at debug. The script that sends the request puts their levels back, also
where the connection to it is lost: it goes on in the pod until its end.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from msgspec.structs import replace

from meshdemo.engines import access_log
from meshdemo.engines.cluster import requests
from meshdemo.engines.cluster.api.connection import Forbidden
from meshdemo.engines.cluster.api.remote_exec import Target
from meshdemo.engines.cluster.namespace_view import target
from meshdemo.engines.cluster.pods import logs
from meshdemo.engines.cluster.sidecar import debug_log
from meshdemo.engines.results import Observed
from meshdemo.errors import BrokenOff, EnvironmentFailed, TimedOut
from meshdemo.objects.containers import ISTIO_PROXY
from meshdemo.system import waiting

if TYPE_CHECKING:
    from meshdemo.engines.access_log import Account
    from meshdemo.engines.cluster.api.kube import Kube
    from meshdemo.engines.cluster.namespace_view import View
    from meshdemo.engines.results import Pod
    from meshdemo.verdict.traffic import Request

LOG_SECONDS = 3
"""How long a sidecar's line may take to be in its log."""
LAST_LINES = 4000
"""Of the sidecar's log that are looked through."""
NOT_ALLOWED = "its sidecar's log may not be read here: that needs the right get on pods/log"
NO_LINE = (
    "its sidecar's log says nothing of it: Istio writes no access log here, and its log level "
    "could not be raised by way of its admin port"
)
TALKATIVE = """\
loggers=http://127.0.0.1:15000/logging
post() { curl -q -g -s --noproxy '*' --max-time 5 -X POST "$1" 2>/dev/null; }
before= last=
for word in $(post "$loggers"); do
case $last in router:|http:) before="$before ${last%:}=$word";; esac
last=$word
done
put_back() { trap '' HUP INT TERM PIPE; for one in $before; do post "$loggers?$one"; done; }
trap 'put_back >/dev/null' EXIT
trap 'exit 1' HUP INT TERM PIPE
for one in $before; do post "$loggers?${one%=*}=debug" >/dev/null; done
sh -c SCRIPT
"""
"""Runs a script while the sidecar says much, and puts back how much it said before."""


def observe(view: View, kube: Kube, pod: Pod, request: Request, timeout: float) -> Observed:
    """Send a request once from a pod, and read of it what its sidecar wrote.

    Raises as ``requests.send``.
    """
    job = requests.job(view, pod, request, 1)
    if pod.injected:
        job = replace(job, within=TALKATIVE)
    began = time.monotonic()
    reply = next(requests.send(kube, target(pod), job, timeout), None)
    if reply is None:
        raise BrokenOff("the request had no answer when the time was over", hint="Try again.")
    # Curl's own time, where it told: the way through API server and kubelet is not the request's.
    seconds = time.monotonic() - began if reply.seconds is None else reply.seconds
    if not pod.injected:
        return Observed(reply, seconds, hidden="the client has no sidecar that could tell")
    named = request.header("x-request-id") or ""
    try:
        found = waiting.until(
            lambda: _account(kube, pod, named), "its line", timeout=LOG_SECONDS, pause=0.1
        )
    except TimedOut:
        return Observed(reply, seconds, hidden=NO_LINE)
    except Forbidden:
        return Observed(reply, seconds, hidden=NOT_ALLOWED)
    except EnvironmentFailed as error:
        return Observed(reply, seconds, hidden=error.message)
    return Observed(reply, seconds, found)


def _account(kube: Kube, pod: Pod, named: str) -> Account | None:
    """Find what the sidecar wrote: its access log, where there is one, says most."""
    where = Target(pod.namespace, pod.name, ISTIO_PROXY)
    lines = list(logs.lines(kube, where, tail=LAST_LINES))
    for line in lines:
        if named in line and (found := access_log.read(line)) and found.request_id == named:
            more = debug_log.read(lines, named)
            return replace(found, retries=more.retries, copies=more.copies) if more else found
    return debug_log.read(lines, named)
