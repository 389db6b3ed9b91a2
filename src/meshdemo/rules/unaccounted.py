"""What touches a request and has no part in what the rules promise: named, so that nobody wonders.

Mutual TLS and its policies, who may call whom, what Sidecars say of listeners, and filters: each
may refuse a request that the rules lead to a version. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshdemo.rules import promise, sidecars
from meshdemo.rules.hosts import within

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from meshdemo.objects.model import Object
    from meshdemo.rules.answering import Pods
    from meshdemo.rules.client_view import Client
    from meshdemo.rules.destination_rules import DestinationRule
    from meshdemo.verdict.traffic import Request

OF_CLIENT = ("EnvoyFilter",)
"""Kinds that decide what the client's sidecar does; they select it by ``workloadSelector``."""
OF_SERVER = ("AuthorizationPolicy", "PeerAuthentication", "RequestAuthentication", "EnvoyFilter")
"""Kinds that decide what a pod's sidecar takes; they select it by ``selector``."""


def unaccounted(
    objects: Sequence[Object],
    pods: Pods,
    request: Request,
    client: Client,
) -> tuple[str, ...]:
    """Name what touches a request beside the rules; arguments as for ``promise.promised``."""
    reached = promise.reached(objects, pods, request, client)
    behind = [
        (namespace, labels)
        for service, _, _ in reached
        for namespace, labels in pods
        if service.selects(namespace, labels)
    ]
    found = [item.title for item in objects if _touches(item, behind, client)]
    found += [
        f"the tls of DestinationRule {rule.namespace}/{rule.name}"
        for _, rule, subset in reached
        if rule and _has_tls(rule, subset)
    ]
    return tuple(dict.fromkeys(found))


def _touches(item: Object, behind: Pods, client: Client) -> bool:
    is_sidecar = item.kind == sidecars.KIND
    at_client = item.kind in OF_CLIENT or (is_sidecar and sidecars.goes_beyond(item))
    at_client = at_client and client.injected
    at_server = item.kind in OF_SERVER or (is_sidecar and sidecars.governs_inbound(item))
    if not (at_client or at_server):
        return False
    root = client.root_namespace
    if at_client and item.namespace in (client.namespace, root) and _selects(item, client.labels):
        return True
    return at_server and any(
        item.namespace in (namespace, root) and _selects(item, labels)
        for namespace, labels in behind
    )


def _selects(item: Object, labels: Mapping[str, str]) -> bool:
    """Apply the selector of such an object; without one it is for all pods."""
    selector: Mapping[str, Any] = (
        item.spec.get("workloadSelector") or item.spec.get("selector") or {}
    )
    return within(selector.get("labels") or selector.get("matchLabels") or {}, labels)


def _has_tls(rule: DestinationRule, subset: str) -> bool:
    chosen = (rule.subset(subset) or {}) if subset else {}
    return any(map(_says_tls, (rule.policy or {}, chosen.get("trafficPolicy") or {})))


def _says_tls(policy: Mapping[str, Any]) -> bool:
    return any(part.get("tls") for part in _parts(policy))


def _parts(policy: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield policy
    yield from policy.get("portLevelSettings") or ()
