"""What an http rule makes of a request's path and host before an app sees it.

Source: ``applyHTTPRouteDestination`` in istiod's core/route/route.go, and Envoy's documentation of
RouteAction (prefix_rewrite, regex_rewrite, host_rewrite_literal).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

HOST_HEADERS = ("host", ":authority")


def path(http: Mapping[str, Any], match: Mapping[str, Any] | None, sent: str) -> str | None:
    """Give the path, without its query, that an app sees; None where only RE2 could tell."""
    rewrite = http.get("rewrite") or {}
    if regex := rewrite.get("uriRegexRewrite"):
        try:
            return re.sub(regex.get("match", ""), regex.get("rewrite", ""), sent, flags=re.ASCII)
        except (re.error, IndexError):
            return None
    wanted = rewrite.get("uri")
    if not wanted:
        return sent
    uri = (match or {}).get("uri") or {"prefix": "/"}
    # A path that was matched whole, or by a regex, is replaced whole.
    return str(wanted) + (sent[len(uri["prefix"]) :] if "prefix" in uri else "")


def authority(http: Mapping[str, Any], destination: Mapping[str, Any], sent: str) -> str:
    """Give the host that an app sees; ``destination`` is the one among the rule's routes.

    What the rule sets holds before what a destination sets where that is the only one, else after.
    """
    own = (http.get("rewrite") or {}).get("authority") or _as_header(http)
    inner = _as_header(destination)
    only = len(http.get("route") or ()) == 1
    return str((own or inner if only else inner or own) or sent)


def _as_header(part: Mapping[str, Any]) -> str:
    """Give the host that is set as if it were a header, set before add; empty if none."""
    wanted = (part.get("headers") or {}).get("request") or {}
    for action in ("set", "add"):
        for name, value in (wanted.get(action) or {}).items():
            if name.lower() in HOST_HEADERS and value:
                return str(value)
    return ""
