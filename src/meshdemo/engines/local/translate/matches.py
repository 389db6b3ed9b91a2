"""What an HTTP rule matches, as Envoy's route match.

Source: ``TranslateRouteMatch`` in istiod's core/route/route.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.rules.http_matches import ANY_VALUE

if TYPE_CHECKING:
    from meshdemo.engines.local.translate.resources import Json

EVERYTHING: Json = {"prefix": "/"}


def route_match(match: Json | None) -> Json:
    """Translate one match of a rule; None is a rule without any."""
    if match is None:
        return dict(EVERYTHING)
    found = _path(match.get("uri") or {})
    found["case_sensitive"] = not match.get("ignoreUriCase", False)
    if headers := _headers(match):
        found["headers"] = headers
    if parameters := match.get("queryParams"):
        found["query_parameters"] = [_named(name, parameters[name]) for name in sorted(parameters)]
    return found


def _path(uri: Json) -> Json:
    if "exact" in uri:
        return {"path": uri["exact"]}
    if "regex" in uri:
        return {"safe_regex": {"regex": uri["regex"]}}
    return {"prefix": uri.get("prefix", "/")}


def _headers(match: Json) -> list[Json]:
    found = [_named(name, wanted) for name, wanted in (match.get("headers") or {}).items()]
    found += [_absent(name, wanted) for name, wanted in (match.get("withoutHeaders") or {}).items()]
    found.sort(key=lambda header: str(header["name"]))
    for field in ("method", "authority", "scheme"):
        if field in match:
            found.append(_named(f":{field}", match[field]))
    return found


def _named(name: str, wanted: Json | None) -> Json:
    """Match a header or a query parameter; without a wanted value it need only be there."""
    if pattern := string_match(wanted or {}):
        return {"name": name, "string_match": pattern}
    return {"name": name, "present_match": True}


def _absent(name: str, unwanted: Json | None) -> Json:
    """Match what ``_named`` does not; a missing header has an empty value."""
    found = {**_named(name, unwanted), "invert_match": True}
    return found if "present_match" in found else {**found, "treat_missing_header_as_empty": True}


def string_match(wanted: Json) -> Json | None:
    """Translate a string match; None if any value will do."""
    if "exact" in wanted:
        return {"exact": wanted["exact"]}
    if "prefix" in wanted:
        return {"prefix": wanted["prefix"]}
    if "regex" in wanted and wanted["regex"] != ANY_VALUE:
        return {"safe_regex": {"regex": wanted["regex"]}}
    return None
