"""Whether the rules leave open what comes of a request: then one answer proves nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.errors import InputError
from meshdemo.rules import http_choice
from meshdemo.rules.mirrors import mirrors_of

if TYPE_CHECKING:
    from meshdemo.suite.model import Expect, Source
    from meshdemo.suite.private_mesh import PrivateMesh
    from meshdemo.verdict.traffic import Request

ALWAYS = 100


def varies(mesh: PrivateMesh, request: Request, source: Source, expect: Expect) -> bool:
    """Tell whether a request that is sent again may get what is not the same for a test.

    It may go to another destination, or to another pod where those differ in what is looked at; a
    fault may hit one request and not the next.
    """
    path = mesh.path_of(request, source)
    try:
        parts = path.parts()
        own = sum(share < 1 for _, shares in parts for share in shares.values())
    except InputError:
        return False  # what is not promised to a version is certain: it is an error, or unknown
    if len(parts) > 1:
        return True
    if own and (_looks_at_pods(expect) or mesh.has_behaviours):
        return True
    dialled = path.dialled
    if dialled is None or dialled.rule is None:
        return False
    chosen = http_choice.chosen(dialled.rule, dialled.port, path.call)
    http = chosen.http if chosen else {}
    delay = (http.get("fault") or {}).get("delay") or {}
    percentage = (delay.get("percentage") or {}).get("value", delay.get("percent"))
    if percentage is not None and 0 < percentage < ALWAYS:
        return True
    return any(0 < each.percent < ALWAYS for each in mirrors_of(http))


def _looks_at_pods(expect: Expect) -> bool:
    """Tell whether it is about what differs between the pods of one destination."""
    inner = expect.none_of
    return bool(expect.versions or expect.bodies or (inner and (inner.versions or inner.bodies)))
