"""What is seen of a mesh by who wants to know about one request, and what the rules promise it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from meshdemo.engines.test_client import answering
from meshdemo.errors import EnvironmentFailed, InputError
from meshdemo.rules import hosts, patience, promise
from meshdemo.rules.client_view import Client
from meshdemo.rules.unaccounted import unaccounted
from meshdemo.walkthrough import pod_selection

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meshdemo.engines.protocol import Engine
    from meshdemo.engines.results import Pod
    from meshdemo.objects.model import Object
    from meshdemo.rules.acting import Acting
    from meshdemo.rules.request_trace import Trace
    from meshdemo.rules.virtual_services import Followed
    from meshdemo.verdict.expectation import Expectation
    from meshdemo.verdict.traffic import Request


REQUEST_ID = "x-request-id"


class RequestContext(Struct, frozen=True):
    """What decides about a request of the test client's."""

    request: Request
    """With the URL that is meant where none was said."""
    sender: Pod
    objects: tuple[Object, ...]
    pods: tuple[Pod, ...]
    root_namespace: str
    unseen: str = ""
    """Why not all of it is here; empty if it is."""

    @classmethod
    def of(cls, engine: Engine, request: Request, sender: Pod) -> RequestContext:
        """Look at a mesh. Raises InputError if it is not clear which request is meant."""
        place = goes_to(request, sender.namespace)
        objects, unseen = _objects(engine, place)
        request = pod_selection.addressed(request, sender.namespace, objects)
        # Which URL is meant shows only once one has looked, and it may be of another namespace:
        # then that is to be looked at.
        if goes_to(request, sender.namespace) != place:
            return cls.of(engine, request, sender)
        pods = engine.pods("" if unseen else place)
        return cls(request, sender, objects, pods, engine.root_namespace, unseen)

    def again(self, engine: Engine) -> tuple[Object, ...]:
        """Give the services and rules as they are now."""
        place = goes_to(self.request, self.sender.namespace)
        return engine.objects() if place == self.sender.namespace else _objects(engine, place)[0]

    def pods_again(self, engine: Engine) -> tuple[Pod, ...]:
        """Give the pods as they are now."""
        return engine.pods("" if self.unseen else goes_to(self.request, self.sender.namespace))

    def promised(self) -> Expectation:
        """Say what the rules promise. Raises InputError if that is not a split."""
        try:
            return promise.promised(self.objects, self._answering, self.request, self.client)
        except InputError as error:
            if not self.unseen:
                raise
            raise InputError(f"{error.message}; {self.unseen}", hint=error.hint) from error

    def traced(self) -> Trace:
        """Follow the request through the rules. Raises InputError for one that nobody can send."""
        from meshdemo.rules import request_trace  # noqa: PLC0415 - only explain pays for it

        return request_trace.trace(self.objects, self._answering, self.request, self.client)

    def patient(self, timeout: float) -> RequestContext:
        """Give the same for a request that is not given up while the rules let it wait.

        Where that is longer than ``timeout``, this ends the measurement before it ends a request.
        """
        rules = [str(o.spec) for o in self.objects if o.kind == "VirtualService"]
        if not any(field in rule for rule in rules for field in patience.FIELDS):
            return self
        limit = min(patience.time_limit(self.traced()), timeout + 1)
        return replace(self, request=replace(self.request, time_limit=limit))

    def acting(self) -> tuple[Acting, ...]:
        """Give the rules that act on the request. Raises InputError as ``traced``."""
        from meshdemo.rules import acting  # noqa: PLC0415 - only who is asked for them pays for it

        return acting.acting(self.objects, self._answering, self.request, self.client)

    def unaccounted(self) -> tuple[str, ...]:
        """Name what touches the request and has no part in that promise."""
        return unaccounted(self.objects, self._answering, self.request, self.client)

    def strangers(self, followed: Sequence[Followed] | None) -> tuple[str, ...]:
        """Name the rules that a sidecar follows for this request, and that are not seen here."""
        host = hosts.dialled(urlsplit(self.request.url).hostname or "", self.sender.namespace)
        seen = {(o.namespace, o.name) for o in self.objects if o.kind == "VirtualService"}
        places = [place for each in followed or () if each.host == host for place in each.rules]
        return tuple(f"VirtualService {'/'.join(place)}" for place in places if place not in seen)

    @property
    def client(self) -> Client:
        """Who sends, in the terms of rules."""
        pod = self.sender
        return Client(pod.namespace, pod.labels, pod.injected, self.root_namespace)

    @property
    def _answering(self) -> list[tuple[str, Mapping[str, str]]]:
        return answering(self.pods, self.sender)


def with_id(request: Request) -> Request:
    """Give the same request with an x-request-id, by which a sidecar's log tells it from others."""
    if request.header(REQUEST_ID):
        return request
    others = [each for each in request.headers if each[0].lower() != REQUEST_ID]  # one was empty
    return replace(request, headers=(*others, (REQUEST_ID, str(uuid.uuid4()))))


def goes_to(request: Request, namespace: str) -> str:
    """Give the namespace whose service a request names, as a pod of ``namespace`` dials it."""
    host = urlsplit(request.url).hostname or ""
    place = hosts.namespace_of(hosts.dialled(host, namespace))
    return place if host and "." not in place else namespace


def _objects(engine: Engine, place: str) -> tuple[tuple[Object, ...], str]:
    """Give what decides about requests to a namespace; without its own if one may not see that."""
    try:
        return engine.objects(place), ""
    except EnvironmentFailed:
        if place == engine.where.namespace:
            raise
        objects = engine.objects(engine.where.namespace)
        return objects, f"what is in namespace {place} may not be seen"
