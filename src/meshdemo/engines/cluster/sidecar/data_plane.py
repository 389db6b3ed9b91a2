"""The test client's data plane: what its sidecar has, and whether services really answer.

Both are asked from inside its app container, which shares the network with the sidecar: a
sidecar's image need not have a shell.
"""

from __future__ import annotations

import json
import re
import shlex
import time
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.engines.cluster.api import remote_exec as remote
from meshdemo.engines.cluster.namespace_view import target
from meshdemo.engines.cluster.sidecar.config_dump import Dump
from meshdemo.engines.results import ANSWERS_IN_A_ROW
from meshdemo.errors import EnvironmentFailed
from meshdemo.system import shell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.engines.cluster.api.kube import Kube
    from meshdemo.engines.cluster.api.remote_exec import Target
    from meshdemo.engines.cluster.namespace_view import View
    from meshdemo.engines.results import Pod

ADMIN = "http://127.0.0.1:15000/config_dump?resource"
CLUSTERS = "http://127.0.0.1:15000/clusters"
LOOK_LIMIT = 5
"""Seconds that the sidecar may take to show its configuration, and an app to answer."""
GUESS_LIMIT = 1
"""Seconds for an app that may not speak HTTP: it need not say anything."""
DUMP_PAUSE = 0.05

DUMPS = """\
exec 3<&0
n=0
while [ "$n" -lt {times} ]; do
for what in dynamic_route_configs dynamic_active_clusters; do
curl -q -g -s --noproxy '*' --max-time {limit} "{admin}=$what" || echo "curl: ($?)"
echo; echo {mark}
done
n=$((n+1)); sleep {pause} 2>/dev/null || sleep 1
done &
{held}"""
ANSWER_LOOP = """\
i=0
while [ "$i" -lt {count} ]; do echo {url}; i=$((i+1)); done |
curl -q -g -s --max-time {limit} -w '\\n{mark} %{{http_code}} %{{num_connects}}\\n' -K -
curl -q -g -s --noproxy '*' --max-time {limit} {clusters} | grep -F {cluster}
"""
NO_ANSWER_YET = re.compile(
    rb"upstream connect error|no healthy upstream|^upstream request timeout", re.IGNORECASE
)
"""What a sidecar says in place of an app that does not answer."""
NO_CONNECTION = re.compile(rb"connection failure|no healthy upstream", re.IGNORECASE)
"""What it says in place of one that does not even listen."""
CURL_FAILED = re.compile(rb"curl: \((\d+)\)\s*$")
SLOW = 28
"""What curl ends with if a sidecar has not shown all of its configuration in time."""
NO_CURL = "it has no curl"
NO_HOST = re.compile(rb"no healthy upstream", re.IGNORECASE)
LED_ASTRAY = "the test client's sidecar knows its pods, and the rules lead to none of them"
NOT_KNOWN = "the test client's sidecar does not know all of its pods yet"
WHY = {7: "nothing listens at its Envoy's admin port 15000", shell.NO_SUCH_COMMAND: NO_CURL}


class Unseen(EnvironmentFailed):
    """The test client cannot look, now or later."""

    def __init__(self, client: str, why: str) -> None:
        super().__init__(
            f"what the test client {client} has and gets cannot be seen: {why}",
            hint="It needs sh, curl 7.29 or later, and Envoy's admin port where Istio puts it.",
        )


class Place(Struct, frozen=True):
    """Where something must answer."""

    url: str
    is_http: bool = True
    """Whether its port is declared so; where it is only detected, to listen is enough."""
    cluster: str = ""
    """What the sidecar calls it."""
    pods: tuple[tuple[str, ...], ...] = ()
    """The addresses of each pod that the sidecar has to know, or a share of it would be wrong."""

    def script(self, mark: str) -> str:
        """Give the shell script that asks it ``ANSWERS_IN_A_ROW`` times, and for its endpoints."""
        line = shlex.quote(f'url = "{self.url}"')
        limit = LOOK_LIMIT if self.is_http else GUESS_LIMIT
        return ANSWER_LOOP.format(
            count=ANSWERS_IN_A_ROW,
            url=line,
            limit=limit,
            mark=mark,
            clusters=CLUSTERS,
            cluster=shlex.quote(f"{self.cluster}::"),
        )

    def trouble(self, output: bytes, mark: str) -> str:
        """Say what was wrong first; empty if something answered each time."""
        *parts, known = re.split(rb"\n?%s (\d{3}) (\d+)\n" % mark.encode(), output)
        listed = known.decode(errors="replace")
        for body, status, connects in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
            # A port that does not speak HTTP gives curl no status, but the connection was made.
            if status == b"000" and (self.is_http or connects == b"0"):
                return "no connection"
            # The app itself may well answer 503: only Envoy's own words say that it is not there.
            sign = NO_ANSWER_YET if self.is_http else NO_CONNECTION
            if int(status) in (502, 503, 504) and sign.search(body):
                if NO_HOST.search(body) and known.strip() and self._knows_all(listed):
                    return LED_ASTRAY
                return f"{int(status)} {body.decode(errors='replace').strip()[-200:]}"
        if not parts:
            return NO_CURL
        return "" if self._knows_all(listed) else NOT_KNOWN

    def _knows_all(self, known: str) -> bool:
        """Read Envoy's list of endpoints. Where it says nothing of the place there is none."""
        pods = [[f"[{ip}]" if ":" in ip else ip for ip in addresses] for addresses in self.pods]
        return not known.strip() or all(
            any(f"{self.cluster}::{host}:" in known for host in hosts) for hosts in pods
        )


class DataPlane(Struct, frozen=True):
    """The data plane as the test client sees it."""

    kube: Kube
    target: Target

    def dump(self) -> Dump | None:
        """Look at the sidecar's configuration; None if it does not show it."""
        try:
            return next(self.dumps(time.monotonic() + 2 * LOOK_LIMIT), None)
        except (Unseen, remote.Lost):
            return None

    def clusters(self) -> str:
        """Give Envoy's page of clusters and endpoints; empty if the sidecar does not show it."""
        script = f"curl -q -g -s --noproxy '*' --max-time {LOOK_LIMIT} {CLUSTERS}"
        with suppress(Unseen, remote.Late, remote.Lost):
            output = self._output(script, time.monotonic() + 2 * LOOK_LIMIT)
            return b"".join(output).decode(errors="replace")
        return ""

    def dumps(self, deadline: float) -> Iterator[Dump]:
        """Look again and again until the deadline, by one exec. Raises Unseen, and Lost."""
        mark = uuid.uuid4().hex
        # The loop in the pod ends by itself, also where the connection is lost and nobody stops it.
        times = max(1, int((deadline - time.monotonic()) / DUMP_PAUSE))
        script = DUMPS.format(
            times=times,
            limit=LOOK_LIMIT,
            admin=ADMIN,
            mark=mark,
            pause=DUMP_PAUSE,
            held=remote.HELD,
        )
        parts = self._parts(script, f"\n{mark}\n".encode(), deadline)
        with suppress(remote.Late):
            for routes in parts:
                clusters = next(parts, None)
                if clusters is None:
                    return
                if found := self._read(routes, clusters):
                    yield found

    def trouble(self, place: Place, deadline: float) -> str:
        """Ask a place often; empty if something answers each time, else what was wrong first.

        Raises Unseen, Late and Lost.
        """
        mark = uuid.uuid4().hex
        found = place.trouble(b"".join(self._output(place.script(mark), deadline)), mark)
        if found == NO_CURL:
            raise Unseen(self.target.pod, found)
        return found

    def _parts(self, script: str, end: bytes, deadline: float) -> Iterator[bytes]:
        rest = b""
        for data in self._output(script, deadline):
            *parts, rest = (rest + data).split(end)
            yield from parts

    def _output(self, script: str, deadline: float) -> Iterator[bytes]:
        is_silent = True
        with remote.start(self.kube, self.target, ["sh", "-c", script], deadline) as session:
            for channel, data in session.frames():
                is_silent = False
                if channel == remote.STDOUT:
                    yield data
        if session.ended and session.ended.message:
            raise Unseen(self.target.pod, session.ended.message)
        if is_silent and session.ended and session.ended.code == 0:
            # Each script says something. A busy containerd 1.6 loses one command of some hundreds,
            # and says 0; kubectl exec -i tells the same.
            raise remote.Lost(f"the command in the pod {self.target.pod} ended without a word")

    def _read(self, *parts: bytes) -> Dump | None:
        """Read what curl wrote; None if the sidecar was only too slow. Raises Unseen."""
        codes = [int(match[1]) for part in parts if (match := CURL_FAILED.search(part))]
        if SLOW in codes:
            return None
        if codes:
            raise Unseen(self.target.pod, WHY.get(codes[0], f"curl ends with {codes[0]}"))
        try:
            return Dump.of(*map(json.loads, parts))
        except ValueError as error:
            raise Unseen(
                self.target.pod, "what its sidecar shows is not a configuration"
            ) from error


def of(view: View, pod: Pod) -> DataPlane:
    """Give the data plane as a test client sees it."""
    return DataPlane(view.kube, target(pod))


def that_follows(view: View) -> DataPlane | None:
    """Give the data plane that rules have to reach; None without a client that follows them."""
    pod = view.client()
    return of(view, pod) if pod and follows(pod) else None


def dump_of(view: View) -> Dump | None:
    """Give what the client's sidecar has now; None without one that follows rules."""
    plane = that_follows(view)
    return plane.dump() if plane else None


def follows(pod: Pod) -> bool:
    """Tell whether rules have to reach this test client, which is by its sidecar."""
    return pod.injected and pod.is_ready
