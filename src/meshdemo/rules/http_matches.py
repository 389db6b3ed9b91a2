"""Whether the conditions of HTTP rules hold for a client, and for a request of it.

The meaning is Istio's (``HTTPMatchRequest``), as its sidecar's Envoy applies it.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec import Struct

from meshdemo.errors import InputError
from meshdemo.language import said
from meshdemo.rules import request_headers
from meshdemo.rules.hosts import HTTP_PORT, MESH
from meshdemo.rules.undecided import undecided

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from meshdemo.verdict.traffic import Request

ANY_VALUE = "*"
"""As a regex this is none: Istio takes it for "whatever it is, if it is there"."""
HTTPS_PORT = 443


class Call(Struct, frozen=True):
    """A request and where it comes from, in the terms of a rule's conditions."""

    host: str
    port: int
    authority: str
    path: str
    query: Mapping[str, str]
    target: str
    """Path and query together, as the request line has them."""
    method: str
    headers: Mapping[str, tuple[str, ...]]
    """The values of each, by its name in small letters."""
    namespace: str
    """The client's."""
    labels: Mapping[str, str]
    """The client's."""
    scheme: str = "http"

    @classmethod
    def of(
        cls,
        request: Request,
        namespace: str,
        labels: Mapping[str, str],
        *,
        at_gateway: bool = False,
    ) -> Call:
        """Take a request apart; raises InputError for one that no rule can be tried on.

        Only a gateway may be called by https: there TLS ends.
        """
        try:
            url = urlsplit(request.url)
            port = url.port or (HTTPS_PORT if url.scheme == "https" else HTTP_PORT)
        except ValueError as error:
            message = said("{url} is not a valid URL: {error}", url=request.url, error=error)
            raise InputError(message) from error
        if (
            url.scheme not in ("http", "tcp", *(["https"] if at_gateway else []))
            or not url.hostname
        ):
            message = said("{url} is not a URL of the form http://HOST/PATH", url=request.url)
            raise InputError(message)
        if {".", ".."} & set(url.path.lower().replace("%2e", ".").split("/")):
            raise undecided("its path has '.' or '..' in it, which a sidecar resolves")
        headers = request_headers.of(request.headers)
        if "host" in headers:
            raise undecided("it has a Host header of its own")
        path = _normal(url.path or "/")
        return cls(
            host=url.hostname,
            port=port,
            authority=url.netloc.rpartition("@")[2].removesuffix(":80"),
            path=path,
            query=_first_values(url.query),
            target=f"{path}?{url.query}" if url.query else path,
            method=request.method,
            headers=headers,
            namespace=namespace,
            labels=labels,
            scheme="https" if url.scheme == "https" else "http",
        )


class Condition(Struct, frozen=True):
    """One condition of a match, tried on a client or a request."""

    path: tuple[str, ...]
    """Where it stands in the match, as ``("headers", "x-user")``."""
    wanted: Any
    """What the match says there."""
    found: str | None
    """What the client or the request has; None where it has nothing of the kind."""
    holds: bool


def client_conditions(
    match: Mapping[str, Any], port: int, namespace: str, labels: Mapping[str, str]
) -> Iterator[Condition]:
    """Try what istiod decides for each sidecar and port, before any request."""
    if wanted := match.get("port"):
        yield Condition(("port",), wanted, str(port), wanted == port)
    if gateways := match.get("gateways"):  # then it ignores where the request comes from
        yield Condition(("gateways",), gateways, MESH, MESH in gateways)
        return
    if wanted := match.get("sourceNamespace"):
        yield Condition(("sourceNamespace",), wanted, namespace, wanted == namespace)
    for name, value in (match.get("sourceLabels") or {}).items():
        found = labels.get(name)
        yield Condition(("sourceLabels", name), value, found, found == value)


def is_for_client(
    match: Mapping[str, Any], port: int, namespace: str, labels: Mapping[str, str]
) -> bool:
    """Tell whether a client's sidecar gets a match for a port."""
    return all(each.holds for each in client_conditions(match, port, namespace, labels))


def takes_everything(match: Mapping[str, Any]) -> bool:
    """Tell whether no request ever gets past a match: istiod writes no route behind it.

    Source: ``IsCatchAllRoute`` in istiod's core/route. A port or a source is no condition here:
    what they leave out the sidecar does not get at all.
    """
    uri = match.get("uri") or {}
    if not (not uri or uri.get("prefix") == "/" or uri.get("regex") == ".*"):
        return False
    if any(name in match for name in ("method", "authority", "scheme")):
        return False
    return not any(match.get(name) for name in ("headers", "withoutHeaders", "queryParams"))


def with_matches(http_rules: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Any, Any]]:
    """Give each HTTP rule with each of its matches, None for a rule without any."""
    return ((http, match) for http in http_rules for match in http.get("match") or [None])


def reachable(pairs: Iterable[tuple[Any, Any]]) -> Iterator[tuple[Any, Any]]:
    """Give those that requests get to: up to the first match that takes every one."""
    for http, match in pairs:
        yield http, match
        if match is None or takes_everything(match):
            return


def takes(match: Mapping[str, Any] | None, call: Call) -> bool:
    """Tell whether a match that the client's sidecar has takes the request; None takes all."""
    return match is None or all(each.holds for each in conditions(match, call))


def conditions(match: Mapping[str, Any], call: Call) -> Iterator[Condition]:
    """Try one condition after the other, those last that may be impossible to decide."""
    if wanted := match.get("uri"):
        yield Condition(("uri",), wanted, call.path, _path_holds(match, call.path))
    told = {"scheme": call.scheme, "method": call.method, "authority": call.authority}
    for name, value in told.items():
        if name in match:
            yield Condition((name,), match[name], value, holds(match[name], value))
    for name, wanted in (match.get("queryParams") or {}).items():
        found = call.query.get(name)
        yield Condition(("queryParams", name), wanted, found, holds(wanted, found))
    for name, wanted in (match.get("headers") or {}).items():
        values = request_headers.values(call, name)
        right = request_headers.fits(name, values, partial(holds, wanted))
        yield Condition(("headers", name), wanted, request_headers.joined(values), right)
    for name, wanted in (match.get("withoutHeaders") or {}).items():
        values = request_headers.values(call, name)
        # A header that is missing counts as an empty one, except where presence is asked for.
        missing = () if _is_presence(wanted) else ("",)
        wrong = request_headers.fits(name, values or missing, partial(holds, wanted))
        found = request_headers.joined(values)
        yield Condition(("withoutHeaders", name), wanted, found, not wrong)


def _path_holds(match: Mapping[str, Any], path: str) -> bool:
    condition = match["uri"]
    if match.get("ignoreUriCase") and "regex" not in condition:
        condition = {kind: text.lower() for kind, text in condition.items()}
        path = path.lower()
    return holds(condition, path)


def holds(condition: Mapping[str, str] | None, value: str | None) -> bool:
    """Apply a StringMatch; None is a value that is not there."""
    if value is None or not condition or _is_presence(condition):
        return value is not None
    if "exact" in condition:
        return value == condition["exact"]
    if "prefix" in condition:
        return value.startswith(condition["prefix"])
    return _matches(condition["regex"], value)


def _is_presence(condition: Mapping[str, str] | None) -> bool:
    return not condition or condition.get("regex") == ANY_VALUE


def _matches(regex: str, value: str) -> bool:
    """Match as RE2 does; what only RE2 knows cannot be decided here."""
    try:
        if "[:" in regex:
            raise undecided("the regex {regex} cannot be tried here", regex=regex)
        return re.fullmatch(regex, value, re.ASCII) is not None
    except re.error as error:
        raise undecided(
            "the regex {regex} cannot be tried here: {error}", regex=regex, error=error
        ) from error


def _normal(path: str) -> str:
    """Decode what may stand in a path as it is: Envoy does so before it matches.

    Source: ``normalize_path`` of Envoy's HttpConnectionManager; it follows RFC 3986, section 6.2.2.
    """

    def plain(code: re.Match[str]) -> str:
        letter = chr(int(code[1], 16))
        return letter if re.fullmatch(r"[A-Za-z0-9_~-]", letter) else code[0]

    return re.sub("%([0-9A-Fa-f]{2})", plain, path)


def _first_values(query: str) -> dict[str, str]:
    """Take a query apart as Envoy does: the first value counts, nothing is decoded."""
    values: dict[str, str] = {}
    for part in query.split("&") if query else ():
        name, _, value = part.partition("=")
        values.setdefault(name, value)
    return values
