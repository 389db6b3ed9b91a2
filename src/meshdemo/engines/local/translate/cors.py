"""What a rule lets pages of other origins do (CORS), as the configuration of Envoy's filter.

Source: ``TranslateCORSPolicy`` in istiod's core/route/route.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.engines.local.translate.matches import string_match
from meshdemo.engines.local.translate.resources import typed
from meshdemo.objects import durations
from meshdemo.rules import cors

if TYPE_CHECKING:
    from meshdemo.engines.local.translate.resources import Json

FILTER = "envoy.filters.http.cors"
KIND = "envoy.extensions.filters.http.cors.v3.Cors"

LISTS = {
    "allowMethods": "allow_methods",
    "allowHeaders": "allow_headers",
    "exposeHeaders": "expose_headers",
}
"""What goes into a header of the answer as one text."""


def cors_policy(policy: Json) -> Json:
    """Translate a corsPolicy."""
    found = typed(
        "envoy.extensions.filters.http.cors.v3.CorsPolicy",
        allow_origin_string_match=[string_match(origin) for origin in cors.origins(policy)],
        filter_enabled={"default_value": {"numerator": 100}},
        forward_not_matching_preflights=cors.forwards_unmatched(policy),
    )
    for name, theirs in LISTS.items():
        if values := policy.get(name):
            found[theirs] = ",".join(values)
    if "allowCredentials" in policy:
        found["allow_credentials"] = policy["allowCredentials"]
    if age := durations.seconds(policy.get("maxAge") or ""):
        found["max_age"] = str(int(age))
    return found
