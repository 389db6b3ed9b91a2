"""Which requests a sidecar answers itself, in place of any pod."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshdemo.rules import cors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshdemo.rules.http_matches import Call


def own_answer(http: Mapping[str, Any], call: Call) -> str:
    """Say how an http rule has the sidecar itself answer a request; empty where pods answer it.

    Raises InputError if that cannot be decided.
    """
    if http.get("redirect"):
        return "answers it by redirect"
    if response := http.get("directResponse"):
        return f"answers it itself, with {response.get('status')}"
    if http.get("delegate"):
        return "hands it to a delegate"
    abort = (http.get("fault") or {}).get("abort") or {}
    # Without a percentage or a status an abort does nothing.
    share = (abort.get("percentage") or {}).get("value", 0)
    if share and (abort.get("httpStatus") or abort.get("grpcStatus")):
        return f"aborts {share:g} % of the requests"
    if cors.answers(http.get("corsPolicy") or {}, call):
        return "answers it itself, as it is a CORS preflight"
    return ""
