"""What changed while answers were counted: a sample of two meshes proves nothing about either.

Rules that decide on other requests, and pods that come and go, may change: the shares are the same.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct

from meshdemo.errors import TimedOut
from meshdemo.language import joined, said
from meshdemo.objects import model
from meshdemo.rules import hosts, virtual_services
from meshdemo.rules.hosts import full_name
from meshdemo.system import waiting
from meshdemo.walkthrough.pod_selection import selected

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meshdemo.engines.protocol import Engine
    from meshdemo.engines.results import Pod
    from meshdemo.objects.model import Object
    from meshdemo.verdict.traffic import Request, Sample
    from meshdemo.walkthrough.request_context import RequestContext


SERVER_ERROR = 500
"""An HTTP status from here on is that of a server, or of a sidecar, that has failed."""


START_SECONDS = 2.0
"""How long to wait and see whether a pod that answered nothing was only starting."""


class Snapshot(Struct, frozen=True):
    """What decides on a request, and who sends it, at one moment."""

    context: RequestContext
    deciding: dict[tuple[str, ...], Object]

    @classmethod
    def of(cls, context: RequestContext, objects: Sequence[Object] | None = None) -> Snapshot:
        """Pick what counts out of all that is applied, or was so at another moment."""
        there = context.objects if objects is None else objects
        found = _deciding(context.request, context.sender, there)
        return cls(context, {item.key: item for item in found})


def disturbance(engine: Engine, sample: Sample, before: Snapshot) -> str:
    """Say what changed meanwhile, so that the sample proves nothing; empty if nothing did."""
    after = Snapshot.of(before.context, before.context.again(engine))
    if found := changes(before, after):
        return said("the rules changed meanwhile: {objects}", objects=joined(said(", "), found))
    # If all went well, the client was well: only failures need another suspect than the mesh.
    failed = any(reply.error or reply.status >= SERVER_ERROR for reply in sample.replies)
    if failed or sample.broken_off:
        return _trouble(engine, before.context.sender) or _started(engine, before)
    return ""


def changes(before: Snapshot, after: Snapshot) -> list[str]:
    """Name what decides on the request and is not as it was."""
    return list(_changes(before.deciding, after.deciding))


def _trouble(engine: Engine, client: Pod) -> str:
    """Say whether the test client itself may be why something got no good answer."""
    now = next((pod for pod in engine.pods() if pod.name == client.name), None)
    if now is None:
        return said("the test client {pod} went meanwhile", pod=client.name)
    if now.restarts != client.restarts:
        return said("the test client {pod} was started again meanwhile", pod=client.name)
    if not now.is_ready:
        parts = {"pod": client.name, "why": now.message or now.ready}
        if client.is_ready:
            return said("the test client {pod} broke down meanwhile: {why}", **parts)
        return said("the test client {pod} is not ready: {why}", **parts)
    return ""


def _started(engine: Engine, before: Snapshot) -> str:
    """Name a pod that had yet to start, as where the command that made it was ended: then what it
    could not answer says nothing of the rules. One that goes on being unready is a cause instead.
    """
    services = [item for item in before.deciding.values() if item.kind == "Service"]
    pods = [pod for each in services for pod in selected(each, before.context.pods)]
    starting = {pod.name for pod in pods if not pod.is_ready and not pod.restarts}
    if not starting:
        return ""

    def ready() -> list[str]:
        now = before.context.pods_again(engine)
        return [pod.name for pod in now if pod.name in starting and pod.is_ready]

    with suppress(TimedOut):
        found = waiting.until(ready, "the pods", timeout=START_SECONDS)
        return said("the pod {pod} was still starting when the measurement began", pod=found[0])
    return ""


def _deciding(request: Request, client: Pod, objects: Sequence[Object]) -> Iterator[Object]:
    """Give the rules and Services that may decide where a request goes."""
    named = frozenset(_names(request, client.namespace))
    rules = model.traffic_rules(objects) if client.injected else []
    virtual = [
        rule for rule in rules if rule.kind == "VirtualService" and _may_take(rule, named, client)
    ]
    led_to = named.union(*map(_destinations, virtual))
    led_to |= {
        str(item.spec["externalName"])
        for item in objects
        if item.spec.get("externalName") and _host_of(item) in led_to
    }
    yield from virtual
    yield from _reach(led_to, client, objects)
    for rule in rules:
        if rule.kind == "DestinationRule" and virtual_services.holds_for(
            rule, tuple(led_to), client.namespace
        ):
            yield rule
    for item in objects:
        if item.kind == "Service" and _host_of(item) in led_to:
            yield item


def _host_of(service: Object) -> str:
    return hosts.service_host(service.name, service.namespace)


def _reach(led_to: frozenset[str], client: Pod, objects: Sequence[Object]) -> Iterator[Object]:
    """Give the Sidecars and ServiceEntries that may decide where a request goes."""
    for item in objects if client.injected else ():
        named = map(str, item.spec.get("hosts") or ()) if item.kind == "ServiceEntry" else ()
        if item.kind == "Sidecar" or any(hosts.overlap(h, to) for h in named for to in led_to):
            yield item


def _may_take(rule: Object, names: frozenset[str], client: Pod) -> bool:
    """Tell whether a VirtualService may be for one of these names; without hosts, by another's."""
    is_part = not rule.spec.get("hosts")
    return is_part or virtual_services.holds_for(rule, tuple(names), client.namespace)


def _names(request: Request, namespace: str) -> Iterator[str]:
    """Give the names that a request may be routed by."""
    called = [urlsplit(request.url).hostname or ""]
    called += [value for name, value in request.headers if name.lower() == "host"]
    for name in called:
        yield name.lower().rstrip(".")
        yield hosts.dialled(name, namespace)


def _destinations(rule: Object) -> Iterator[str]:
    for kind in ("http", "tcp", "tls"):
        for entry in rule.spec.get(kind) or ():
            mirrors = [{"destination": entry["mirror"]}] if entry.get("mirror") else []
            for route in [*(entry.get("route") or ()), *mirrors]:
                host = (route.get("destination") or {}).get("host", "")
                yield full_name(str(host), rule.namespace)


def _changes(
    before: dict[tuple[str, ...], Object], after: dict[tuple[str, ...], Object]
) -> Iterator[str]:
    for key in {**before, **after}:
        old, new = before.get(key), after.get(key)
        if old is None and new is not None:
            yield said("{object} was added", object=new.title)
        elif old is not None and new is None:
            yield said("{object} was removed", object=old.title)
        elif old is not None and new is not None and _state(old) != _state(new):
            yield said("{object} was changed", object=old.title)


def _state(item: Object) -> tuple[object, ...]:
    """Give what an object says, and which it is: it may have been another one in between."""
    return item.spec, item.metadata.get("uid"), item.metadata.get("generation")
