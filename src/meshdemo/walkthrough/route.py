"""Traffic rules: a split, the user's own, or none; and which of them are in force."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from meshdemo.engines.results import MeshStatus
from meshdemo.errors import EnvironmentFailed, InputError, Problem
from meshdemo.objects import model
from meshdemo.objects.labels import RUN_LABEL
from meshdemo.rules import virtual_services
from meshdemo.rules.analysis.effects import Scene
from meshdemo.rules.hosts import service_host
from meshdemo.system.plural import counted
from meshdemo.verdict.expectation import parse_split
from meshdemo.walkthrough import deploy, pod_selection, steps, strict_check
from meshdemo.walkthrough.events import Finished, Note, Started
from meshdemo.walkthrough.plan import Plan
from meshdemo.walkthrough.readiness_recheck import recheck_all
from meshdemo.walkthrough.skipping import Skipping
from meshdemo.walkthrough.splits import HOST, Splitting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshdemo.engines.protocol import Engine
    from meshdemo.engines.results import Change, Pod
    from meshdemo.objects.model import Object
    from meshdemo.rules.analysis.effects import Effect
    from meshdemo.settings import Settings
    from meshdemo.verdict.expectation import Split
    from meshdemo.walkthrough.events import Story


class Asked(Struct, frozen=True):
    """What the traffic shall do: a split, somebody's own rules, or neither, to clear them."""

    split: Split | None = None
    files: tuple[str, ...] = ()
    host: str = HOST
    """The Service whose traffic is split."""
    skip: Skipping = field(default_factory=Skipping)
    """Kinds that are left out of the files."""

    @classmethod
    def read(
        cls,
        split: Sequence[str],
        files: Sequence[str],
        host: str | None = None,
        skip: Sequence[str] = (),
    ) -> Asked:
        """Read what was asked for from the command line. Raises InputError for a bad split."""
        wanted = parse_split(split) if split else None
        return cls(wanted, tuple(files), host or HOST, Skipping(tuple(skip)))


class Routed(Struct, frozen=True):
    """What became of the rules, and how long until the data plane had them."""

    changes: tuple[Change, ...]
    live_after: float
    """Seconds from the first change until all of it was live."""
    overruled: tuple[str, ...] = ()
    """The rules that the test client does not follow, because others take precedence."""


def route(
    engine: Engine, asked: Asked, settings: Settings, *, strict: bool = False
) -> Story[Routed]:
    """Make the traffic do what was asked, and return when the data plane has it."""
    plan = Plan(settings, asked.files, skip=asked.skip, strict=strict)
    if asked.split:
        return (yield from split_traffic(engine, asked.host, asked.split, plan))
    if asked.files:
        rules = plan.read(engine)
        yield from plan.skip.notes()
        yield from deploy.analyzed(engine, rules)
        return (yield from apply_rules(engine, rules, plan, steps.applied_files(plan)))
    return (yield from clear(engine, plan))


def split_traffic(engine: Engine, host: str, split: Split, plan: Plan) -> Story[Routed]:
    """Divide a Service's traffic among versions."""
    objects, pods = engine.objects(), pod_selection.require_pods(engine)
    service = require_service(engine, host, objects, split)
    known = require_versions(service, split.versions, pods)
    splitting = Splitting.of(engine, service.name, objects)
    splitting.refuse_rivals(splitting.route)
    rules = splitting.rules(split, known)
    return (yield from apply_rules(engine, rules, plan, steps.applied(plan, rules)))


def apply_rules(
    engine: Engine, rules: Sequence[Object], plan: Plan, commands: tuple[str, ...]
) -> Story[Routed]:
    """Apply rules, the DestinationRules first, and return when the data plane has them."""
    _refuse_others(engine, rules)
    strict_check.require_no_warnings(engine, plan, rules)
    ordered = model.in_apply_order(rules)
    yield Started("route", "Apply the rules.", commands)
    began = time.monotonic()
    changes = yield from deploy.apply_in_order(engine, rules, plan.settings.timeout)
    live = time.monotonic() - began
    pods = yield from recheck_all(engine, ordered, plan.settings.timeout)
    client = engine.sender.find(pods)
    if client is not None and not client.injected:  # a missing one needs no word here
        yield pod_selection.missing_sidecar(client)
    return Routed(changes, live, overruled(engine, rules, pods))


def overruled(engine: Engine, rules: Sequence[Object], pods: Sequence[Pod]) -> tuple[str, ...]:
    """Name the rules that do nothing for the test client, each with the reason."""
    client = engine.sender.find(pods)
    scene = scene_of(engine, engine.objects(), pods)
    found = replace(scene, sender=client.labels if client else None).effects(rules)
    return tuple(f"{each.rule.title} ({each.idle})" for each in found if each.idle)


def _refuse_others(engine: Engine, objects: Sequence[Object]) -> None:
    """Refuse what is not a rule, and say in one go what is wrong with the rules beside it."""
    problems = [
        item.problem("it is not a traffic rule")
        for item in objects
        if item.kind not in model.RULE_KINDS
    ]
    if not problems:
        return
    try:
        engine.apply(model.in_apply_order(model.traffic_rules(objects)), dry_run=True)
    except InputError as error:
        problems += error.problems
    hint = "Apply workloads and services with meshdemo deploy -f, or leave them out with --skip."
    raise InputError("route takes only DestinationRules and VirtualServices", problems, hint=hint)


def clear(engine: Engine, plan: Plan) -> Story[Routed]:
    """Remove the rules of the namespace, the VirtualServices first; what others made stays."""
    namespace = engine.where.namespace
    here = [item for item in model.traffic_rules(engine.objects()) if item.namespace == namespace]
    here = model.in_apply_order(here)[::-1]
    # On a cluster ours bear our label; whatever the local engine has is ours.
    ours = [item for item in here if RUN_LABEL in item.labels or not engine.where.server]
    yield Started("route", "Remove the rules.", steps.deleted(plan, ours))
    began = time.monotonic()
    changes = engine.delete(here) if here else ()
    if here:
        # What others made stays, and may hold for these hosts only from now on.
        left = deploy.left_until(began + plan.settings.timeout)
        engine.wait_ready(model.traffic_rules(engine.objects()), left)
    seconds = time.monotonic() - began
    kept = [change for change in changes if change.action == "kept"]
    removed = counted(len(changes) - len(kept), "rule")
    done = f"{removed} removed" if changes else f"no rules in namespace {namespace}"
    yield Finished("route", done, seconds)
    for change in kept:
        yield _stays(change)
    return Routed(changes, seconds)


def _stays(change: Change) -> Note:
    """Warn of a rule that is still in force, and say who can remove it."""
    title = f"{change.kind} {change.namespace}/{change.name}"
    way_out = f"kubectl delete {change.kind.lower()} {change.name} -n {change.namespace}"
    text = f"{title} stays, this run of meshdemo did not make it ({change.reason})"
    return Note(f"{text}; if it is yours: {way_out}", warning=True)


def effects(
    engine: Engine, objects: Sequence[Object], pods: Sequence[Pod], around: MeshStatus
) -> list[Effect]:
    """Say which rules there are for a namespace: its own, others' for its services; and if so why.

    Also those that nobody but the test client's sidecar knows of.
    """
    namespace = engine.where.namespace
    here = [item for item in objects if item.namespace == namespace]
    hosts = [service_host(item.name, namespace) for item in here if item.kind == "Service"]
    rules = [
        item
        for item in model.traffic_rules(objects)
        if item.namespace == namespace
        or (
            (item.kind == "VirtualService" or item.namespace == engine.root_namespace)
            and virtual_services.holds_for(item, hosts, namespace)
        )
    ]
    rules += [
        item
        for item in objects
        if item.kind in model.REACH_KINDS
        and (
            item.namespace == namespace
            or (item.kind == "Sidecar" and item.namespace == engine.root_namespace)
        )
    ]
    scene = scene_of(engine, objects, pods, around)
    return [*scene.effects(rules), *scene.strangers()]


def scene_of(
    engine: Engine,
    objects: Sequence[Object],
    pods: Sequence[Pod],
    around: MeshStatus | None = None,
) -> Scene:
    """Put together what decides on whether rules act."""
    where, known = engine.where, around or MeshStatus()
    return Scene(
        objects,
        [(pod.namespace, pod.labels) for pod in pods],
        where.namespace,
        engine.root_namespace,
        where.namespace if where.server else "",
        known.gateways,
        known.followed,
    )


def require_service(engine: Engine, host: str, objects: Sequence[Object], split: Split) -> Object:
    """Give the Service that is meant, or say which there are."""
    namespace = engine.where.namespace
    service = pod_selection.service_of(host, namespace, objects)
    if service and service.namespace == namespace:
        return service
    if service:
        message = f"the Service {host} is of another namespace"
        raise InputError(message, hint=f"Say meshdemo route -n {service.namespace}")
    names = [
        item.name for item in pod_selection.apps(namespace, objects) if item.namespace == namespace
    ]
    weights = " ".join(str(split).split(",")) if len(split.weights) > 1 else split.versions[0]
    hint = "Type: meshdemo deploy"
    if names:
        hint = f"There is {', '.join(names)}. Type: meshdemo route --host {names[0]} {weights}"
    raise EnvironmentFailed(f"there is no Service {host} in namespace {namespace}", hint=hint)


def require_versions(service: Object, versions: Sequence[str], pods: Sequence[Pod]) -> list[str]:
    """Give the versions there are; refuse one that no pod has: all of its traffic would fail."""
    selected = pod_selection.selected(service, pods)
    known = pod_selection.versions(selected)
    if not known:
        message = f"no pod of {service.title} has a label version"
        raise EnvironmentFailed(message, hint="Type: meshdemo deploy")
    problems = [
        Problem("no pod has this version", subject=version, hint=f"there are {', '.join(known)}")
        for version in versions
        if version not in known
    ]
    if problems:
        raise InputError("the split cannot be used", problems)
    return known
