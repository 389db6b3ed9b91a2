"""Who can answer behind a service: its pods, and the endpoints that ServiceEntries name.

What their labels call their version gives the shares that a promise is made of. Where no share can
be told, InputError says why.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

from meshdemo.language import said
from meshdemo.objects.labels import POD_NAME_LABEL
from meshdemo.rules import hosts
from meshdemo.rules.service_entries import service_behind
from meshdemo.rules.services import Resolution
from meshdemo.rules.undecided import undecided

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meshdemo.rules.client_view import ClientView
    from meshdemo.rules.services import Service

Shares: TypeAlias = dict[str, Fraction]
"""The share of each version."""
Pods: TypeAlias = Sequence[tuple[str, Mapping[str, str]]]
"""The namespace and labels of each pod that can answer."""
Weighted: TypeAlias = tuple[Mapping[str, str], int]
"""The labels of one that can answer, and its weight among the others."""

VERSION_LABEL = "version"


def shares_of(found: Iterable[Weighted], where: str) -> Shares:
    """Give each version as much as it has weight; ``where`` is what they stand behind."""
    weights: Counter[str] = Counter()
    for labels, weight in found:
        weights[labels.get(VERSION_LABEL, "")] += weight
    if not weights:
        raise undecided("{where} has no pod that can answer", where=where)
    if "" in weights:
        raise undecided(
            "{where} has a pod without the label {label}", where=where, label=VERSION_LABEL
        )
    total = sum(weights.values())
    return {version: Fraction(weights[version], total) for version in sorted(weights, key=_natural)}


def candidates(
    service: Service, port: int, labels: Mapping[str, str], view: ClientView, pods: Pods
) -> Iterator[Weighted]:
    """Give the pods and endpoints with these labels, among which a sidecar chooses."""
    yield from _pods(service, labels, pods)
    for endpoint in service.endpoints:
        if port not in endpoint.ports or not hosts.within(labels, endpoint.labels):
            continue
        if hosts.is_loopback(endpoint.address):
            yield endpoint.labels, endpoint.weight
            continue
        known = service_behind(endpoint, view.mesh.services, view.client.namespace)
        if known is None or service.resolution is not Resolution.DNS:
            raise undecided(
                "{service} leads out of the mesh, to {address}",
                service=service.title,
                address=endpoint.address,
            )
        versions = behind_address(known, endpoint.ports[port], pods)
        if len(versions) > 1:
            raise undecided(
                "{service} leads to the address of {other}, which has several versions",
                service=service.title,
                other=known.title,
            )
        yield {VERSION_LABEL: next(iter(versions))}, endpoint.weight


def behind_address(service: Service, port: int, pods: Pods, pod: str = "") -> Shares:
    """Share where no sidecar chooses: the name of a service stands for an address, or for several.

    kube-proxy chooses any pod for a connection; of a headless service DNS does, unless the name of
    a ``pod`` was called.
    """
    known = service.port(port)
    if known is None:
        raise undecided("{service} has no port {port}", service=service.title, port=port)
    if service.is_headless and known.target != port:
        raise undecided(
            "{service} is headless, so port {port} is dialled at its pods, "
            "whatever its targetPort says",
            service=service.title,
            port=port,
        )
    labels = {POD_NAME_LABEL: pod} if pod else {}
    where = service.title
    if pod:
        where = said("pod {pod} of {service}", pod=pod, service=service.title)
    versions = shares_of(_pods(service, labels, pods), where)
    if service.is_headless and len(versions) > 1:
        raise undecided(
            "{service} is headless, so DNS chooses the pod, and no sidecar", service=service.title
        )
    if service.keeps_client and len(versions) > 1:
        raise undecided(
            "{service} keeps a client at one pod (sessionAffinity)", service=service.title
        )
    return versions


def _pods(service: Service, labels: Mapping[str, str], pods: Pods) -> Iterator[Weighted]:
    return (
        (pod, 1)
        for namespace, pod in pods
        if service.selects(namespace, pod) and hosts.within(labels, pod)
    )


def _natural(version: str) -> list[tuple[int, str]]:
    """Sort v10 after v9."""
    return [
        (int(part or 0), part) if part.isdigit() else (0, part)
        for part in re.split(r"([0-9]+)", version)
    ]
