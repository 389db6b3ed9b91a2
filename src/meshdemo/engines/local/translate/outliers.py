"""Outlier detection: which failures make a sidecar leave a pod out for a while.

Source: ``applyOutlierDetection`` in istiod's core/cluster_traffic_policy.go. What a rule leaves out
is Envoy's default: 5 errors of 5xx in a row, looked at each 10 s, out for 30 s, at most 10 % of
the pods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.engines.local.translate.resources import duration

if TYPE_CHECKING:
    from meshdemo.engines.local.translate.resources import Json

ERRORS = {
    "consecutive5xxErrors": "consecutive_5xx",
    "consecutiveGatewayErrors": "consecutive_gateway_failure",
}
"""Each, as 0, turns its kind of ejection off."""
TIMES = {"interval": "interval", "baseEjectionTime": "base_ejection_time"}
ALWAYS, NEVER = 100, 0
"""Percent of the cases in which an ejection that is due takes place."""


def outliers(policy: Json) -> Json:
    """Translate a policy's outlierDetection; empty where it has none."""
    outlier = policy.get("outlierDetection")
    if outlier is None:
        return {}
    found: Json = {"enforcing_success_rate": NEVER}
    for name, counted in ERRORS.items():
        if name in outlier:
            found[counted] = outlier[name]
            found[f"enforcing_{counted}"] = ALWAYS if outlier[name] else NEVER
    found |= {own: duration(outlier[name]) for name, own in TIMES.items() if name in outlier}
    if share := outlier.get("maxEjectionPercent"):
        found["max_ejection_percent"] = share
    if outlier.get("splitExternalLocalOriginErrors"):
        found["split_external_local_origin_errors"] = True
        found["enforcing_local_origin_success_rate"] = NEVER
        if failures := outlier.get("consecutiveLocalOriginFailures"):
            found["consecutive_local_origin_failure"] = failures
            found["enforcing_consecutive_local_origin_failure"] = ALWAYS
    return {"outlier_detection": found}


def panic_threshold(policy: Json) -> Json:
    """Translate the percentage of healthy pods below which ejected ones get requests, too."""
    share = (policy.get("outlierDetection") or {}).get("minHealthPercent") or 0
    return {"healthy_panic_threshold": {"value": share}}
