"""What there is to draw: who sends, the rules in their order, the versions and their pods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from meshdemo.errors import InputError
from meshdemo.language import said
from meshdemo.rules import rule_words
from meshdemo.rules.undecided import Undecided
from meshdemo.walkthrough import pod_selection
from meshdemo.walkthrough.changes_while_measuring import Snapshot, changes
from meshdemo.walkthrough.request_context import RequestContext

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.engines.protocol import Engine
    from meshdemo.engines.results import Pod
    from meshdemo.objects.model import Object
    from meshdemo.rules.request_trace import Trace
    from meshdemo.verdict.expectation import Expectation
    from meshdemo.verdict.traffic import Request


class Scene(Struct, frozen=True):
    """The mesh at one moment, as it concerns one request."""

    context: RequestContext
    snapshot: Snapshot
    trace: Trace
    expectation: Expectation | None
    """What the rules promise."""
    no_promise: str
    """Why they promise nothing that can be counted; empty if they do."""
    versions: tuple[str, ...]
    pods: tuple[Pod, ...]
    """Those that the Service leads to."""

    @classmethod
    def of(cls, engine: Engine, request: Request) -> Scene:
        """Look at a mesh. Raises EnvironmentFailed where nothing can be sent."""
        context = RequestContext.of(engine, request, pod_selection.require_client(engine))
        expectation, why = None, ""
        try:
            expectation = context.promised()
        except InputError as error:
            why = error.reason if isinstance(error, Undecided) else error.message
        namespace, objects = context.sender.namespace, context.objects
        trace = context.traced()
        service = pod_selection.service_of(trace.called, namespace, objects)
        pods = pod_selection.selected(service, context.pods) if service else ()
        known = pod_selection.versions(pods)
        named = expectation.versions if expectation else ()
        return cls(
            context=context,
            snapshot=Snapshot.of(context),
            trace=trace,
            expectation=expectation,
            no_promise=why,
            versions=tuple(sorted({*known, *named})),
            pods=tuple(pods),
        )

    def changes(self, before: Scene) -> list[str]:
        """Say what is different in what decides; answers from before and after do not add up."""
        found = changes(before.snapshot, self.snapshot)
        client, old = self.context.sender, before.context.sender
        if (client.name, client.injected) != (old.name, old.injected):
            found.append(_sidecar(client))
        if self.context.request != before.context.request:
            found.append(said("the request is {request}", request=self.context.request.title))
        if not found and self.expectation != before.expectation:
            found.append(said("the promise is another one"))
        return found

    def happened(self, before: Scene) -> list[str]:
        """Say what became of pods; they answer for the same rules, so the count goes on."""
        now, then = ({pod.name: pod for pod in scene.pods} for scene in (self, before))
        found: list[str] = [said("pod {pod} is gone", pod=name) for name in then if name not in now]
        found += [said("pod {pod} is new", pod=name) for name in now if name not in then]
        for name, pod in now.items():
            if name in then and pod.is_ready != then[name].is_ready:
                found.append(_readiness(pod))
        return found

    @property
    def seen(self) -> tuple[Pod, ...]:
        """The pods that are drawn, the test client's before those that answer."""
        return (self.context.sender, *self.pods)

    @property
    def in_words(self) -> str:
        """Say what the rule that takes the request does."""
        chosen, rule = self.trace.chosen, self.winner
        if chosen is None or rule is None:
            return ""
        http = chosen.tried.http
        return "; ".join([rule_words.answer(http, rule), *rule_words.actions(http, rule)])

    @property
    def winner(self) -> Object | None:
        """The VirtualService that decides."""
        return next((claim.rule for claim in self.trace.claims if claim.wins), None)

    @property
    def taking(self) -> str:
        """What the rule that takes the request is called here; empty where none does."""
        if self.context.request.is_tcp:
            return TCP
        if chosen := self.trace.chosen:
            return _rule_id(chosen.tried.number)
        return "" if self.winner or not self.trace.destinations else NO_RULE

    def document(self) -> dict[str, Any]:
        """Give it as the page draws it."""
        request, client = self.context.request, self.context.sender
        return {
            "client": {
                "name": client.name,
                "sidecar": client.injected,
                "ready": client.ready,
                "message": client.message,
            },
            "request": {
                "method": request.method,
                "url": request.url,
                "headers": [list(header) for header in request.headers],
            },
            "host": self.trace.called,
            "decides": self._decides(),
            "rules": list(self._rules()),
            "taking": self.taking,
            "noPromise": self.no_promise,
            "undecided": self.trace.undecided,
            "versions": list(self.versions),
            "pods": [_pod_document(pod) for pod in self.pods],
        }

    def _decides(self) -> str:
        if self.winner:
            return self.winner.title
        if not self.context.sender.injected:
            return said("no sidecar, so no rule: any pod of the Service")
        return said("no VirtualService: any pod of the Service")

    def _rules(self) -> Iterator[dict[str, Any]]:
        rule = self.trace.dialled.rule if self.trace.dialled else None
        if self.context.request.is_tcp:
            words = list(rule_words.in_words(self.winner)) if self.winner else []
            to = words[0] if words else self.trace.called
            yield {"id": TCP, "when": said("any connection"), "to": to, "more": words[1:]}
            return
        if rule is None or self.winner is None:
            yield {"id": NO_RULE, "when": ANY_REQUEST, "to": self.trace.called, "more": []}
            return
        for number, http in enumerate(rule.http):
            yield {
                "id": _rule_id(number),
                "when": rule_words.when(http) or ANY_REQUEST,
                "to": rule_words.answer(http, self.winner),
                "more": list(rule_words.actions(http, self.winner)),
            }


ANY_REQUEST = said("any request")
NO_RULE = "no rule"
TCP = "tcp"
"""What all rules for connections are called here."""


def _rule_id(number: int) -> str:
    return f"http[{number}]"


def _sidecar(client: Pod) -> str:
    if client.injected:
        return said("the test client is {pod}, with a sidecar", pod=client.name)
    return said("the test client is {pod}, without a sidecar", pod=client.name)


def _readiness(pod: Pod) -> str:
    if pod.is_ready:
        return said("pod {pod} is ready", pod=pod.name)
    if pod.message:
        return said("pod {pod} is not ready: {why}", pod=pod.name, why=pod.message)
    return said("pod {pod} is not ready", pod=pod.name)


def _pod_document(pod: Pod) -> dict[str, Any]:
    return {
        "name": pod.name,
        "version": pod.labels.get("version", ""),
        "ready": pod.ready,
        "ok": pod.is_ready,
        "message": pod.message,
    }
