"""Warnings of what a traffic policy says and Istio makes nothing of. Pure.

Source: ``validateOutlierDetection`` and ``ValidateLocalityLbSetting`` in istiod's validation, and
``applyOutlierDetection`` in its core/cluster_traffic_policy.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.errors import Problem
    from meshdemo.objects.place import Place

USE_INSTEAD = "use consecutive5xxErrors or consecutiveGatewayErrors"
TELLS_NOBODY = "Istio's schema names it, and no sidecar is told"
NEEDS_OUTLIERS = "without outlierDetection no pod is ever left out, so nothing fails over"


def policy_warnings(rule: Place) -> Iterator[Problem]:
    """Look at all policies of a DestinationRule."""
    above = rule["spec"]["trafficPolicy"]
    for part in (rule["spec"], *rule["spec"]["subsets"].items):
        policy = part["trafficPolicy"]
        # A subset inherits what it does not say; a port inherits nothing.
        yield from _idle(policy, ejects="outlierDetection" in policy or "outlierDetection" in above)
        for settings in policy["portLevelSettings"].items:
            yield from _idle(settings, ejects="outlierDetection" in settings)


def _idle(settings: Place, *, ejects: bool) -> Iterator[Problem]:
    outlier = settings["outlierDetection"]
    if outlier["consecutiveErrors"].number:
        yield outlier["consecutiveErrors"].problem("it has no effect", USE_INSTEAD)
    if outlier["outlierDetectionHttpErrorCodes"].items:
        codes = outlier["outlierDetectionHttpErrorCodes"]
        yield codes.problem("it has no effect", TELLS_NOBODY)
    by_locality = settings["loadBalancer"]["localityLbSetting"]
    for name in ("failover", "failoverPriority"):
        if by_locality[name].items and not ejects:
            yield by_locality[name].problem("it has no effect", NEEDS_OUTLIERS)
