"""What came to the stand-ins of a private mesh, found again by the ids of requests."""

from __future__ import annotations

import threading
import uuid
from random import getrandbits
from typing import TYPE_CHECKING

from msgspec.structs import replace

from meshdemo.engines.local.private import stand_ins
from meshdemo.suite.answers import Answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meshdemo.engines.local.model import PlannedPod
    from meshdemo.engines.local.private.stand_ins import Arrived
    from meshdemo.rules.request_trace import Destination
    from meshdemo.rules.services import Service
    from meshdemo.verdict.traffic import Reply, Request


def mark_for(request: Request) -> tuple[tuple[str, str], ...]:
    """Give the header by which a request is found again; none where it has one of its own.

    It is like those that Envoy makes; it need not be hard to guess, so it may be cheap.
    """
    if request.header(stand_ins.REQUEST_ID):
        return ()
    return ((stand_ins.REQUEST_ID, str(uuid.UUID(int=getrandbits(128), version=4))),)


class Arrivals:
    """What came so far; it may be asked from any thread."""

    def __init__(self, arrived: Sequence[Arrived], services: Sequence[Service]) -> None:
        """Take the list to which the stand-ins add, and all Services of the mesh."""
        self._arrived, self._services = arrived, services
        self._by_id: dict[str, list[Arrived]] = {}
        self._indexed = 0
        self._lock = threading.Lock()
        self._behind: dict[tuple[str, frozenset[tuple[str, str]]], tuple[str, ...]] = {}

    def answer(self, request: Request, reply: Reply) -> Answer:
        """Put together what a request got."""
        arrived = self.answering(reply)
        services = self.services_of(arrived) if arrived else ()
        others = tuple(each for each in self._with_id_of(request) if each is not arrived)
        return Answer(request, reply, reply.seconds or 0.0, arrived, others, services)

    def answering(self, reply: Reply) -> Arrived | None:
        """Give the request as it came to the pod whose answer this is; None for a proxy's own."""
        place = reply.header(stand_ins.ARRIVAL)
        return self._arrived[int(place)] if place else None

    def of(self, answer: Answer) -> tuple[Arrived, ...]:
        """Give all that came of a request so far."""
        found = self._with_id_of(answer.request)
        return found or ((answer.arrived,) if answer.arrived else ())

    def copied(self, answer: Answer, mirrors: Iterable[Destination]) -> Answer:
        """Look again at an answer, for copies of its request at pods of these destinations."""
        found = self.answer(answer.request, answer.reply)
        known = list(mirrors)
        copies = [
            each
            for each in found.others
            if any(mirror.takes(each.namespace, each.labels) for mirror in known)
        ]
        hosts_of = tuple(host for each in copies for host in self.services_of(each))
        return replace(found, copied_to=hosts_of)

    def services_of(self, pod: Arrived | PlannedPod) -> tuple[str, ...]:
        """Give the Services that a pod is behind."""
        key = pod.namespace, frozenset(pod.labels.items())
        if key not in self._behind:
            known = self._services
            self._behind[key] = tuple(s.host for s in known if s.selects(pod.namespace, pod.labels))
        return self._behind[key]

    def _with_id_of(self, request: Request) -> tuple[Arrived, ...]:
        number = request.header(stand_ins.REQUEST_ID)
        with self._lock:
            for place in range(self._indexed, len(self._arrived)):
                each = self._arrived[place]
                own = each.headers.get(stand_ins.REQUEST_ID, "")
                self._by_id.setdefault(own, []).append(each)
                self._indexed = place + 1
            return tuple(self._by_id.get(number, ())) if number else ()
