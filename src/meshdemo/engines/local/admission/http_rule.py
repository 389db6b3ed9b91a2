"""Istio's admission of one http rule of a VirtualService.

Source: Istio's pkg/config/validation/virtualservice.go. Types, ranges and choices are the table's.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from meshdemo.engines.local.admission import names, regex
from meshdemo.engines.local.admission.http_rule_match import match_problems, regex_problems
from meshdemo.engines.local.admission.references import (
    authority_problems,
    destination_problems,
    header_problems,
    weight_problems,
)
from meshdemo.objects import durations
from meshdemo.rules.virtual_services import ANSWERS, LARGEST_BODY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.errors import Problem
    from meshdemo.objects.place import Place

RETRY_ON = frozenset(
    [
        "5xx",
        "gateway-error",
        "reset",
        "reset-before-request",
        "connect-failure",
        "retriable-4xx",
        "refused-stream",
        "retriable-status-codes",
        "retriable-headers",
        "envoy-ratelimited",
        "http3-post-connect-failure",
        "cancelled",
        "deadline-exceeded",
        "internal",
        "resource-exhausted",
        "unavailable",
    ]
)
KNOWN_STATUSES = frozenset(str(int(status)) for status in HTTPStatus)
REDIRECT_STATUSES = range(300, 400)
ENVOY_REDIRECT_CODES = (301, 302, 303, 307, 308)
"""Another one that Istio takes makes each sidecar reject all of its routes."""
PAST_ENVOYS_STATUSES = 600
"""The one status for an answer that Istio takes and Envoy does not, with the same effect."""


def rule_problems(rule: Place, *, in_mesh: bool, is_delegate: bool) -> Iterator[Problem]:
    """Judge one rule: the parts that exclude each other, then each part."""
    yield from _conflicts(rule, is_delegate=is_delegate)
    for match in rule["match"].items:
        yield from match_problems(match, in_mesh=in_mesh)
    yield from header_problems(rule["headers"])
    yield from authority_problems(rule["rewrite"], rule["headers"])
    for route in rule["route"].items:
        yield from header_problems(route["headers"])
        yield from destination_problems(route["destination"])
    yield from weight_problems(rule["route"])
    for name, judge in _PROBLEMS_BY_FIELD.items():
        if name in rule:
            yield from judge(rule[name])
    if "redirect" in rule:
        yield from _redirect_problems(rule["redirect"], rule["match"])


def rule_limits(rule: Place) -> Iterator[Problem]:
    """Refuse numbers that Istio takes and Envoy does not."""
    code = rule["redirect"]["redirectCode"]
    if code.number in REDIRECT_STATUSES and code.number not in ENVOY_REDIRECT_CODES:
        known = ", ".join(map(str, ENVOY_REDIRECT_CODES))
        yield code.problem(f"Istio takes {code.value}, but Envoy knows only {known}")
    for status in (rule["fault"]["abort"]["httpStatus"], rule["directResponse"]["status"]):
        if status.number == PAST_ENVOYS_STATUSES:
            yield status.problem(f"Istio takes {status.value}, but Envoy no status above 599")


def _conflicts(rule: Place, *, is_delegate: bool) -> Iterator[Problem]:
    has_route = not rule["route"].is_empty_list
    # A rule that delegates decides nothing itself, and a delegate must not delegate further.
    if "delegate" in rule and not is_delegate:
        for name in ("redirect", "route"):
            if name in rule and rule[name].value != []:
                yield rule[name].problem(f"a rule with a delegate cannot contain a {name}")
        return
    if "delegate" in rule:
        yield rule["delegate"].problem("the rule of a delegate cannot contain a delegate")
    answers = [name for name in ANSWERS if name in rule]
    for answer in answers:
        there = [name for name in ("fault", "rewrite") if name in rule]
        for name in ["route"] * has_route + there:
            yield rule[name].problem(f"a rule cannot contain both {name} and {answer}")
    if len(answers) > 1:
        yield rule.problem("a rule cannot contain both redirect and directResponse")
    if not answers and not has_route:
        yield rule.problem("a rule needs a route, a redirect or a directResponse")
    if "mirror" in rule and not rule["mirrors"].is_empty_list:
        yield rule["mirror"].problem("a rule cannot contain both mirror and mirrors")


def _fault_problems(fault: Place) -> Iterator[Problem]:
    if "abort" not in fault and "delay" not in fault:
        yield fault.problem("the fault has neither an abort nor a delay")
    for part, name in (("abort", "http2Error"), ("delay", "exponentialDelay")):
        if name in fault[part]:
            yield fault[part][name].problem("Istio refuses it: its schema names it, nothing more")


def _redirect_problems(redirect: Place, matches: Place) -> Iterator[Problem]:
    uri, prefix, code = redirect["uri"], redirect["prefixRewrite"], redirect["redirectCode"]
    if uri.text and prefix.text:
        yield redirect.problem("a redirect takes only one of uri and prefixRewrite")
    uris = [match["uri"] for match in matches.items]
    if prefix.text and any(each.there and "prefix" not in each for each in uris):
        yield prefix.problem("prefixRewrite wants every uri match to be a prefix")
    given = (uri.text, prefix.text, redirect["authority"].text, redirect["scheme"].text)
    if not any(given) and not ("port" in redirect or "derivePort" in redirect):
        yield redirect.problem("the redirect says no uri, authority, scheme or port")
    if code.number and code.number not in REDIRECT_STATUSES:
        yield code.problem(f"{code.value} is not a valid code for a redirect, which is a 3xx")
    scheme = redirect["scheme"]
    if scheme.text not in {"", "http", "https"}:
        yield scheme.problem(f'the scheme "{scheme.text}" is neither http nor https')


def _rewrite_problems(rewrite: Place) -> Iterator[Problem]:
    expression = rewrite["uriRegexRewrite"]
    if rewrite["uri"].text and expression.there:
        yield rewrite.problem("a rewrite takes only one of uri and uriRegexRewrite")
    if not (rewrite["uri"].text or expression.there or rewrite["authority"].text):
        yield rewrite.problem("the rewrite says no uri, uriRegexRewrite or authority")
    if not expression.there:
        return
    match = expression["match"]
    if not match.text or not expression["rewrite"].text:
        yield expression.problem("uriRegexRewrite needs both match and rewrite")
    elif wrong := regex.problem(match.text):
        yield match.problem(wrong)


def _retry_problems(retries: Place) -> Iterator[Problem]:
    others = [name for name in ("perTryTimeout", "retryRemoteLocalities") if name in retries]
    others += ["retryOn"] * bool(retries["retryOn"].text)
    attempts = retries["attempts"]
    # What is not a number has been refused by the table of types: one problem is enough.
    if not attempts.number and isinstance(attempts.value, int | None) and others:
        message = f"the attempts are 0, which means no retries, and {', '.join(others)} is set"
        yield retries.problem(message)
    if not retries["retryOn"].text:
        return
    for condition in retries["retryOn"].text.split(","):
        if condition not in RETRY_ON | KNOWN_STATUSES:
            yield retries["retryOn"].problem(f'"{condition}" is not a valid condition for retryOn')


def _cors_problems(cors: Place) -> Iterator[Problem]:
    for origin in cors["allowOrigins"].items:
        if not any(origin[kind].text for kind in ("exact", "prefix", "regex")):
            yield origin.problem("the origin is empty")
        else:
            yield from regex_problems(origin)
    for part in ("allowHeaders", "exposeHeaders"):
        for name in cors[part].items:
            if name.is_text and name.text != "*" and (wrong := names.header(name.text)):
                yield name.problem(wrong)
    yield from _whole_second_problems(cors["maxAge"])


def _whole_second_problems(age: Place) -> Iterator[Problem]:
    length = durations.seconds(age.text)
    # The header Access-Control-Max-Age has whole seconds.
    if length is not None and length > 0 and length.denominator != 1:
        yield age.problem(f'maxAge "{age.text}" is finer than a second')


def _direct_response_problems(response: Place) -> Iterator[Problem]:
    body = response["body"]
    # Bytes count, not characters; what YAML could spell and UTF-8 cannot is no reason to fail here.
    size = len(body["string"].text.encode(errors="replace"))
    if size > LARGEST_BODY:
        yield body["string"].problem(f"the body has {size:,} bytes, more than {LARGEST_BODY:,}")


def _mirrors_problems(mirrors: Place) -> Iterator[Problem]:
    for mirror in mirrors.items:
        yield from destination_problems(mirror["destination"])


_PROBLEMS_BY_FIELD = {
    "fault": _fault_problems,
    "rewrite": _rewrite_problems,
    "retries": _retry_problems,
    "corsPolicy": _cors_problems,
    "directResponse": _direct_response_problems,
    "mirror": destination_problems,
    "mirrors": _mirrors_problems,
}
"""How each part of a rule is judged by itself."""
