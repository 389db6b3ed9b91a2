"""Faults that a rule injects, as the configuration of Envoy's fault filter.

Source: ``TranslateFault`` in istiod's core/route/route.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.engines.local.translate.resources import duration, typed
from meshdemo.rules.own_answers import parts_of_a_million
from meshdemo.rules.virtual_services import GRPC_STATUS

if TYPE_CHECKING:
    from meshdemo.engines.local.translate.resources import Json

FILTER = "envoy.filters.http.fault"
KIND = "envoy.extensions.filters.http.fault.v3.HTTPFault"


def http_fault(fault: Json) -> Json:
    """Translate a fault. Without a percentage it befalls nobody, as in Istio."""
    found = typed(KIND)
    delay, abort = fault.get("delay") or {}, fault.get("abort") or {}
    if "fixedDelay" in delay:
        percentage = _percentage(delay) or {"numerator": max(delay.get("percent") or 0, 0)}
        found["delay"] = {"fixed_delay": duration(delay["fixedDelay"]), "percentage": percentage}
    if error := _error(abort):
        share = _percentage(abort)
        found["abort"] = {**error, "percentage": share} if share else error
    return found


def _error(abort: Json) -> Json:
    if "httpStatus" in abort:
        return {"http_status": abort["httpStatus"]}
    if "grpcStatus" in abort:
        return {"grpc_status": GRPC_STATUS.index(abort["grpcStatus"])}
    return {}


def _percentage(injection: Json) -> Json | None:
    percentage = injection.get("percentage")
    return None if percentage is None else fractional_percent(percentage.get("value") or 0)


def fractional_percent(percent: float) -> Json:
    """Translate a percentage."""
    return {"numerator": parts_of_a_million(percent), "denominator": "MILLION"}
