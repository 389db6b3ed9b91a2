"""What one route of a VirtualService says beside where it leads, in words for both sides. Pure.

``wanted`` reads the rule, ``found`` what Envoy has; where they differ, istiod's answer to the rule
has not come yet. Only what istiod 1.10 to 1.32 writes alike is read: of a rule that says nothing of
retries, for instance, the number is the mesh's own, and not compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from meshdemo.objects import durations
from meshdemo.rules.hosts import full_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from meshdemo.engines.cluster.api.kube import Json

Details: TypeAlias = "dict[str, Any]"
"""Each detail by the name that a person knows it by."""

FAULT_FILTER = "envoy.filters.http.fault"
REDIRECT_CODES = {
    None: "MOVED_PERMANENTLY", 301: "MOVED_PERMANENTLY", 302: "FOUND", 303: "SEE_OTHER",
    307: "TEMPORARY_REDIRECT", 308: "PERMANENT_REDIRECT",
}  # fmt: skip
HUNDRED, TEN_THOUSAND, MILLION = 100, 10_000, 1_000_000
OLD_MATCHES = {"exact_match": "exact", "prefix_match": "prefix", "safe_regex_match": "safe_regex"}
"""How Envoy's older configuration spells what is ``string_match`` now."""


def differing(wanted: Details, found: Details) -> list[str]:
    """Name the details in which a route is not what a rule says."""
    return [name for name, value in wanted.items() if found.get(name) != value]


def wanted(
    http_rule: Mapping[str, Any], match: Mapping[str, Any] | None, namespace: str
) -> Details:
    """Say what a route must have that is made of an HTTP rule and one of its matches."""
    details = _wanted_match(match)
    details |= _wanted_fault(http_rule.get("fault") or {})
    if redirect := http_rule.get("redirect"):
        return details | _wanted_redirect(redirect)
    if direct := http_rule.get("directResponse"):
        text = (direct.get("body") or {}).get("string", "")
        return details | {"direct response": (direct.get("status"), text)}
    details["timeout"] = seconds(http_rule.get("timeout"))
    details["headers"] = _wanted_headers(http_rule)
    if "retries" in http_rule:
        details["retries"] = (http_rule["retries"] or {}).get("attempts") or 0
    rewrite = http_rule.get("rewrite") or {}
    details["rewrite"] = rewrite.get("uri") or (rewrite.get("uriRegexRewrite") or {}).get("rewrite")
    if authority := rewrite.get("authority"):
        details["authority"] = authority
    if not (
        {"mirrorPercent", "mirror_percent"} & http_rule.keys()
    ):  # no longer in the documentation
        details["mirrors"] = list(_wanted_mirrors(http_rule, namespace))
    return details


def found(route: Json) -> Details:
    """Read the same details, as ``wanted`` names them, from a route that Envoy has."""
    action = route.get("route") or {}
    details: Details = {
        **_found_match(route.get("match") or {}),
        **_found_fault((route.get("typed_per_filter_config") or {}).get(FAULT_FILTER) or {}),
        "timeout": seconds(action.get("timeout")),
        "headers": _found_headers(route, action),
        "retries": (action.get("retry_policy") or {}).get("num_retries", 0),
        "rewrite": action.get("prefix_rewrite")
        or (action.get("regex_rewrite") or {}).get("substitution"),
        "authority": action.get("host_rewrite_literal"),
        "mirrors": [
            (portless(m["cluster"]), _share((m.get("runtime_fraction") or {}).get("default_value")))
            for m in action.get("request_mirror_policies") or ()
        ],
    }
    if redirect := route.get("redirect"):
        path = redirect.get("path_redirect") or redirect.get("prefix_rewrite") or ""
        code = redirect.get("response_code", REDIRECT_CODES[None])
        details["redirect"] = (redirect.get("host_redirect", ""), path, code)
    if direct := route.get("direct_response"):
        text = (direct.get("body") or {}).get("inline_string", "")
        details["direct response"] = (direct.get("status"), text)
    return details


def seconds(text: object) -> float:
    """Read a duration as Go writes it; 0 if there is none."""
    return round(float(durations.seconds(str(text or "")) or 0), 6)


def portless(cluster: str) -> str:
    """``outbound|80|v2|app.default.svc.cluster.local`` without its port."""
    parts = cluster.split("|")
    return "|".join(parts[2:]) if len(parts) == 4 else cluster  # noqa: PLR2004 - as above


def target_name(destination: Mapping[str, Any], namespace: str) -> str:
    """Name a rule's destination in the same form."""
    host = full_name(str(destination.get("host")), namespace)
    return f"{destination.get('subset', '')}|{host}"


# --- which requests --------------------------------------------------------------------------


def _wanted_match(match: Mapping[str, Any] | None) -> Details:
    match = match or {}
    kinds = ("method", "authority", "scheme")
    headers = [(f":{kind}", _text(match[kind])) for kind in kinds if kind in match]
    for part in ("headers", "withoutHeaders"):
        headers += [(name, _text(value or {})) for name, value in (match.get(part) or {}).items()]
    queries = [
        (name, _text(value or {})) for name, value in (match.get("queryParams") or {}).items()
    ]
    uri = match.get("uri") or {}
    return {"path": _text(uri) or "/", "matches": sorted([*headers, *queries])}


def _found_match(match: Json) -> Details:
    conditions = [*(match.get("headers") or ()), *(match.get("query_parameters") or ())]
    path = match.get("prefix") or match.get("path") or _text(match)
    return {"path": path, "matches": sorted((c["name"], _text(c)) for c in conditions)}


def _text(match: Mapping[str, Any]) -> str:
    """Give what is compared with, as both sides spell it; empty where to be there suffices."""
    plain = match.get("string_match") or {
        OLD_MATCHES.get(name, name): value for name, value in match.items()
    }
    regex = (plain.get("safe_regex") or {}).get("regex") or plain.get("regex") or ""
    text = plain.get("exact") or plain.get("prefix") or regex
    return "" if text == "*" else str(text)


# --- faults and answers ----------------------------------------------------------------------


def _wanted_fault(fault: Mapping[str, Any]) -> Details:
    delay, abort = fault.get("delay") or {}, fault.get("abort") or {}
    details: Details = {}
    if not delay or "fixedDelay" in delay:
        share = _percent(delay.get("percentage"), delay.get("percent"))
        details["delay"] = (seconds(delay.get("fixedDelay")), share)
    if not abort or "httpStatus" in abort:
        details["abort"] = (abort.get("httpStatus"), _percent(abort.get("percentage")))
    return details


def _found_fault(fault: Json) -> Details:
    delay, abort = fault.get("delay") or {}, fault.get("abort") or {}
    return {
        "delay": (seconds(delay.get("fixed_delay")), _share(delay.get("percentage"))),
        "abort": (abort.get("http_status"), _share(abort.get("percentage"))),
    }


def _wanted_redirect(redirect: Mapping[str, Any]) -> Details:
    uri = redirect.get("uri") or redirect.get("prefixRewrite") or ""
    code = redirect.get("redirectCode") or None
    if "%" in uri or code not in REDIRECT_CODES:  # newer releases read more into these
        return {}
    return {"redirect": (redirect.get("authority", ""), uri, REDIRECT_CODES[code])}


def _wanted_mirrors(http_rule: Mapping[str, Any], namespace: str) -> Iterable[tuple[str, int]]:
    single = [
        {"destination": http_rule.get("mirror"), "percentage": http_rule.get("mirrorPercentage")}
    ]
    for mirror in [*(single if http_rule.get("mirror") else ()), *(http_rule.get("mirrors") or ())]:
        percentage = mirror.get("percentage")
        share = _percent(percentage) if percentage is not None else MILLION
        if share:
            yield target_name(mirror.get("destination") or {}, namespace), share


def _percent(percentage: Mapping[str, Any] | None, old: float | None = None) -> int:
    """Give a share in millionths, cut off as istiod does it."""
    if percentage is None:
        return int(old or 0) * TEN_THOUSAND
    return int(percentage.get("value", 0) * TEN_THOUSAND)


def _share(fraction: Json | None) -> int:
    denominator = {"TEN_THOUSAND": TEN_THOUSAND, "MILLION": MILLION}
    whole = denominator.get((fraction or {}).get("denominator", ""), HUNDRED)
    return int((fraction or {}).get("numerator", 0)) * MILLION // whole


# --- headers ---------------------------------------------------------------------------------


def _wanted_headers(http_rule: Mapping[str, Any]) -> list[str]:
    """List what is done to headers, by the rule and by its destinations."""
    routes = http_rule.get("route") or ()
    parts = [http_rule, *(r for r in routes if len(routes) == 1 or r.get("weight"))]
    done: list[str] = []
    for part in parts:
        for name, side in (part.get("headers") or {}).items():
            for verb in ("set", "add"):
                pairs = ((side or {}).get(verb) or {}).items()
                done += [f"{name} {key}: {value}" for key, value in pairs if _is_plain(key)]
            removed = (side or {}).get("remove") or ()
            done += [f"{name} -{key}" for key in removed if _is_plain(key)]
    return sorted(done)


def _found_headers(route: Json, action: Json) -> list[str]:
    clusters = (action.get("weighted_clusters") or {}).get("clusters") or ()
    done: list[str] = []
    for part in (route, *clusters):
        for name in ("request", "response"):
            added = [option["header"] for option in part.get(f"{name}_headers_to_add") or ()]
            done += [f"{name} {header['key']}: {header.get('value', '')}" for header in added]
            done += [f"{name} -{key}" for key in part.get(f"{name}_headers_to_remove") or ()]
    return sorted(done)


def _is_plain(header: str) -> bool:
    """Tell whether it is a header to Envoy: the host is something else."""
    return not header.startswith(":") and header.lower() != "host"
