"""deploy and inject: first pods as they are, then each with a sidecar beside its app."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from meshdemo.engines.options import Injection
from meshdemo.engines.results import Applied
from meshdemo.errors import EnvironmentFailed
from meshdemo.objects import model
from meshdemo.walkthrough import pod_selection, sidecars, steps, strict_check
from meshdemo.walkthrough.events import Accepted, Checked, Finished
from meshdemo.walkthrough.plan import with_sidecar_label
from meshdemo.walkthrough.readiness_recheck import recheck
from meshdemo.walkthrough.splits import HOST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshdemo.engines.options import MeshOptions
    from meshdemo.engines.protocol import Engine
    from meshdemo.engines.results import Change, Check, Container, Pod
    from meshdemo.objects.model import Object
    from meshdemo.walkthrough.events import Story
    from meshdemo.walkthrough.plan import Plan
    from meshdemo.walkthrough.steps import Step


class Deployed(Struct, frozen=True):
    """What ``deploy`` changed, and its pods as they are now."""

    changes: tuple[Change, ...]
    pods: tuple[Pod, ...]
    seconds: float


class Injected(Struct, frozen=True):
    """What the sidecars added: for each pod the containers that it did not have."""

    changes: tuple[Change, ...]
    pods: tuple[Pod, ...]
    added: dict[str, tuple[Container, ...]]
    seconds: float


def install(engine: Engine, mesh: MeshOptions) -> Story[tuple[Check, ...]]:
    """Install the mesh if it is not there; a check that fails ends it."""
    checks = []
    for check in engine.install(mesh):
        checks.append(check)
        yield Checked(check)
        if not check.ok:
            said = f": {check.detail}" if check.detail else ""
            raise EnvironmentFailed(f"{check.name}: not so{said}", hint=check.hint)
    return tuple(checks)


def install_alone(engine: Engine, plan: Plan) -> Story[tuple[Check, ...]]:
    """Install the mesh as a step of its own: all checks are made, also after one that fails."""
    yield steps.INSTALL.started(plan)
    return tuple(engine.install(plan.mesh))


def deploy(engine: Engine, plan: Plan, step: Step) -> Story[Deployed]:
    """Apply workloads and wait until they are ready; with ``-f`` whatever is in the files."""
    plan = plan.of_revision(engine) if plan.injection else plan
    objects = plan.read(engine, step.manifests)
    yield from plan.skip.notes()
    strict_check.require_no_warnings(engine, plan, objects)
    if plan.injection is not None:
        yield steps.INJECT.started(plan)
        objects = engine.inject(objects, plan.injection, plan.mesh.revision)
    yield step.started(plan)
    began = time.monotonic()
    applied = yield from apply_in_order(engine, objects, plan.settings.timeout)
    seconds = time.monotonic() - began
    if plan.is_own:
        yield from analyzed(engine, objects)
    pods = yield from recheck(engine, objects, plan.settings.timeout)
    yield Finished(step.name, readiness(pods), seconds)
    yield from sidecars.notes(objects, pods, plan.injection or Injection.NONE)
    return Deployed(applied, pods, seconds)


def inject(engine: Engine, plan: Plan, step: Step) -> Story[Injected]:
    """Give deployed workloads their sidecars, and wait until they are ready."""
    plan = plan.of_revision(engine)
    namespace = engine.where.namespace
    workloads = [
        item for item in engine.objects() if item.makes_pods and item.namespace == namespace
    ]
    if not workloads:
        message = f"nothing is deployed in namespace {namespace}"
        raise EnvironmentFailed(message, hint="Type: meshdemo deploy")
    before = pod_selection.of_workloads(engine.pods(), workloads)
    started = step.started(plan)
    if plan.injection is Injection.AUTO:
        # As when they are deployed: by themselves the walkthrough's pods ask for no sidecar.
        ours = [item.name for item in workloads if item.name in steps.WORKLOAD_NAMES]
        started = replace(started, commands=steps.labelled(plan, ours))
        revision = plan.mesh.revision
        workloads = [
            with_sidecar_label(item, revision) if item.name in ours else item for item in workloads
        ]
    yield started
    began = time.monotonic()
    injected = _inject(engine, workloads, plan)
    applied = yield from apply_in_order(engine, injected, plan.settings.timeout)
    seconds = time.monotonic() - began
    after = yield from recheck(engine, injected, plan.settings.timeout)
    injection = plan.injection or Injection.KUBE_INJECT
    sidecars.require_some(injected, after, injection)
    yield Finished(step.name, readiness(after), seconds)
    yield from sidecars.notes(injected, after, injection)
    return Injected(applied, after, _added(before, after), seconds)


def apply_in_order(
    engine: Engine, objects: Sequence[Object], timeout: float
) -> Story[tuple[Change, ...]]:
    """Apply all objects and wait: rules come last, when what they speak of is there."""
    ordered = model.in_apply_order(objects)
    deadline = time.monotonic() + timeout
    applied = engine.apply(ordered)
    yield Accepted(applied)
    engine.wait_ready(ordered, left_until(deadline))
    return applied.changes


def made_true(engine: Engine, objects: Sequence[Object], timeout: float) -> Applied:
    """Apply objects, and return when they are live; ``timeout`` is for both together."""
    deadline = time.monotonic() + timeout
    applied = engine.apply(objects)
    engine.wait_ready(objects, left_until(deadline))
    return applied


def left_until(deadline: float) -> float:
    """Give the seconds until a moment of the monotonic clock."""
    return max(0.0, deadline - time.monotonic())


def analyzed(engine: Engine, objects: Sequence[Object]) -> Story[None]:
    """Tell what Istio's analyzer finds odd about the user's own objects."""
    if found := engine.analyze(objects):
        yield Accepted(Applied(warnings=found))


def readiness(pods: Sequence[Pod]) -> str:
    """Say how ready each workload is: ``app-v1 2/2, app-v2 2/2 (10 pods)``; a Job may be done."""
    states: dict[str, Counter[str]] = {}
    for pod in pods:
        found = states.setdefault(pod.workload or pod.name, Counter())
        found["done" if pod.is_done else pod.ready] += 1
    said = [
        f"{name} {state}" + (f" ({number:,} pods)" if number > 1 else "")
        for name, found in states.items()
        for state, number in found.items()
    ]
    return ", ".join(said) or "no workloads"


def _inject(engine: Engine, objects: Sequence[Object], plan: Plan) -> tuple[Object, ...]:
    return engine.inject(objects, plan.injection or Injection.KUBE_INJECT, plan.mesh.revision)


def _added(before: Sequence[Pod], after: Sequence[Pod]) -> dict[str, tuple[Container, ...]]:
    had: dict[str, set[str]] = {}
    for pod in before:
        had.setdefault(pod.workload or pod.name, set()).update(c.name for c in pod.containers)
    return {
        pod.name: tuple(
            c for c in pod.containers if c.name not in had.get(pod.workload or pod.name, ())
        )
        for pod in after
    }


def next_command(result: Deployed, objects: Sequence[Object]) -> str:
    """Say what comes next in the workshop; empty where there is nothing to inject or route."""
    if not result.pods:
        return ""
    if any(not pod.injected for pod in result.pods):
        return "meshdemo inject (gives each pod its sidecar)"
    namespaces = {pod.namespace for pod in result.pods}
    if any(o.kind == "VirtualService" and o.namespace in namespaces for o in objects):
        return "meshdemo verify (proves what the rules promise)"
    for service in pod_selection.apps(result.pods[0].namespace, objects):
        selected = pod_selection.selected(service, result.pods)
        versions = pod_selection.versions(selected)
        if len(versions) > 1:
            host = "" if service.name == HOST else f"--host {service.name} "
            return f"meshdemo route {host}{versions[-1]} (sends all traffic to {versions[-1]})"
    return "meshdemo verify (counts who answers)"


def injected_manifests(engine: Engine, plan: Plan) -> Story[tuple[Object, ...]]:
    """Inject the user's manifests and apply nothing.

    An object that names no namespace still names none then: whoever applies it decides.
    """
    yield steps.INJECT_FILES.started(plan)
    objects = plan.read(engine)
    injected = _inject(engine, objects, plan)
    if plan.settings.namespace is not None:
        return injected
    return tuple(
        item if ("metadata", "namespace") in item.lines else _without_namespace(item)
        for item in injected
    )


def _without_namespace(item: Object) -> Object:
    metadata = {name: value for name, value in item.metadata.items() if name != "namespace"}
    return item.with_data({**item.data, "metadata": metadata})
