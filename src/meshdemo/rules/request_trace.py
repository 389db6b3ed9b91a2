"""One request, followed through the rules: who takes it, which rule, and where it goes. Pure.

It is the way of ``promise.RequestPath``, told and not added up: so what is said here of a request
and what is promised for many of them cannot differ.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from msgspec import Struct

from meshdemo.language import said
from meshdemo.rules import hosts, known_names, redirects, traffic_policies
from meshdemo.rules.claims import Claim, claims
from meshdemo.rules.destinations import default_target, refusal, target_of
from meshdemo.rules.http_choice import Near, closest, tried
from meshdemo.rules.mirrors import mirrors_of
from meshdemo.rules.own_answers import own_answers
from meshdemo.rules.promise import RequestPath, weighted
from meshdemo.rules.undecided import Undecided
from meshdemo.rules.written_rules import WrittenRules

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from meshdemo.language import Sentence
    from meshdemo.objects.model import Object
    from meshdemo.rules.answering import Pods
    from meshdemo.rules.client_view import Client
    from meshdemo.rules.connections import Chain
    from meshdemo.rules.delegates import Origin
    from meshdemo.rules.destination_rules import DestinationRule
    from meshdemo.rules.destinations import Target
    from meshdemo.rules.http_choice import Tried
    from meshdemo.rules.own_answers import OwnAnswer
    from meshdemo.rules.services import Service
    from meshdemo.rules.virtual_hosts import VirtualHost
    from meshdemo.rules.virtual_services import VirtualService
    from meshdemo.verdict.traffic import Request


class Endpoint(Protocol):
    """What of a pod decides whether it gets requests."""

    @property
    def namespace(self) -> str: ...

    @property
    def labels(self) -> Mapping[str, str]: ...

    @property
    def is_endpoint(self) -> bool: ...


AnyEndpoint = TypeVar("AnyEndpoint", bound=Endpoint)


class Destination(Struct, frozen=True):
    """Where a request may be sent."""

    target: Target
    share: Fraction
    """Which part of the requests; of copies, of those that are copied."""
    route: Mapping[str, Any]
    """The entry of the rule's ``route`` that says so; empty where no rule does."""
    service: Service | None
    rule: DestinationRule | None
    """The DestinationRule that is followed towards it."""
    refusal: Sentence | None = None
    """Why it answers 503 whatever its pods do; None if it does not."""

    @property
    def labels(self) -> Mapping[str, str]:
        """Those of the subset."""
        name = self.target.subset
        subset = self.rule.subset(name) if self.rule and name else None
        return (subset or {}).get("labels") or {}

    @property
    def policy(self) -> dict[str, Any]:
        """The traffic policy that holds for it."""
        subset = self.rule.subset(self.target.subset) if self.rule else None
        return traffic_policies.effective(self.rule, self.target.port, subset)

    def takes(self, namespace: str, labels: Mapping[str, str]) -> bool:
        """Tell whether a pod is behind it."""
        service = self.service
        return (
            service is not None
            and not self.refusal
            and service.selects(namespace, labels)
            and hosts.within(self.labels, labels)
        )

    def behind(self, pods: Iterable[AnyEndpoint]) -> list[AnyEndpoint]:
        """Give the pods that may get a request for it."""
        return [pod for pod in pods if pod.is_endpoint and self.takes(pod.namespace, pod.labels)]


class Step(Struct, frozen=True):
    """One http rule that was tried, and where it was written."""

    tried: Tried
    origin: Origin


class Trace(Struct, frozen=True):
    """What becomes of a request, as the rules say."""

    called: str
    """The host, completed as DNS does."""
    port: int
    dialled: VirtualHost | None
    """None where no virtual host has the name."""
    claims: tuple[Claim, ...] = ()
    rules: int = 0
    """How many http rules the deciding VirtualService has for a sidecar."""
    steps: tuple[Step, ...] = ()
    """The http rules that were tried, the one that takes the request last."""
    closest: tuple[Near, Origin] | None = None
    """Where no rule takes it, the one that lacks least."""
    destinations: tuple[Destination, ...] = ()
    mirrors: tuple[tuple[float, Destination], ...] = ()
    """Where copies go, and how many per cent of the requests are copied."""
    own_answers: tuple[OwnAnswer, ...] = ()
    location: str = ""
    """Where a redirect sends the client; empty where there is none."""
    undecided: str = ""
    """Why it could not be followed to its end; empty if it was."""
    similar: tuple[str, ...] = ()
    """Names that are known and look like the host, where it is not."""

    @property
    def chosen(self) -> Step | None:
        """The http rule that takes the request."""
        return self.steps[-1] if self.steps and self.steps[-1].tried.takes else None


def trace(objects: Sequence[Object], pods: Pods, request: Request, client: Client) -> Trace:
    """Follow a request from a client. Raises InputError for what no request can be."""
    return trace_path(RequestPath.of(objects, pods, request, client), WrittenRules(objects))


def trace_path(path: RequestPath, written: WrittenRules) -> Trace:
    """Tell the way of a request among these rules; as ``trace``."""
    client = path.view.client
    try:
        call, dialled = path.call, path.dialled
    except Undecided as error:
        return Trace(called="", port=0, dialled=None, undecided=error.reason)
    called = dialled.host if dialled else hosts.full_name(call.host, client.namespace)
    found = _Follower(path, written, dialled)
    return Trace(
        called=called,
        port=call.port,
        dialled=dialled,
        claims=tuple(claims(written, path, called)),
        similar=() if dialled else tuple(known_names.similar(call.host, path.view)),
        **found.follow(),
    )


@dataclass
class _Follower:
    """Follows a request beyond its virtual host, and keeps what it finds until it ends."""

    path: RequestPath
    written: WrittenRules
    dialled: VirtualHost | None
    found: dict[str, Any] = field(default_factory=dict)

    def follow(self) -> dict[str, Any]:
        """Give the fields of a Trace."""
        try:
            rule = self.path.deciding
            if rule and self.dialled and not self.path.chain:
                self._by_rule(rule, self.dialled)
            else:
                self._by_default()
        except Undecided as error:
            self.found["undecided"] = error.reason
        return self.found

    def _by_default(self) -> None:
        """Where no http rule decides: as connections go, or to the service that was called."""
        try:
            self.path.parts()
        except Undecided as error:
            self.found["undecided"] = error.reason
        dialled = self.dialled
        if dialled is None or dialled.service is None or not dialled.port:
            return
        if self.path.chain:
            self._by_connection(self.path.chain, dialled)
        elif not self.path.request.is_tcp:
            target = default_target(dialled, self.path.view)
            self.found["destinations"] = (self._destination(target),)

    def _by_connection(self, chain: Chain, dialled: VirtualHost) -> None:
        targets = self.path.connection_targets(chain, dialled)
        self.found["destinations"] = tuple(
            self._destination(target, share) for target, share in targets
        )

    def _by_rule(self, rule: VirtualService, dialled: VirtualHost) -> None:
        view, call = self.path.view, self.path.call
        origins = self.written.origins(rule)
        self.found["rules"] = len(rule.http)
        steps: list[Step] = []
        try:
            for each in tried(rule, dialled.port, call):
                steps.append(Step(each, origins[each.number]))  # noqa: PERF401 - it may raise
        finally:
            self.found["steps"] = tuple(steps)
        last = steps[-1].tried if steps else None
        if last is None or not last.takes:
            near = closest(rule, dialled.port, call)
            self.found["closest"] = (near, origins[near.number]) if near else None
            return
        http = last.http
        own = self.found["own_answers"] = own_answers(http, call)
        self.found["location"] = redirects.location(http, last.match, call, dialled.port)
        self.found["mirrors"] = tuple(
            (each.percent, self._destination(target_of(each.destination, rule, dialled, view)))
            for each in mirrors_of(http)
        )
        if sum(each.share for each in own) < 1:
            routes = http.get("route") or []
            self.found["destinations"] = tuple(
                self._destination(
                    target_of(destination, rule, dialled, view),
                    share,
                    next((each for each in routes if each.get("destination") is destination), {}),
                )
                for destination, share in weighted(http, rule)
            )

    def _destination(
        self, target: Target, share: Fraction = Fraction(1), route: Mapping[str, Any] | None = None
    ) -> Destination:
        view = self.path.view
        rule = self.path.deciding
        sender = rule.title if rule else said("the sidecar")
        return Destination(
            target,
            share,
            route or {},
            view.upstreams.get(target.host),
            view.destination_rules.get(target.host),
            None if target.passes_through else refusal(target, sender, view),
        )
