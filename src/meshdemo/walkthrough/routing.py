"""A split of the app's traffic: always one VirtualService, changed in place.

A new split in a new object would lose to the older one, because Istio never merges two
VirtualServices for one host.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meshdemo import manifests, promise, rivalry
from meshdemo.engines import RUN_LABEL
from meshdemo.engines.pods import find_client
from meshdemo.errors import EnvironmentFailed, InputError, Problem
from meshdemo.expectation import parse_split
from meshdemo.hosts import resolve, service_host
from meshdemo.manifests import Object
from meshdemo.walkthrough import pods as who
from meshdemo.walkthrough import steps, workloads
from meshdemo.walkthrough.events import Accepted, Finished, Note, Started
from meshdemo.walkthrough.plan import Plan
from meshdemo.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meshdemo.engines import Change, Engine
    from meshdemo.expectation import Split
    from meshdemo.settings import Settings
    from meshdemo.walkthrough.events import Story

HOST = "app"
ROUTE = "app-default-v2"
SUBSETS = "app"
API = "networking.istio.io/v1beta1"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the traffic shall do: a split, somebody's own rules, or neither, to clear them."""

    split: Split | None = None
    files: tuple[str, ...] = ()

    @classmethod
    def read(cls, split: Sequence[str], files: Sequence[str]) -> Asked:
        """Read it from the command line. Raises InputError."""
        return cls(parse_split(split) if split else None, tuple(files))


@dataclass(frozen=True, slots=True)
class Routed:
    """What became of the rules, and how long until the data plane had them."""

    changes: tuple[Change, ...]
    live_after: float
    """Seconds from the first change until all of it was live."""
    overruled: tuple[str, ...] = ()
    """The rules that the test client does not heed, because others win over them."""


def route(engine: Engine, asked: Asked, settings: Settings) -> Story[Routed]:
    """Make the traffic do what was asked, and return when the data plane has it."""
    plan = Plan(settings, asked.files)
    if asked.split:
        return (yield from split_traffic(engine, asked.split, plan))
    if asked.files:
        rules = plan.read(engine)
        yield from workloads.analyzed(engine, rules)
        return (yield from apply_rules(engine, rules, plan, steps.applied_files(plan)))
    return (yield from clear(engine, plan))


def split_traffic(engine: Engine, split: Split, plan: Plan) -> Story[Routed]:
    """Divide the app's traffic among versions."""
    objects = engine.objects()
    known = require_versions(engine, objects, split.versions)
    refuse_rivals(engine.where.namespace, objects)
    rules = split_objects(split, engine.where.namespace, objects, known)
    return (yield from apply_rules(engine, rules, plan, steps.applied(plan, rules)))


def apply_rules(
    engine: Engine, rules: Sequence[Object], plan: Plan, commands: tuple[str, ...]
) -> Story[Routed]:
    """Apply rules, the DestinationRules first, and return when the data plane has them."""
    _refuse_others(engine, rules)
    ordered = manifests.in_apply_order(rules)
    yield Started("route", "Apply the rules.", commands)
    began = time.monotonic()
    applied = engine.apply(ordered)
    yield Accepted(applied)
    engine.wait_ready(ordered, plan.settings.timeout)
    live = time.monotonic() - began
    yield from warn_unheeded(engine)
    return Routed(applied.changes, live, overruled(engine, rules))


def overruled(engine: Engine, rules: Sequence[Object]) -> tuple[str, ...]:
    """Name the rules of which the test client heeds nothing, each with the reason."""
    existing, here = engine.objects(), engine.where.namespace
    client = find_client(engine.pods(), here)
    labels = client.labels if client else {}
    follower = promise.Client(here, labels, injected=True, root_namespace=engine.root_namespace)
    kept = promise.heeded(rules, existing, follower) if client else rules
    found: list[str] = []
    for rule in rules:
        if winners := rivalry.overruling(rule, existing, here):
            found.append(f"{rule.title} (behind {', '.join(item.title for item in winners)})")
        elif rule not in kept:
            found.append(f"{rule.title} (the test client gets nothing of it)")
    return tuple(found)


def _refuse_others(engine: Engine, objects: Sequence[Object]) -> None:
    """Refuse what is no rule, and say in one go what is wrong with the rules beside it."""
    problems = [
        item.problem("it is no traffic rule")
        for item in objects
        if item.kind not in manifests.RULES
    ]
    if not problems:
        return
    try:
        engine.apply(manifests.in_apply_order(manifests.rules(objects)), dry_run=True)
    except InputError as error:
        problems += error.problems
    hint = "Apply workloads and services with meshdemo deploy -f."
    raise InputError("route takes only DestinationRules and VirtualServices", problems, hint=hint)


def clear(engine: Engine, plan: Plan) -> Story[Routed]:
    """Remove the rules of the namespace, the VirtualServices first; what others made stays."""
    namespace = engine.where.namespace
    here = [item for item in manifests.rules(engine.objects()) if item.namespace == namespace]
    here = manifests.in_apply_order(here)[::-1]
    # On a cluster ours bear our label; whatever the local engine has is ours.
    ours = [item for item in here if RUN_LABEL in item.labels or not engine.where.server]
    yield Started("route", "Remove the rules.", steps.deleted(plan, ours))
    began = time.monotonic()
    changes = engine.delete(here) if here else ()
    if here:
        engine.wait_ready(manifests.rules(engine.objects()), plan.settings.timeout)
    seconds = time.monotonic() - began
    kept = [change for change in changes if change.action == "kept"]
    removed = counted(len(changes) - len(kept), "rule")
    yield Finished("route", f"{removed} removed", seconds)
    for change in kept:
        yield _stays(change)
    return Routed(changes, seconds)


def _stays(change: Change) -> Note:
    """Warn of a rule that is still in force, and say who can remove it."""
    title = f"{change.kind} {change.namespace}/{change.name}"
    way_out = f"kubectl delete {change.kind.lower()} {change.name} -n {change.namespace}"
    text = f"{title} stays, this run of meshdemo did not make it ({change.reason})"
    return Note(f"{text}; if it is yours: {way_out}", warning=True)


def in_force(
    objects: Sequence[Object], namespace: str, root_namespace: str
) -> list[tuple[Object, tuple[Object, ...]]]:
    """Give the rules for a namespace: its own, and those of others for its services.

    Each comes with those that overrule it; without any it is heeded.
    """
    here = [item for item in objects if item.namespace == namespace]
    hosts = [service_host(item.name, namespace) for item in here if item.kind == "Service"]
    return [
        (item, rivalry.overruling(item, objects, namespace))
        for item in manifests.rules(objects)
        if item.namespace == namespace
        or (
            (item.kind == "VirtualService" or item.namespace == root_namespace)
            and rivalry.holds_for(item, hosts, namespace)
        )
    ]


def split_objects(
    split: Split, namespace: str, existing: Sequence[Object], known: Sequence[str]
) -> list[Object]:
    """Give the DestinationRule, if it lacks a subset, and the VirtualService of a split.

    A new DestinationRule names every known version: so `up` and `route v2` write the same.
    """
    host_rules = [
        item
        for item in existing
        if item.kind == "DestinationRule"
        and item.namespace == namespace
        and _means_app(str(item.spec.get("host", "")), item.namespace, namespace)
    ]
    wanted = split.versions if host_rules else known
    missing = [
        v for v in dict.fromkeys(wanted) if not any(_has_subset(item, v) for item in host_rules)
    ]
    ours = next((item for item in host_rules if item.name == SUBSETS), None)
    rules = [_destination_rule(ours, missing, namespace)] if missing else []
    return [*rules, _virtual_service(split, namespace)]


def require_versions(
    engine: Engine, objects: Sequence[Object], versions: Sequence[str]
) -> list[str]:
    """Give the versions there are; refuse one that no pod has: all of its traffic would fail."""
    pods = who.require_pods(engine)
    namespace = engine.where.namespace
    service = who.service_of(HOST, namespace, objects)
    behind = who.selected(service, pods) if service else []
    known = sorted({pod.labels["version"] for pod in behind if pod.labels.get("version")})
    if not known:
        message = f"no pod stands behind the host {HOST} in namespace {namespace}"
        raise EnvironmentFailed(message, hint="Type: meshdemo deploy")
    problems = [
        Problem("no pod has this version", subject=version, hint=f"there are {', '.join(known)}")
        for version in versions
        if version not in known
    ]
    if problems:
        raise InputError("the split cannot be used", problems)
    return known


def refuse_rivals(namespace: str, objects: Sequence[Object]) -> None:
    """Refuse to route while another VirtualService for the host might win."""
    found = list(rivals(namespace, objects))
    if not found:
        return
    names = ", ".join(item.title for item in found)
    hint = "Change it with meshdemo route -f, or remove it with meshdemo route --clear."
    if all(item.namespace != namespace for item in found):
        hint = "It holds here because its exportTo says so, or nothing: ask who made it."
    message = f"{names}: there already for the host {HOST}, and only one of them is heeded"
    raise EnvironmentFailed(message, hint=hint)


def rivals(namespace: str, objects: Sequence[Object]) -> Iterator[Object]:
    """Give the VirtualServices for the app's host, other than ours, that sidecars heed.

    One of another namespace is none if it loses against ours: it is not ours to remove.
    """
    rules = [item for item in objects if item.kind == "VirtualService"]
    ours = next((i for i in rules if (i.namespace, i.name) == (namespace, ROUTE)), None)
    for item in rules:
        if item is ours or not rivalry.is_for_mesh(item):
            continue
        loses = ours and rivalry.precedence(ours) < rivalry.precedence(item)
        counts = item.namespace == namespace or not loses
        if counts and service_host(HOST, namespace) in rivalry.hosts_of(item):
            yield item


def warn_unheeded(engine: Engine) -> Iterator[Note]:
    """Warn of an un-injected test client; a missing one needs no word here."""
    client = find_client(engine.pods(), engine.where.namespace)
    if client is not None and not client.injected:
        yield who.unheeded(client)


def _means_app(host: str, written_in: str, namespace: str) -> bool:
    """Tell whether a rule's host is the app's, as Istio reads it in the rule's namespace."""
    return resolve(host, written_in).lower() == service_host(HOST, namespace)


def _has_subset(rule: Object, name: str) -> bool:
    return any(subset.get("name") == name for subset in rule.spec.get("subsets") or [])


def _destination_rule(ours: Object | None, missing: Sequence[str], namespace: str) -> Object:
    added = [{"name": version, "labels": {"version": version}} for version in missing]
    if ours is not None:
        subsets = [*(ours.spec.get("subsets") or []), *added]
        return ours.with_data({**ours.data, "spec": {**ours.spec, "subsets": subsets}})
    return _object("DestinationRule", SUBSETS, namespace, {"host": HOST, "subsets": added})


def _virtual_service(split: Split, namespace: str) -> Object:
    destinations: list[dict[str, Any]] = [
        {"destination": {"host": HOST, "subset": version}, "weight": weight}
        for version, weight in split.weights
    ]
    if len(destinations) == 1:
        del destinations[0]["weight"]  # as in the article: so `up` and `route v2` write the same
    return _object(
        "VirtualService", ROUTE, namespace, {"hosts": [HOST], "http": [{"route": destinations}]}
    )


def _object(kind: str, name: str, namespace: str, spec: dict[str, Any]) -> Object:
    metadata = {"name": name, "namespace": namespace}
    return Object({"apiVersion": API, "kind": kind, "metadata": metadata, "spec": spec})
