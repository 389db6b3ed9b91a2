"""What ``corsPolicy`` means: which origins are allowed, and who answers a preflight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshdemo.rules.http_matches import holds
from meshdemo.rules.request_headers import joined

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshdemo.rules.http_matches import Call


def origins(policy: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the conditions for origins, of which one must hold; ``allowOrigin`` is the old name."""
    old = [{"exact": origin} for origin in policy.get("allowOrigin") or ()]
    return list(policy.get("allowOrigins") or old)


def forwards_unmatched(policy: Mapping[str, Any]) -> bool:
    """Tell whether preflights from other origins go on to the app, which is the default."""
    return policy.get("unmatchedPreflights") != "IGNORE"


def answers(policy: Mapping[str, Any], call: Call) -> bool:
    """Tell whether the sidecar itself answers a request, as it does preflights.

    Source: ``CorsFilter::decodeHeaders`` in Envoy. Raises InputError if that cannot be decided.
    """
    origin = joined(call.headers.get("origin", ()))
    if call.method != "OPTIONS" or not origin:
        return False
    if not joined(call.headers.get("access-control-request-method", ())):
        return False
    if not forwards_unmatched(policy):
        return True
    return any(holds(each, "*") or holds(each, origin) for each in origins(policy))
