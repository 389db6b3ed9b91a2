"""The mesh that is up, asked as a private one is: nothing of it is started or changed."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from msgspec.structs import replace

from meshdemo.engines.test_client import is_client
from meshdemo.errors import InputError
from meshdemo.rules.client_view import Client, MeshRules
from meshdemo.rules.destination_rules import ROOT_NAMESPACE
from meshdemo.rules.promise import RequestPath
from meshdemo.rules.written_rules import WrittenRules
from meshdemo.suite import live_arrivals
from meshdemo.suite.answers import Answer
from meshdemo.suite.model import DEFAULT_NAMESPACE, Source
from meshdemo.suite.sources import written_hosts
from meshdemo.walkthrough import pod_selection, written
from meshdemo.walkthrough.explain import explain
from meshdemo.walkthrough.request_context import goes_to

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Coroutine,
        Generator,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )
    from threading import Event
    from typing import Any, TypeVar

    from typing_extensions import Self

    from meshdemo.engines.local.private.stand_ins import Arrived
    from meshdemo.engines.protocol import Engine
    from meshdemo.engines.results import Pod
    from meshdemo.objects.model import Object
    from meshdemo.rules.request_trace import Destination, Trace
    from meshdemo.verdict.traffic import Reply, Request
    from meshdemo.walkthrough.events import Event as StoryEvent
    from meshdemo.walkthrough.explain import Explained

    T = TypeVar("T")
    Open = Callable[[str, str], Engine]
    """Opens an engine whose requests are sent by a pod with these labels, in this namespace."""


class LiveMesh:
    """The mesh that is up. A context manager as a private one; it has nothing to end."""

    made_up: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    has_tls = False
    has_behaviours = True
    """Pods are apps: what one of them answers another need not."""
    is_independent = False

    def __init__(
        self,
        open_engine: Open,
        namespace: str = DEFAULT_NAMESPACE,
        sources: Sequence[str] = (),
        timeout: float = 300.0,
    ) -> None:
        """Ask for the mesh by ``open_engine``; ``sources`` are files in which its rules stand."""
        self.namespace, self.sources, self.timeout = namespace, sources, timeout
        self._open = open_engine
        self._engines: dict[Source, Engine] = {}
        self._told: dict[str, Explained] = {}
        self._places: list[str] = [""]

    def look_where(self, requests: Iterable[Request]) -> None:
        """Look also at the other namespaces that requests go to; before anything is asked for."""
        found = (goes_to(request, self.namespace) for request in requests if request.url)
        self._places += sorted({place for place in found if place} - {self.namespace})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave all as it is."""

    def source_of(self, request: Request, said: Source | None) -> Source:  # noqa: ARG002 - as of a private mesh
        """Say where a request comes from: the test client, or the pod that is named."""
        if said and said.gateway:
            hint = "leave it out, and say a url that reaches the gateway"
            raise InputError("a mesh that is up is asked by its pods, not by a gateway", hint=hint)
        return replace(said or Source(), namespace=(said and said.namespace) or self.namespace)

    def engine(self, source: Source) -> Engine:
        """Give the engine whose test client is this source."""
        if source not in self._engines:
            labels = ",".join(f"{name}={value}" for name, value in source.labels)
            self._engines[source] = self._open(labels, source.namespace or self.namespace)
        return self._engines[source]

    @property
    def _own(self) -> Engine:
        return self.engine(Source(self.namespace))

    @cached_property
    def objects(self) -> tuple[Object, ...]:
        """What is applied now, with file and line as far as known."""
        seen = {item.key: item for place in self._places for item in self._own.objects(place)}
        found = tuple(seen.values())
        return written.located(found, self._own.files(), self.sources, self.namespace)

    @cached_property
    def written(self) -> WrittenRules:
        """The rules among the objects."""
        return WrittenRules(self.objects)

    @cached_property
    def pods(self) -> tuple[Pod, ...]:
        """The pods as they are now."""
        every = [pod for place in self._places for pod in self._own.pods(place)]
        return tuple({(pod.namespace, pod.name): pod for pod in every}.values())

    @cached_property
    def versions(self) -> tuple[str, ...]:
        """The versions of pods that can answer: a test client has one, too, and never does."""
        answering = (p for p in self.pods if not is_client(p.labels, p.workload or p.name))
        return tuple(sorted({p.labels["version"] for p in answering if "version" in p.labels}))

    @cached_property
    def services(self) -> tuple[str, ...]:
        """The full names of all Services, and the hosts of ServiceEntries."""
        return tuple(service.host for service in self._rules.services)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts that VirtualServices are for, as they are written."""
        return written_hosts(self.objects)

    @cached_property
    def _rules(self) -> MeshRules:
        return MeshRules.of(self.objects, ROOT_NAMESPACE)

    def client(self, source: Source) -> Client:
        """Give the client that a source means."""
        pod, engine = self.sender(source), self.engine(source)
        return Client(pod.namespace, pod.labels, pod.injected, engine.root_namespace)

    def sender(self, source: Source) -> Pod:
        """Give the pod that sends."""
        return pod_selection.require_client(self.engine(source))

    def path_of(self, request: Request, source: Source) -> RequestPath:
        """Follow a request through the rules."""
        client = self.client(source)
        return RequestPath.of(self.objects, self.endpoints, request, client)

    @cached_property
    def endpoints(self) -> list[tuple[str, Mapping[str, str]]]:
        """Namespace and labels of all pods that may answer."""
        return [(pod.namespace, pod.labels) for pod in self.pods if pod.is_endpoint]

    def services_of(self, pod: Arrived) -> tuple[str, ...]:
        """Give the Services that a pod is behind."""
        known = self._rules.services
        return tuple(s.host for s in known if s.selects(pod.namespace, pod.labels))

    def ask(self, request: Request, source: Source | None = None, *, body: str = "") -> Answer:
        """Send a request once; a body is refused where it is read."""
        return self.run(self.asking(request, source, body=body)())

    def asking(
        self,
        request: Request,
        source: Source | None = None,
        *,
        body: str = "",  # noqa: ARG002 - as of a private mesh
    ) -> Callable[[], Coroutine[Any, Any, Answer]]:
        """Prepare a request that is sent with each call; as of a private mesh."""
        meant = self.source_of(request, source)

        async def ask() -> Answer:
            return self._asked(request, meant)

        return ask

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Have something done; whoever asks such a mesh waits for each answer."""
        try:
            work.send(None)
        except StopIteration as end:
            found: T = end.value
            return found
        raise AssertionError("nothing of a mesh that is up is waited for")

    def run_all(self, works: Iterable[Callable[[], Coroutine[Any, Any, None]]]) -> None:
        """Have several such things done, one after the other."""
        for work in works:
            self.run(work())

    def _asked(self, request: Request, meant: Source) -> Answer:
        found = _finished(explain(self.engine(meant), request, self.sources, self.timeout))
        self._told[found.request_id] = found
        arrived = live_arrivals.arrived(found, self.pods)
        services = self.services_of(arrived) if arrived else ()
        observed = found.observed
        is_untold = arrived is not None and found.arrived is None
        return Answer(
            found.request,
            observed.reply,
            observed.seconds,
            arrived,
            services=services,
            is_untold=is_untold,
        )

    def answering(self, reply: Reply) -> Arrived | None:
        """Say which pod gave an answer: its app tells, or its version has one pod only."""
        return live_arrivals.answering(reply, self.pods)

    def answer(self, request: Request, reply: Reply) -> Answer:
        """Put together what is known of one reply of many."""
        return Answer(request, reply, reply.seconds or 0.0, self.answering(reply))

    def replied(self, request: Request, reply: Reply, trace: Trace) -> Answer:
        """Put together what one reply tells of a request that the rules lead so."""
        arrived = live_arrivals.replied(reply, trace, self.pods)
        services = self.services_of(arrived) if arrived else ()
        return Answer(request, reply, reply.seconds or 0.0, arrived, services=services)

    def pod(self, name: str) -> Pod | None:
        """Find a pod by its name."""
        return next((pod for pod in self.pods if pod.name == name), None)

    def told(self, answer: Answer) -> Explained | None:
        """Give what was told of a request."""
        return self._told.get(answer.request.header("x-request-id") or "")

    def arrivals(self, answer: Answer) -> tuple[Arrived, ...]:
        """Give all pods that a request came to, by what sidecars say."""
        found = self.told(answer)
        names = [each.pod for each in (found.observed.arrivals or ())] if found else []
        pods = [pod for name in names if (pod := self.pod(name))]
        seen = [live_arrivals.named(pod.name, pod) for pod in pods]
        return tuple(seen) or ((answer.arrived,) if answer.arrived else ())

    async def with_copies(
        self, answer: Answer, mirrors: Sequence[Destination], count: int, seconds: float
    ) -> Answer:
        """Give an answer with its copies: what sidecars said of it is known already."""
        del count, seconds
        name = answer.arrived.pod if answer.arrived else ""
        came = self.arrivals(answer)
        seen = [
            each
            for each in came
            if each.pod != name and any(m.takes(each.namespace, each.labels) for m in mirrors)
        ]
        found = (host for each in seen for host in self.services_of(each))
        told = self.told(answer)
        elsewhere, back = live_arrivals.copies(told, mirrors, name, self.pods)
        return replace(
            answer,
            copied_to=(*found, *(each.target.host for each in elsewhere)),
            copied_back=tuple(each.target for each in back),
            copies_hidden=live_arrivals.why_copies_are_hidden(told.observed) if told else "",
            times=[each.pod for each in came].count(name),
        )

    def send(
        self,
        request: Request,
        source: Source | None,
        count: int,
        timeout: float,
        enough: Event | None = None,
    ) -> Iterator[Reply]:
        """Send a request again and again."""
        return self.engine(self.source_of(request, source)).send(request, count, timeout, enough)


def _finished(story: Generator[StoryEvent, None, Explained]) -> Explained:
    """Let a story happen, and give what it comes to."""
    try:
        while True:
            next(story)
    except StopIteration as end:
        found: Explained = end.value
        return found
