"""How istio-config-validator finds the rule for a request, which is not how Istio does it.

It is asked only to say where its tests agreed with something that no mesh does. Source: its
``GetRoute`` and ``matchRequest`` (internal/pkg/unit).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from meshdemo.rules.delegates import Delegates, HandedOver
from meshdemo.rules.hosts import is_wildcard

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from meshdemo.objects.model import Object
    from meshdemo.suite.others.taking import Taken
    from meshdemo.verdict.traffic import Request

Json = dict[str, Any]

UNKNOWN = (
    "withoutHeaders",
    "queryParams",
    "port",
    "scheme",
    "sourceLabels",
    "sourceNamespace",
    "gateways",
)
"""Conditions that it does not look at, so that it takes rules that do not hold."""


def found(rules: Sequence[Object], request: Request) -> tuple[Object, Json] | None:
    """Give the rule that it takes for a request, and the VirtualService that the rule is in."""
    url = urlsplit(request.url)
    asked = {"authority": url.netloc, "uri": url.path, "method": request.method}
    headers = dict(request.headers)
    for item in rules:
        if url.netloc not in (item.spec.get("hosts") or ()):
            continue
        for http in item.spec.get("http") or ():
            matches = http.get("match") or []
            if not matches or any(_holds(match or {}, asked, headers) for match in matches):
                return item, http
    return None


def _holds(match: Json, asked: Mapping[str, str], headers: Mapping[str, str]) -> bool:
    for name, wanted in (match.get("headers") or {}).items():
        if name not in headers or not _matches(wanted, headers[name]):
            return False
    return all(name not in match or _matches(match[name], asked[name]) for name in asked)


def _matches(wanted: Any, value: str) -> bool:  # noqa: ANN401 - YAML is any data
    """Apply a StringMatch as it does: what is empty never matches."""
    wanted = wanted or {}
    if exact := wanted.get("exact"):
        return bool(exact == value)
    if prefix := wanted.get("prefix"):
        return value.startswith(str(prefix))
    try:
        regex = wanted.get("regex")
        return bool(regex) and re.search(f"^{regex}$", value) is not None
    except re.error:
        return False


def differences(rules: Sequence[Object], request: Request, taken: Taken | None) -> list[str]:
    """Say why it takes another rule than a mesh does; nothing where it takes the same."""
    own = found(rules, request)
    if own is None or taken is None:
        is_same = own is None and taken is None
    else:
        handed = _handed_over(rules, *own)
        is_same = own[0].key == taken.rule.key and taken.http in (own[1], *handed.rules)
    if is_same:
        return []
    reasons = [*_of_its_own(rules, own), *_of_the_real(request, own, taken)]
    return reasons or ["it finds another rule than the mesh"]


def _handed_over(rules: Sequence[Object], item: Object, http: Json) -> HandedOver:
    """Give what becomes of a rule with a delegate; of any other one nothing."""
    if "delegate" not in http:
        return HandedOver()
    return Delegates.among(rules).handed_over(http, item)


def _of_its_own(rules: Sequence[Object], own: tuple[Object, Json] | None) -> Iterator[str]:
    """Say why a mesh does not take the rule that it takes."""
    if own is None:
        return
    matches = [match or {} for match in own[1].get("match") or ()]
    for name in UNKNOWN:
        if any(name in match for match in matches):
            yield f"it does not look at {name}"
    if "delegate" in own[1]:
        lost = _handed_over(rules, *own).lost
        yield f"it does not see that {lost or 'the delegate has matches of its own'}"


def _of_the_real(
    request: Request, own: tuple[Object, Json] | None, taken: Taken | None
) -> Iterator[str]:
    """Say why it does not take the rule that a mesh takes."""
    if taken is None:
        return
    host, named = urlsplit(request.url).netloc, taken.rule.spec.get("hosts") or ()
    if host not in named:
        kind = "wildcard" if any(map(is_wildcard, named)) else "short or full names"
        yield f"it knows no {kind}: {host} does not stand in hosts as it is"
        return
    match = taken.match or {}
    if match.get("ignoreUriCase"):
        yield "it does not look at ignoreUriCase"
    sent = {name for name, _ in request.headers}
    if {name for name in match.get("headers") or {} if name not in sent}:
        yield "it tells names of headers apart by their capitals"
    conditions = [
        *(match.get("headers") or {}).values(),
        *(match[n] for n in ("uri",) if n in match),
    ]
    if any(not any((each or {}).values()) for each in conditions):
        yield "a condition that is empty never holds there, and always does in Istio"
    if own and own[0].key != taken.rule.key:
        yield f"it looks at {own[0].title} first, and {taken.rule.title} takes precedence"
