"""Which pods shall run for the objects, and where on loopback each of their ports is.

objects -> blueprints (names, labels, port numbers) -> pods (with places)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from meshdemo.engines.local import pod_names, programs
from meshdemo.engines.local.injection import is_injected
from meshdemo.engines.local.model import PlannedPod, PodPort
from meshdemo.objects.labels import COMMAND
from meshdemo.rules import service_entries
from meshdemo.rules.hosts import selects, within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from meshdemo.errors import Problem
    from meshdemo.objects.model import Object

BACKOFF_LIMIT = 6
"""A Job's own ``backoffLimit``: how often its pods are tried once more."""
MOST_TRIES = 1_000_000
"""Of a Pod whose ``restartPolicy`` is OnFailure: until it succeeds."""
PLACEHOLDERS = "there are {port}, {port:NAME}, {volume:NAME}; to mean braces, put a space inside"


class Blueprint(Struct, frozen=True):
    """A pod that has no place yet."""

    pod: PlannedPod
    ports: tuple[tuple[int, str], ...]
    """Number and name of each port."""


def blueprints(objects: Iterable[Object]) -> tuple[Blueprint, ...]:
    """List the pods that the workloads among the objects ask for."""
    every = list(objects)
    services = _services(every)
    return tuple(
        Blueprint(pod, tuple(_port_numbers(pod, selecting(pod, services)).items()))
        for item in every
        for pod in (_pod(item, *named) for named in pod_names.pods_of(item))
    )


def place(
    wanted: Sequence[Blueprint],
    before: Iterable[PlannedPod],
    take: Callable[[int], Sequence[int]],
    lost: frozenset[int] = frozenset(),
) -> tuple[PlannedPod, ...]:
    """Give each port of each pod its place: the one it had, unless that is lost, else a new one.

    ``take`` is called once, with how many new ones are needed.
    """
    old = {(pod.namespace, pod.name): pod for pod in before}
    kept = [
        _kept(blueprint, old.get((blueprint.pod.namespace, blueprint.pod.name)), lost)
        for blueprint in wanted
    ]
    fresh = iter(take(sum(_missing(pod) for pod in kept)))
    return tuple(_fill(pod, fresh) for pod in kept)


def more_envoys(wanted: Iterable[Blueprint], running: Iterable[PlannedPod]) -> int:
    """Count the Envoys to start: a sidecar a pod, one a namespace for those without."""
    ours = [_envoy_of(blueprint.pod) for blueprint in wanted]
    return len({*ours} - {_envoy_of(pod) for pod in running})


def places(pods: Iterable[PlannedPod]) -> set[int]:
    """List every port on loopback that the pods have."""
    found = {pod.outbound for pod in pods}
    for pod in pods:
        found |= {port.app for port in pod.ports} | {port.inbound for port in pod.ports}
    return found - {0}


def command_problems(given: Sequence[Object], stored: Iterable[Object]) -> Iterator[Problem]:
    """Find placeholders in commands of the given workloads that stand for nothing."""
    every = {item.key: item for item in (*stored, *given)}
    # Any numbers do here: it is only asked which placeholders stand for a port at all.
    pods = place(blueprints(every.values()), (), lambda count: range(1, count + 1))
    services, first = _services(every.values()), {owner(pod): pod for pod in reversed(pods)}
    for item in given:
        pod = first.get((item.kind, item.namespace, item.name))
        path = (*item.template_path, "metadata", "annotations", COMMAND)
        for placeholder in programs.unknown_placeholders(item.pod_template):
            yield item.problem(f"{placeholder} is not a placeholder", *path, hint=PLACEHOLDERS)
        for placeholder in programs.unresolved(pod, selecting(pod, services)) if pod else ():
            what = "volume" if placeholder.startswith("{volume") else "port"
            hint = f"declare it in the {'pod' if what == 'volume' else 'container'}'s {what}s"
            yield item.problem(f"{placeholder} stands for no {what} of the pod", *path, hint=hint)


def selecting(pod: PlannedPod, services: Iterable[Object]) -> list[Object]:
    """Give the Services and ServiceEntries that a pod belongs to."""
    return [
        item
        for item in services
        if pod.is_endpoint and item.namespace == pod.namespace and _selects(item, pod.labels)
    ]


def owner(pod: PlannedPod) -> tuple[str, str, str]:
    """Give kind, namespace and name of the object that a pod was made from."""
    return pod.workload_kind or "Pod", pod.namespace, pod.workload or pod.name


def _services(objects: Iterable[Object]) -> list[Object]:
    return [item for item in objects if item.kind in ("Service", service_entries.KIND)]


def _selects(service: Object, labels: Mapping[str, str]) -> bool:
    if service.kind == service_entries.KIND:
        selector = service.spec.get("workloadSelector")
        return selector is not None and within(selector.get("labels") or {}, labels)
    return selects(service.spec.get("selector"), labels)


def to_record(pods: Iterable[PlannedPod]) -> list[dict[str, Any]]:
    """Write pods as plain data."""
    return [msgspec.to_builtins(pod) for pod in pods]


def from_record(record: Iterable[Mapping[str, Any]]) -> tuple[PlannedPod, ...]:
    """Read what ``to_record`` wrote."""
    return tuple(
        PlannedPod(**{**item, "ports": tuple(PodPort(**port) for port in item["ports"])})
        for item in record
    )


def _pod(item: Object, name: str, labels: Mapping[str, str]) -> PlannedPod:
    template, workload = item.pod_template, "" if item.kind == "Pod" else item.name
    injected = is_injected(template)
    return PlannedPod(
        name=name,
        namespace=item.namespace,
        labels={**_sidecar_labels(labels, workload or name), **labels}
        if injected
        else dict(labels),
        template={"metadata": template.get("metadata") or {}, "spec": template.get("spec") or {}},
        workload=workload,
        injected=injected,
        workload_kind=item.kind if workload else "",
        tries=_tries(item),
    )


def _tries(item: Object) -> int:
    """Say how often at most the processes of an object's pods are started; 0 if for ever."""
    policy = (item.pod_template.get("spec") or {}).get("restartPolicy")
    if item.kind == "Job":
        limit = item.spec.get("backoffLimit")
        return 1 + (BACKOFF_LIMIT if limit is None else int(limit))
    return {"Never": 1, "OnFailure": MOST_TRIES}.get(policy or "", 0)


def _sidecar_labels(labels: Mapping[str, str], name: str) -> dict[str, str]:
    """Give the labels that injection adds where the user did not set them."""
    service = labels.get("app.kubernetes.io/name") or labels.get("app") or name
    revision = labels.get("app.kubernetes.io/version") or labels.get("version") or "latest"
    return {
        "security.istio.io/tlsMode": "istio",
        "service.istio.io/canonical-name": service,
        "service.istio.io/canonical-revision": revision,
    }


def _port_numbers(pod: PlannedPod, services: Iterable[Object]) -> dict[int, str]:
    """List the ports of a pod with their names: declared, built in, and asked for by Services."""
    declared = programs.container_ports(pod.template)
    found = dict(declared)
    for number in programs.builtin_ports(pod.template):
        found.setdefault(number, "")
    by_name = {name: number for number, name in declared if name}
    for service in services:
        for port in programs.service_ports(service):
            # To declare a containerPort is optional in Kubernetes: a Service may lead to any
            # number.
            target = port.get("targetPort") or port.get("port") or port.get("number")
            wanted = by_name.get(target) if isinstance(target, str) else target
            if wanted:
                found.setdefault(int(wanted), "")
    return found


def _envoy_of(pod: PlannedPod) -> tuple[str, str]:
    return pod.namespace, pod.name if pod.injected else ""


def _kept(blueprint: Blueprint, old: PlannedPod | None, lost: frozenset[int]) -> PlannedPod:
    """Give the pod with the places it had; 0 where it needs one, -1 where it wants none."""
    before = {port.number: port for port in old.ports} if old else {}
    injected = blueprint.pod.injected

    def keep(port: int) -> int:
        return 0 if port in lost else port

    ports = []
    for number, name in blueprint.ports:
        had = before.get(number) or PodPort(number, app=0)
        ports.append(PodPort(number, keep(had.app), keep(had.inbound) if injected else -1, name))
    outbound = keep(old.outbound if old else 0) if injected else -1
    return replace(blueprint.pod, ports=tuple(ports), outbound=outbound)


def _missing(pod: PlannedPod) -> int:
    numbers = [pod.outbound, *(p.app for p in pod.ports), *(p.inbound for p in pod.ports)]
    return numbers.count(0)


def _fill(pod: PlannedPod, fresh: Iterator[int]) -> PlannedPod:
    def fill(port: int) -> int:
        return next(fresh) if port == 0 else max(port, 0)

    ports = tuple(replace(p, app=fill(p.app), inbound=fill(p.inbound)) for p in pod.ports)
    return replace(pod, ports=ports, outbound=fill(pod.outbound))
