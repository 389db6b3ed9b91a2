"""The test client's requests: an exec of ``sh`` for many of them, one record for each.

The loop asks nothing of the client's image but a POSIX ``sh`` and curl 7.29 or later. One curl
process sends all requests; where they may overtake each other there are two, one writing to
standard output, the other to standard error. After each request they write a record's end: a mark
that no answer can hold, the status, and how many seconds it took. The last line says how many were
to be sent. A request begins where the one before it ended: so it is reckoned when each did.
"""

from __future__ import annotations

import re
import shlex
import time
import uuid
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from meshdemo.engines.cluster import tcp_requests
from meshdemo.engines.cluster.api import remote_exec as remote
from meshdemo.engines.test_client import answering, out_of_time
from meshdemo.errors import BrokenOff, EnvironmentFailed, Sigterm
from meshdemo.rules.sending import sending
from meshdemo.system.shell import NO_SUCH_COMMAND, NOT_RUNNABLE
from meshdemo.verdict import traffic
from meshdemo.verdict.traffic import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Event

    from meshdemo.engines.cluster.api.kube import Kube
    from meshdemo.engines.cluster.api.remote_exec import Target
    from meshdemo.engines.cluster.namespace_view import View
    from meshdemo.engines.results import Pod
    from meshdemo.verdict.traffic import Request

CURL_ERRORS = {
    6: traffic.NO_SUCH_HOST,
    7: traffic.CONNECTION_REFUSED,
    28: traffic.TIMED_OUT,
    **dict.fromkeys((52, 55, 56), traffic.CONNECTION_RESET),
}
"""curl's numbers for failures, in the words that replies are counted by."""
FIRST_PART = 120
"""Requests of the first exec: it takes about as long as they do."""
Stop: TypeAlias = KeyboardInterrupt | Sigterm
"""A signal, as it is raised."""
SAID = re.compile(rb"curl: \((\d+)\) ?([^\n]*)\n?")

# -q: no curlrc of the image; -g: braces in a URL are themselves; --stderr -: in the records' order.
# The second loop has standard error for itself: what a shell or a loader says there of its own is
# ended by a record that is none, or goes nowhere.
# dd: some twenty records at a time; each write is a message through kubelet and API server, and
# they take as much of the time as the requests do.
SCRIPT = """\
echo '{mark} done 0' >&2
exec 4>&2 2>/dev/null
command -v curl >/dev/null 2>&1 || exit {not_found}
command -v dd >/dev/null 2>&1 && pack='dd obs=1024' || pack=cat
exec 3<&0
ask() {{
i=0
while [ "$i" -lt "$1" ]; do echo {url}; i=$((i+1)); done |
curl -q -g -sS --stderr - --max-time {limit} {options} \\
-w '\\n{mark} %{{http_code}} %{{time_total}}\\n' -K - &
{held}echo '{mark} done' "$1"
}}
ask {first} | $pack &
[ {second} = 0 ] || ask {second} | $pack >&4 &
wait
"""


class Job(Struct, frozen=True):
    """Requests of one measurement."""

    request: Request
    count: int
    fresh_connections: bool
    side_by_side: bool = False
    """Whether two requests may be under way at a time; with more the app is the limit."""
    within: str = ""
    """A script that runs the loop in place of ``SCRIPT``, quoted; empty for the loop alone."""

    def script(self, mark: str) -> str:
        """Write the loop, or two of them: the second one writes to standard error."""
        traffic.check(self.request)
        if self.request.is_tcp:
            return tcp_requests.script(self.request, self.count, mark)
        loop = self._loop(mark)
        return self.within.replace("SCRIPT", shlex.quote(loop)) if self.within else loop

    def _loop(self, mark: str) -> str:
        second = self.count // 2 if self.side_by_side else 0
        options: list[str] = []
        if self.request.method == "HEAD":
            options += ["-I"]
        elif self.request.method != "GET":
            options += ["-X", self.request.method]
        if self.request.wants_headers:
            options += ["-i"]
        for name, value in self.request.headers:
            # curl drops a header without a value, unless it ends with a semicolon.
            options += ["-H", f"{name}: {value}" if value else f"{name};"]
        if self.fresh_connections:
            options += ["-H", "Connection: close"]
        return SCRIPT.format(
            not_found=NO_SUCH_COMMAND,
            first=self.count - second,
            second=second,
            url=shlex.quote(f'url = "{_escaped(self.request.url)}"'),
            limit=self.request.whole_seconds,
            mark=mark,
            options=shlex.join(options),
            held=remote.HELD,
        )


def job(view: View, pod: Pod, request: Request, count: int) -> Job:
    """Decide how a test client sends a request so that a sample of answers proves something."""
    how = sending(view.seen(), answering(view.pods(), pod), request, view.follower(pod))
    return Job(request, count, how.fresh_connections, side_by_side=how.side_by_side)


def send(
    kube: Kube, target: Target, job: Job, timeout: float, enough: Event | None = None
) -> Iterator[Reply]:
    """Send the requests of a job, within ``timeout`` seconds.

    Who may have ``enough`` before gets them in parts that grow, each an exec of its own.
    The iterator raises BrokenOff after the last reply if there are fewer than wanted, and
    EnvironmentFailed where nothing can be sent at all. Nothing is sent again. A signal is raised
    again after the replies that came before it.
    """
    deadline = time.monotonic() + timeout
    sent = 0
    while sent < job.count and not (enough and enough.is_set()):
        part = min(job.count - sent, max(FIRST_PART, sent // 2)) if enough else job.count
        replies, end = _run(kube, target, replace(job, count=part), deadline)
        yield from replies
        if isinstance(end, Stop):
            raise end
        if len(replies) < part:
            raise _broken_off(target, end, job.request, found=sent + len(replies))
        sent += part


def _broken_off(
    target: Target, end: remote.Ended | EnvironmentFailed, request: Request, *, found: int
) -> BrokenOff | EnvironmentFailed:
    if isinstance(end, remote.Late):
        return out_of_time()
    if isinstance(end, EnvironmentFailed):
        return BrokenOff(end.message, hint="Try again.")
    if found or end.code not in (NO_SUCH_COMMAND, NOT_RUNNABLE):
        why = end.message or f"its loop ended with status {end.code}"
        return BrokenOff(f"the test client {target.pod} broke down: {why}", hint="Try again.")
    needed = "It needs sh and curl 7.29 or later."
    why = end.message or f"it has no {'bash' if request.is_tcp else 'curl'}"
    return EnvironmentFailed(
        f"the container {target.container} of {target.pod} cannot send requests: {why}",
        hint=tcp_requests.NEEDED if request.is_tcp else needed,
    )


def read(
    output: bytes, mark: str, *, heads: bool = False, began: float | None = None
) -> list[Reply]:
    """Take the loop's output apart; what has no end of a record is not a reply.

    With ``heads`` each answer begins with its status line and headers. ``began`` is when the loop
    did, in seconds since the epoch.
    """
    pattern = re.compile(rb"\n?%s (\d{3}(?: [\d.,]*)?|done \d+)\n" % mark.encode())
    *parts, _ = pattern.split(output)
    replies: list[Reply] = []
    for body, end in zip(parts[::2], parts[1::2], strict=True):
        said = SAID.match(body)
        # Old releases of curl write an error after its record: there it starts the next one.
        if said and replies and replies[-1] == Reply(error=""):
            replies[-1] = replace(replies[-1], error=_error(said))
            body = body[said.end() :]  # noqa: PLW2901 - what is left is this record's own
        if not end.startswith(b"done"):
            reply = _reply(body, int(end[:3]), heads=heads)
            took = end[3:].strip().replace(b",", b".")  # the point is that of the image's language
            seconds = float(took) if took else None
            replies.append(replace(reply, began=began, seconds=seconds))
            began = None if began is None or seconds is None else began + seconds
    return [
        reply if reply.status or reply.error else replace(reply, error="no answer")
        for reply in replies
    ]


def _run(
    kube: Kube, target: Target, job: Job, deadline: float
) -> tuple[list[Reply], remote.Ended | remote.Lost | remote.Late | Stop]:
    """Give the replies that came, and how the script ended, or what made us end."""
    mark = uuid.uuid4().hex
    outputs = {remote.STDOUT: bytearray(), remote.STDERR: bytearray()}
    end: remote.Ended | remote.Lost | remote.Late | Stop
    began = None
    try:
        with remote.start(kube, target, ["sh", "-c", job.script(mark)], deadline) as session:
            began = time.time()
            for channel, data in session.frames():
                if channel in outputs:
                    outputs[channel] += data
        end = session.ended or remote.Ended(NOT_RUNNABLE)
    except (remote.Lost, remote.Late, KeyboardInterrupt, Sigterm) as error:
        end = error
    heads = job.request.wants_headers
    found = (read(bytes(output), mark, heads=heads, began=began) for output in outputs.values())
    return [reply for replies in found for reply in replies], end


def _reply(body: bytes, status: int, *, heads: bool) -> Reply:
    failures = list(SAID.finditer(body))
    if failures and failures[-1].end() == len(body):
        return Reply(error=_error(failures[-1]))
    if not status:
        return Reply()
    head, _, rest = body.partition(b"\r\n\r\n") if heads else (b"", b"", body)
    lines = head.decode("latin-1").split("\r\n")[1:]
    pairs = (line.partition(":") for line in lines)
    headers = tuple((name, value.strip()) for name, _, value in pairs)
    return Reply(status, rest.decode(errors="replace"), headers=headers)


def _error(said: re.Match[bytes]) -> str:
    number = int(said[1])
    return CURL_ERRORS.get(number) or said[2].decode(errors="replace").strip() or f"curl ({number})"


def _escaped(url: str) -> str:
    """Write a URL as curl's configuration wants it within quotes."""
    return url.replace("\\", "\\\\").replace('"', '\\"')
