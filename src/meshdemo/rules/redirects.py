"""Where a redirect of an http rule leads: its port, and the Location of its answer.

Source: ``ApplyRedirect`` in istiod's core/route/route.go, and Envoy's documentation of
RedirectAction; ``newUri`` and ``processRequestHost`` of its router.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshdemo.rules import rewrites

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshdemo.rules.http_matches import Call

LOCATION = "location"
DEFAULT_PORTS = {"http": 80, "https": 443}


def target_port(redirect: Mapping[str, Any], port: int) -> int:
    """Give the port that a redirect of requests to ``port`` names; 0 where it names none."""
    derived = redirect.get("derivePort") == "FROM_REQUEST_PORT"
    target = port if derived else redirect.get("port") or 0
    return 0 if target == DEFAULT_PORTS.get(redirect.get("scheme") or "http") else target


def location(
    http: Mapping[str, Any], match: Mapping[str, Any] | None, call: Call, port: int
) -> str:
    """Give the Location that a request to a port is sent to, which a match of a rule takes.

    It is empty for a rule that redirects nothing, or that changes this header itself.
    """
    redirect = http.get("redirect")
    changes = (http.get("headers") or {}).get("response") or {}
    touched = (name.lower() for names in changes.values() for name in names or ())
    if not redirect or LOCATION in touched:
        return ""
    scheme = redirect.get("scheme") or call.scheme
    target = target_port(redirect, port)
    host = redirect.get("authority") or _own_host(call, scheme, keeps_port=not target)
    return f"{scheme}://{host}{f':{target}' if target else ''}{_path(redirect, match, call)}"


def _own_host(call: Call, scheme: str, *, keeps_port: bool) -> str:
    """Give the host that was called, without a port that another one or another scheme replaces."""
    host, colon, port = call.authority.rpartition(":")
    if not colon or "]" in port:
        return call.authority
    replaced = scheme != call.scheme and port == str(DEFAULT_PORTS[call.scheme])
    return call.authority if keeps_port and not replaced else host


def _path(redirect: Mapping[str, Any], match: Mapping[str, Any] | None, call: Call) -> str:
    """Give the path with its query: that of the request, unless the redirect has its own."""
    query = call.target[len(call.path) :]
    if prefix := redirect.get("prefixRewrite"):  # its matches are prefixes
        return f"{rewrites.path({'rewrite': {'uri': prefix}}, match, call.path)}{query}"
    uri = str(redirect.get("uri") or call.path)
    uri = uri if uri.startswith("/") else f"/{uri}"
    return uri if "?" in uri else f"{uri}{query}"
