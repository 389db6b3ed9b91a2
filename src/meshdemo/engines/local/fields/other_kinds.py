"""Kinds without a table of fields: those without effect on traffic, and those that are refused.

What a chart prints beside its workloads is mostly about permissions, scaling and monitoring. No
request goes another way for it, so it is accepted, kept for ``get``, and named in one note. A kind
that would lead requests elsewhere, or refuse some, is not: the answers would be others than on a
cluster. That holds for a kind that nobody has heard of, too, if its API group is one of those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.engines.local.fields.findings import closest
from meshdemo.objects import kinds

if TYPE_CHECKING:
    from collections.abc import Collection

    from meshdemo.errors import Problem
    from meshdemo.objects.model import Object

KUBERNETES_GROUPS = frozenset(
    {
        "",
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "apps",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "autoscaling",
        "batch",
        "certificates.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "extensions",
        "flowcontrol.apiserver.k8s.io",
        "networking.k8s.io",
        "node.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "resource.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
    }
)
"""The groups of a Kubernetes server itself: a kind that is not known there is a slip of the pen."""
TRAFFIC_GROUPS = (
    "istio.io",
    "gateway.networking.k8s.io",
    "gateway.networking.x-k8s.io",
    "inference.networking.k8s.io",
    "inference.networking.x-k8s.io",
    "multicluster.x-k8s.io",
    "configuration.konghq.com",
    "flagger.app",
    "gateway.envoyproxy.io",
    "gateway.kgateway.dev",
    "gateway.solo.io",
    "getambassador.io",
    "k8s.nginx.org",
    "linkerd.io",
    "networking.internal.knative.dev",
    "projectcontour.io",
    "route.openshift.io",
    "serving.knative.dev",
    "smi-spec.io",
    "traefik.containo.us",
    "traefik.io",
)
"""API groups, and what ends with them after a dot, whose kinds lead requests somewhere."""
TRAFFIC_KINDS = frozenset(
    {
        ("", "Endpoints"),
        ("discovery.k8s.io", "EndpointSlice"),
        ("extensions", "Ingress"),
        ("networking.k8s.io", "Ingress"),
        ("argoproj.io", "Rollout"),  # makes pods, and changes weights
    }
)
"""Kinds of other groups that do so."""
FILTERING_GROUPS = ("cilium.io", "projectcalico.org", "policy.networking.k8s.io")
"""Groups of network policies, beside Kubernetes' own kind: they refuse connections."""
NOT_ENFORCED = "no network policy is enforced here: what it forbids on a cluster is answered"
LEFT_OUT = "take it out, leave it out with --skip {kind}, or use a cluster: --engine cluster"


def is_idle(item: Object, known: Collection[str]) -> bool:
    """Tell whether a kind is accepted without effect; ``known`` are those with a table."""
    group, kind = item.group, item.kind
    if kind in known or (group, kind) in TRAFFIC_KINDS:
        return False
    if any(each.is_kind(kind, group) for each in kinds.LOCAL):
        return True
    return not (group in KUBERNETES_GROUPS or "." not in group or _ends_with(group, TRAFFIC_GROUPS))


def is_elsewhere(item: Object) -> bool:
    """Tell whether a cluster may have a kind that this engine has not."""
    group, kind = item.group, item.kind
    if any(each.is_kind(kind, group) for each in kinds.KINDS):
        return not any(each.is_kind(kind, group) for each in kinds.LOCAL)
    return _leads(item) and group != kinds.NETWORKING_GROUP


def problem(item: Object, known: Collection[str]) -> Problem:
    """Say why a kind is refused that has no table of fields, and is not idle."""
    group, kind = item.group, item.kind
    if is_elsewhere(item):
        why = ", which leads or refuses requests" if _leads(item) else ""
        message = f"the local engine does not support the kind {kind}{why}"
        return item.problem(message, "kind", hint=LEFT_OUT.format(kind=kind))
    if named := [each for each in kinds.LOCAL if each.name == kind]:
        message = f"no {kind} has the version {item.data.get('apiVersion')}"
        return item.problem(message, "apiVersion", hint=f"write {named[0].api_version}")
    close = closest(kind, [*known, *(each.name for each in kinds.KINDS)])
    hint = f"did you mean {close}?" if close else f"it knows {', '.join(known)}"
    istio = group == kinds.NETWORKING_GROUP
    who = "Istio has no kind" if istio else "the local engine does not know the kind"
    return item.problem(f"{who} {kind}", "kind", hint=hint)


def warning(item: Object) -> Problem | None:
    """Warn of a kind that would refuse connections on a cluster."""
    kubernetes_own = (item.group, item.kind) == ("networking.k8s.io", "NetworkPolicy")
    if kubernetes_own or _ends_with(item.group, FILTERING_GROUPS):
        hint = f"to leave it out and not be told: --skip {item.kind}"
        return item.problem(NOT_ENFORCED, "kind", hint=hint)
    return None


def _leads(item: Object) -> bool:
    """Tell whether a kind leads requests somewhere, or refuses some."""
    return (item.group, item.kind) in TRAFFIC_KINDS or _ends_with(item.group, TRAFFIC_GROUPS)


def _ends_with(group: str, ends: Collection[str]) -> bool:
    return any(group == end or group.endswith(f".{end}") for end in ends)
