"""A private mesh: rules in force on real Envoys, with stand-ins for all pods, for this command.

    with PrivateMesh(objects) as mesh:
        answer = mesh.ask(Request("http://shop/"))

It is on no disk and on nobody's ports, and is gone when the command is, whatever ends it.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec.structs import replace

from meshdemo.engines.local import plan, requests
from meshdemo.engines.local.admission import admit
from meshdemo.engines.local.envoy import binary
from meshdemo.engines.local.model import LOOPBACK
from meshdemo.engines.local.private import pods as private_pods
from meshdemo.engines.local.private import stand_ins
from meshdemo.engines.local.private.event_loop import EventLoop
from meshdemo.engines.local.private.stand_ins import Behaviour, StandIns
from meshdemo.engines.local.store import now
from meshdemo.errors import InputError
from meshdemo.rules import gateways
from meshdemo.rules.sending import sending_of
from meshdemo.suite import arrivals, usable
from meshdemo.suite.arrivals import Arrivals
from meshdemo.suite.clients import Clients
from meshdemo.suite.made_up import World
from meshdemo.suite.model import DEFAULT_NAMESPACE
from meshdemo.suite.senders import Senders
from meshdemo.suite.sources import Sources, as_it_comes, written_hosts

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
    from threading import Event
    from typing import Any, TypeVar

    from typing_extensions import Self

    from meshdemo.engines.access_log import Account
    from meshdemo.engines.local.admission import Admission
    from meshdemo.engines.local.model import PlannedPod
    from meshdemo.engines.local.private.envoys import LoneEnvoy
    from meshdemo.engines.local.private.stand_ins import Arrived
    from meshdemo.objects.model import Object
    from meshdemo.rules.client_view import Client
    from meshdemo.rules.promise import RequestPath
    from meshdemo.rules.request_trace import Destination
    from meshdemo.rules.written_rules import WrittenRules
    from meshdemo.suite.answers import Answer
    from meshdemo.suite.model import Source, StandIn
    from meshdemo.verdict.traffic import Reply, Request

    T = TypeVar("T")

SIDE_BY_SIDE = 8
"""Requests of different tests that are under way at a time."""
PAUSE = 0.002
"""Seconds between two looks for what is to come."""


class PrivateMesh:
    """Objects in force. A context manager; entering it raises InputError for what is refused."""

    def __init__(
        self,
        objects: Iterable[Object],
        *,
        namespace: str = DEFAULT_NAMESPACE,
        stand_ins: Mapping[str, tuple[StandIn, ...]] | None = None,
        ports: Iterable[int] = (),
    ) -> None:
        """Take the objects; Services and pods that are missing are made up.

        Raises InputError for objects in which a value is of a wrong type.
        ``ports`` are those that requests will call.
        """
        self.search = binary.Search()
        self.search.begin()
        every = list(objects)
        if wrong := usable.unreadable(every):
            raise InputError("the rules are refused, and nothing was tested", wrong)
        self._gateways = [item for item in every if item.kind == gateways.KIND]
        self.left_out = usable.left_out(every)
        """Objects that have no part in it."""
        self.namespace = namespace
        self.has_tls = any(
            "tls" in str(each) for item in self._gateways for each in item.spec.get("servers") or ()
        )
        used = [item for item in every if usable.is_used(item)]
        servers = (each for item in self._gateways for each in gateways.servers(item))
        gateway_ports = frozenset(server.port for server in servers)
        world = World(used, sorted({*ports} - {0}), stand_ins or {}, namespace, gateway_ports)
        world.complete()
        self.made_up: tuple[str, ...] = tuple(world.notes)
        """The Services and pods that the files had not."""
        self._behaviours = world.behaviours
        self._given = world.objects
        self._needed: dict[Source, None] = {}
        self._stack = ExitStack()

    # What it is made of.

    @cached_property
    def admission(self) -> Admission:
        """What Istio, and this engine, have against the objects."""
        return admit(self._given, ())

    @cached_property
    def objects(self) -> tuple[Object, ...]:
        """The objects in force, with what was made up; not Gateways."""
        moment = now()
        return tuple(
            item.with_data(
                {**item.data, "metadata": {"creationTimestamp": moment, **item.metadata}}
            )
            for item in self.admission.objects
        )

    @cached_property
    def versions(self) -> tuple[str, ...]:
        """The versions that pods have."""
        known = {each.pod.labels.get("version") for each in plan.blueprints(self.objects)}
        return tuple(sorted(known - {None, ""}, key=str))  # type: ignore[arg-type]  # None is not in it

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts that VirtualServices are for, as they are written."""
        return written_hosts(self._given)

    @property
    def has_behaviours(self) -> bool:
        """Tell whether pods of one destination may answer with another status, or late."""
        return bool(self._behaviours)

    @cached_property
    def services(self) -> tuple[str, ...]:
        """The full names of all Services, and the hosts of ServiceEntries."""
        return tuple(service.host for service in self._clients.services)

    @property
    def written(self) -> WrittenRules:
        """The rules among the objects, and Gateways."""
        return self._clients.written

    @cached_property
    def is_independent(self) -> bool:
        """Tell whether no rule lets one request decide what becomes of another."""
        specs = [str(item.spec) for item in self.objects if item.kind == "DestinationRule"]
        words = ("connectionPool", "outlierDetection", "consistentHash", "warmup")
        return not any(word in spec for spec in specs for word in words)

    # As long as it lasts.

    def need(self, sources: Iterable[Source]) -> None:
        """Have these clients started with the mesh: an Envoy each; others are when they send."""
        self._needed |= dict.fromkeys(sources)

    def __enter__(self) -> Self:
        if self.admission.problems:
            message = "the rules are refused, and nothing was tested"
            raise InputError(message, self.admission.problems)
        self.pods, sockets = private_pods.placed(self.objects)
        self._clients.pods = self.pods
        behaviours = {
            (pod.namespace, pod.name): Behaviour(found.status, found.delay, found.failing)
            for pod in self.pods
            if (found := self._behaviours.get((pod.namespace, pod.workload)))
        }
        with ExitStack() as stack:
            self._loop = stack.enter_context(EventLoop())
            servers = stack.enter_context(StandIns(self._loop, self.pods, sockets, behaviours))
            self._arrivals = Arrivals(servers.arrived, self._clients.services)
            self._senders = stack.enter_context(Senders(self._clients, self.search, self._loop))
            self._senders.start(self._needed)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def envoy(self, source: Source) -> LoneEnvoy:
        """Give the Envoy of a client, which is started where it is not there."""
        return self._senders.of(source).envoy

    # Who sends, and which way.

    @cached_property
    def _sources(self) -> Sources:
        return Sources.among(self._given, self.namespace)

    @cached_property
    def _clients(self) -> Clients:
        return Clients(self.objects, self._gateways, self.namespace)

    def source_of(self, request: Request, said: Source | None) -> Source:
        """Say where a request comes from; as ``Sources.of``."""
        return self._sources.of(request, said)

    def client(self, source: Source) -> Client:
        """Give the client that a source means."""
        return self._clients.client(source)

    def path_of(self, request: Request, source: Source) -> RequestPath:
        """Follow a request through the rules."""
        return self._clients.path_of(request, source)

    @property
    def endpoints(self) -> list[tuple[str, Mapping[str, str]]]:
        """Namespace and labels of all pods that may answer."""
        return self._clients.endpoints

    # Requests.

    def ask(self, request: Request, source: Source | None = None, *, body: str = "") -> Answer:
        """Send a request once. Raises Unanswerable where it is not clear where it comes from."""
        return self.run(self.asking(request, source, body=body)())

    def asking(
        self, request: Request, source: Source | None = None, *, body: str = ""
    ) -> Callable[[], Coroutine[Any, Any, Answer]]:
        """Prepare a request that is sent with each call, by ``each`` or ``run``.

        Raises Unanswerable at once, and EnvironmentFailed from the call where its Envoy has ended.
        """
        meant = self.source_of(request, source)
        sender = self._senders.of(meant)
        proxy = sender.proxy(self._clients.port_of(request, meant))
        sent = requests.as_sent(as_it_comes(request, meant))

        async def ask() -> Answer:
            mark = arrivals.mark_for(request)
            marked = replace(sent, headers=(*sent.headers, *mark))
            reply = await proxy.send(marked, body)
            if reply.error:
                await asyncio.to_thread(sender.envoy.require_running)
            asked = replace(request, headers=(*request.headers, *mark))
            return self._arrivals.answer(asked, reply)

        return ask

    async def with_copies(
        self, answer: Answer, mirrors: Sequence[Destination], count: int, seconds: float
    ) -> Answer:
        """Give an answer with the copies of its request; wait so long for so many of them."""
        deadline = time.monotonic() + (seconds if mirrors else 0)
        while True:
            answer = self._arrivals.copied(answer, mirrors)
            if len(answer.copied_to) >= count or time.monotonic() > deadline:
                return answer
            await asyncio.sleep(PAUSE)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Have something done that waits for answers."""
        return self._loop.run(work)

    def run_all(self, works: Iterable[Callable[[], Coroutine[Any, Any, None]]]) -> None:
        """Have several such things done: at a time, where none decides what becomes of another."""
        self._loop.run_all(works, SIDE_BY_SIDE if self.is_independent else 1)

    def send(
        self,
        request: Request,
        source: Source | None,
        count: int,
        timeout: float,
        enough: Event | None = None,
    ) -> Iterator[Reply]:
        """Send a request again and again, as independent choices; as ``Engine.send``."""
        meant = self.source_of(request, source)
        how = sending_of(self.path_of(request, meant))
        width = requests.SIDE_BY_SIDE if how.side_by_side else 1
        port = self.envoy(meant).place_of(self._clients.port_of(request, meant))
        proxy = f"http://{LOOPBACK}:{port}"
        connections = requests.Connections(width, how.fresh_connections)
        sent = as_it_comes(request, meant)
        return requests.send(sent, count, proxy, connections, timeout=timeout, enough=enough)

    # What came of them.

    def answer(self, request: Request, reply: Reply) -> Answer:
        """Put together what is known of one reply of many."""
        return self._arrivals.answer(request, reply)

    def arrivals(self, answer: Answer) -> tuple[Arrived, ...]:
        """Give all pods that a request came to so far."""
        return self._arrivals.of(answer)

    def answering(self, reply: Reply) -> Arrived | None:
        """Give the request as it came to the pod whose answer this is; None for a proxy's own."""
        return self._arrivals.answering(reply)

    def services_of(self, pod: PlannedPod | Arrived) -> tuple[str, ...]:
        """Give the Services that a pod is behind."""
        return self._arrivals.services_of(pod)

    def account(self, answer: Answer) -> Account | None:
        """Give what the client's sidecar says of a request; waits a moment for its line."""
        return self._senders.account(answer.request.header(stand_ins.REQUEST_ID) or "")
