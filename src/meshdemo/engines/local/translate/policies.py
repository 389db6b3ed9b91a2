"""A traffic policy as the fields of a cluster.

Source: ``applyTrafficPolicy`` in istiod's core/cluster_traffic_policy.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.engines.local.translate import balancers, outliers, pools, transport
from meshdemo.engines.local.translate.resources import HTTP_UPSTREAM, typed

if TYPE_CHECKING:
    from meshdemo.engines.local.translate.resources import Json
    from meshdemo.rules.protocols import Protocol


def outbound(policy: Json, protocol: Protocol) -> Json:
    """Translate all of a policy, for the cluster of a port that pods send to."""
    return {
        **unbalanced(policy, protocol),
        **balancers.balancer(policy),
        **outliers.outliers(policy),
        "common_lb_config": outliers.panic_threshold(policy),
    }


def unbalanced(policy: Json, protocol: Protocol) -> Json:
    """Translate what of a policy holds where something else chooses the pod."""
    spoken = pools.http_options(policy, protocol)
    options = {**spoken, **transport.http_options(policy)}
    if options and not spoken:
        options |= pools.HTTP1
    http2 = "http2_protocol_options" in spoken.get("explicit_http_config", {})
    found = {**pools.limits(policy), **transport.transport(policy, http2=http2)}
    return found | _extended(options)


def inbound(policy: Json, protocol: Protocol) -> Json:
    """Translate what of a policy also holds for the cluster of a pod's own port: the pool.

    A pod is not upgraded: it is spoken to as its port says.
    """
    return pools.limits(policy) | _extended(pools.http_options(policy, protocol, upgrades=False))


def _extended(options: Json) -> Json:
    if not options:
        return {}
    return {"typed_extension_protocol_options": {HTTP_UPSTREAM: typed(HTTP_UPSTREAM, **options)}}
