"""How many pods answer a request that is sent again and again, as session affinity decides it."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.engines.local.private.stand_ins import POD_HEADER
from meshdemo.errors import BrokenOff
from meshdemo.suite.judging import Finding
from meshdemo.system.plural import counted
from meshdemo.verdict.precision import DEFAULT_PRECISION
from meshdemo.verdict.version_source import BODY

if TYPE_CHECKING:
    from meshdemo.rules.request_trace import Trace
    from meshdemo.suite.live_mesh import LiveMesh
    from meshdemo.suite.model import Source
    from meshdemo.suite.private_mesh import Answer, PrivateMesh
    from meshdemo.verdict.traffic import Reply, Request


class Counted(Struct, frozen=True):
    """What came of the requests."""

    answers: tuple[Answer, ...]
    names: tuple[str, ...]
    """The pods that answered, in the order in which they came."""
    nameless: int
    """How many answers say of no pod that they are from it."""
    broken: str = ""
    """Why there are fewer answers than were wanted."""

    def judged(self, wanted: int) -> Finding:
        """Judge by the number of pods that is expected; an answer of nobody is none of a pod."""
        found = f"{counted(len(self.names), 'pod')} in {counted(len(self.answers), 'answer')}"
        if self.nameless:
            found += f", of which {self.nameless:,} came from no pod that is known"
        right = len(self.names) == wanted and not self.nameless
        return Finding("pods", f"answers of {counted(wanted, 'pod')}", found, right)


def count(
    mesh: PrivateMesh | LiveMesh,
    request: Request,
    source: Source,
    trace: Trace | None,
    wanted: int,
    timeout: float,
) -> Counted:
    """Send a request until no other number of pods can come of it.

    That is: once there are too many of them; once there are as many as the rules lead to; or when
    one more with a share of one in a hundred would have shown with 99 % confidence.
    """
    sent_to = trace.destinations if trace else ()
    behind = {id(pod) for each in sent_to for pod in each.behind(mesh.pods)}
    names: dict[str, None] = {}
    replies: list[Reply] = []
    nameless, broken, enough = 0, "", threading.Event()
    try:
        most = DEFAULT_PRECISION.revealing
        for reply in mesh.send(request, source, most, timeout, enough):
            replies.append(reply)
            name = pod_of(mesh, reply)
            names.update({name: None} if name else {})
            nameless += not name
            if nameless or len(names) > wanted or len(names) == wanted == len(behind):
                enough.set()
    except BrokenOff as error:
        broken = error.message
    answers = tuple(mesh.answer(request, reply, 0.0, "") for reply in replies)
    return Counted(answers, tuple(names), nameless, broken)


def pod_of(mesh: PrivateMesh | LiveMesh, reply: Reply) -> str:
    """Name the pod that an answer is from: it says so, or its version has one pod only."""
    if name := reply.header(POD_HEADER):
        return name
    try:
        said = json.loads(reply.body)
    except ValueError:
        said = None
    if isinstance(said, dict) and said.get("pod"):
        return str(said["pod"])
    version = BODY.read(reply)
    alike = [pod.name for pod in mesh.pods if version and pod.labels.get("version") == version]
    return alike[0] if len(alike) == 1 else ""
