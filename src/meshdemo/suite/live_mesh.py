"""The mesh that is up, asked as a private one is: nothing of it is started or changed."""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec.structs import replace

from meshdemo.engines.local.private.stand_ins import Arrived
from meshdemo.errors import InputError
from meshdemo.rules.client_view import Client, MeshRules
from meshdemo.rules.promise import RequestPath
from meshdemo.rules.written_rules import WrittenRules
from meshdemo.suite.model import DEFAULT_NAMESPACE, Source
from meshdemo.suite.private_mesh import NOBODY, Answer, written_hosts
from meshdemo.verdict.version_source import BODY
from meshdemo.walkthrough import pod_selection, written
from meshdemo.walkthrough.explain import explain

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
    from threading import Event

    from typing_extensions import Self

    from meshdemo.engines.protocol import Engine
    from meshdemo.engines.results import Pod
    from meshdemo.objects.model import Object
    from meshdemo.rules.request_trace import Destination
    from meshdemo.verdict.traffic import Reply, Request
    from meshdemo.walkthrough.events import Event as StoryEvent
    from meshdemo.walkthrough.explain import Explained

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
        found = self._own.objects()
        return written.located(found, self._own.files(), self.sources, self.namespace)

    @cached_property
    def written(self) -> WrittenRules:
        """The rules among the objects."""
        return WrittenRules(self.objects)

    @cached_property
    def pods(self) -> tuple[Pod, ...]:
        """The pods as they are now."""
        return self._own.pods()

    @cached_property
    def versions(self) -> tuple[str, ...]:
        """The versions that pods have."""
        return tuple(
            sorted({pod.labels["version"] for pod in self.pods if "version" in pod.labels})
        )

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
        return MeshRules.of(self.objects, NOBODY.root_namespace)

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
        return RequestPath.of(self.objects, self.answering, request, client)

    @cached_property
    def answering(self) -> list[tuple[str, Mapping[str, str]]]:
        """Namespace and labels of all pods."""
        return [(pod.namespace, pod.labels) for pod in self.pods if pod.is_endpoint]

    def services_behind(self, namespace: str, labels: Mapping[str, str]) -> tuple[str, ...]:
        """Give the Services that a pod is behind."""
        return tuple(s.host for s in self._rules.services if s.selects(namespace, labels))

    def ask(
        self,
        request: Request,
        source: Source | None = None,
        *,
        body: str = "",  # noqa: ARG002 - refused where it is read
        connection: object = None,  # noqa: ARG002 - as of a private mesh
    ) -> Answer:
        """Send a request once."""
        meant = self.source_of(request, source)
        found = _finished(explain(self.engine(meant), request, self.sources, self.timeout))
        self._told[found.request_id] = found
        arrived = self._arrived(found)
        services = self.services_behind(arrived.namespace, arrived.labels) if arrived else ()
        observed = found.observed
        return Answer(found.request, observed.reply, observed.seconds, arrived, (), services)

    def _arrived(self, found: Explained) -> Arrived | None:
        """Say what came to which pod; None where the client's sidecar answered itself."""
        if found.by_sidecar or not found.observed.reply.status:
            return None
        version = BODY.read(found.observed.reply)
        pod, name = self.pod(found.answered_by), found.answered_by
        if pod is None:
            pod, name = _one_of(found, version)
        said = found.arrived
        labels = dict(pod.labels) if pod else {}
        if version:
            labels["version"] = version
        space = pod.namespace if pod else ""
        if said is None:
            return Arrived(name, space, labels, "", "", "", {})
        return Arrived(name, space, labels, said.method, said.path, said.host, said.headers)

    def answer(self, request: Request, reply: Reply, seconds: float, number: str) -> Answer:  # noqa: ARG002 - as of a private mesh
        """Put together what is known of one reply of many."""
        name = ""
        try:
            said = json.loads(reply.body)
            name = str(said.get("pod", "")) if isinstance(said, dict) else ""
        except ValueError:
            pass
        pod = self.pod(name)
        arrived = Arrived(name, pod.namespace, pod.labels, "", "", "", {}) if pod else None
        return Answer(request, reply, seconds, arrived)

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
        seen = [Arrived(pod.name, pod.namespace, pod.labels, "", "", "", {}) for pod in pods]
        return tuple(seen) or ((answer.arrived,) if answer.arrived else ())

    def await_copies(
        self, answer: Answer, mirrors: Iterable[Destination], count: int, seconds: float
    ) -> Answer:
        """Give an answer with its copies: what sidecars said of it is known already."""
        del count, seconds
        known = list(mirrors)
        name = answer.arrived.pod if answer.arrived else ""
        copies = [
            each
            for each in self.arrivals(answer)
            if each.pod != name and any(m.takes(each.namespace, each.labels) for m in known)
        ]
        found = tuple(
            h for each in copies for h in self.services_behind(each.namespace, each.labels)
        )
        return replace(answer, copied_to=(*found, *self._told_copies(answer, known, name)))

    def _told_copies(
        self, answer: Answer, mirrors: Sequence[Destination], answered: str
    ) -> Iterator[str]:
        """Give the services that got copies by what the client's sidecar says.

        A copy that may have come to the pod that answered is none for anybody else.
        """
        told = self.told(answer)
        account = told.observed.account if told else None
        for mirror in mirrors if account else ():
            behind = [pod.name for pod in mirror.behind(self.pods)]
            if account and mirror.target.cluster in account.copies and answered not in behind:
                yield mirror.target.host

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


def _one_of(found: Explained, version: str) -> tuple[Pod | None, str]:
    """Give a pod like the one that answered, and what to call that one.

    A sidecar without an access log says no more than the cluster; the app says its version.
    """
    account = found.observed.account
    sent = [d for d in found.trace.destinations if account and d.target.cluster == account.cluster]
    behind = [pod for each in sent for pod in found.behind(each)]
    named = [pod for pod in behind if pod.labels.get("version") == version] or behind
    if not named:
        return None, "a pod that is not known"
    return named[0], named[0].name if len(named) == 1 else f"a pod of {named[0].workload}"


def _finished(story: Generator[StoryEvent, None, Explained]) -> Explained:
    """Let a story happen, and give what it comes to."""
    try:
        while True:
            next(story)
    except StopIteration as end:
        found: Explained = end.value
        return found
