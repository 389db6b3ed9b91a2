"""A second look at the pods, before a step is called done: what was ready may have ended since."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from meshdemo.errors import EnvironmentFailed, TimedOut
from meshdemo.objects import model
from meshdemo.rules.hosts import resolve, service_host, within
from meshdemo.system import waiting
from meshdemo.walkthrough import pod_selection
from meshdemo.walkthrough.events import Note

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meshdemo.engines.protocol import Engine
    from meshdemo.engines.results import Pod
    from meshdemo.objects.model import Object
    from meshdemo.walkthrough.events import Story

RECHECK_SECONDS = 5.0
"""Seconds in which what ended once is up again: a local process within two, a container in one."""
BUSY = ("Job", "CronJob")
"""Workloads that are at work, ready or not."""
OVER = ("Succeeded", "Failed")
"""Phases in which a pod is waited for no more: the workload that it is of has seen to it."""


def recheck(engine: Engine, objects: Sequence[Object], timeout: float) -> Story[tuple[Pod, ...]]:
    """Give the pods of these workloads as they are now; raises as ``recheck_all``."""
    pods = yield from recheck_all(engine, objects, timeout)
    return tuple(pod_selection.of_workloads(pods, objects))


def recheck_all(
    engine: Engine, objects: Sequence[Object], timeout: float
) -> Story[tuple[Pod, ...]]:
    """Look at the pods of these workloads once more, and give all pods as they are now.

    Raises EnvironmentFailed if one of them ended and is not ready again, or, where rules are among
    the objects, the test client or a pod that they lead to; also not within ``RECHECK_SECONDS``, or
    ``timeout`` if less. What is not ready and never ended may be starting: that is a warning.
    """
    pods: list[Pod] = []
    unwell: list[Pod] = []

    def look() -> bool:
        pods[:] = _pods(engine, objects)
        steady = [item for item in objects if item.kind not in BUSY]
        lasting = pod_selection.of_workloads(pods, steady)
        concerned = [*lasting, *_by_rules(engine, model.traffic_rules(objects), pods)]
        unwell[:] = [pod for pod in concerned if not pod.is_ready and pod.phase not in OVER]
        return not unwell

    with suppress(TimedOut):
        waiting.until(look, "the pods", timeout=min(RECHECK_SECONDS, timeout))
    said = dict.fromkeys(f"{p.name} is {p.ready}: {p.message or 'no reason given'}" for p in unwell)
    # What has never run may be on its way; what ran and ended has been broken by something.
    if any(pod.restarts for pod in unwell):
        done = "the rules are live, but " if model.traffic_rules(objects) else ""
        message = "\n".join([f"{done}not every pod is ready", *said])
        raise EnvironmentFailed(message, hint="More: meshdemo status, meshdemo logs")
    for trouble in said:
        yield Note(trouble, warning=True)
    return tuple(pods)


def _pods(engine: Engine, objects: Sequence[Object]) -> list[Pod]:
    """Give the pods of the namespace, and of others that workloads among the objects name."""
    others = {o.namespace for o in objects if o.makes_pods and o.namespace}
    spaces = ["", *sorted(others - {engine.where.namespace})]
    found = {(pod.namespace, pod.name): pod for each in spaces for pod in engine.pods(each)}
    return list(found.values())


def _by_rules(engine: Engine, rules: Sequence[Object], pods: Sequence[Pod]) -> Iterator[Pod]:
    """Give the test client, which is to follow the rules, and the pods that they lead to."""
    if not rules:
        return
    if client := engine.sender.find(pods):
        yield client
    objects = engine.objects()
    services = {service_host(o.name, o.namespace): o for o in objects if o.kind == "Service"}
    subsets: dict[tuple[str, str], list[dict[str, str]]] = {}
    for item in objects:
        for subset in (item.spec.get("subsets") or ()) if item.kind == "DestinationRule" else ():
            host = resolve(str(item.spec.get("host", "")), item.namespace)
            subsets.setdefault((host, subset.get("name")), []).append(subset.get("labels") or {})
    for rule in rules:
        for host, name in _destinations(rule):
            service = services.get(host)
            for pod in pod_selection.selected(service, pods) if service else ():
                if not name or any(within(s, pod.labels) for s in subsets.get((host, name), ())):
                    yield pod


def _destinations(rule: Object) -> Iterator[tuple[str, str]]:
    """Give host and subset of each destination of a VirtualService that gets any requests."""
    for http_rule in rule.spec.get("http") or ():
        for route in http_rule.get("route") or ():
            if route.get("weight") != 0:
                to = route.get("destination") or {}
                yield resolve(str(to.get("host", "")), rule.namespace), to.get("subset") or ""
