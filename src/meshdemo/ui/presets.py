"""Requests to begin with: one for each rule, derived from its matches as ``diff`` derives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from msgspec.structs import replace

from meshdemo.errors import InputError
from meshdemo.rules import hosts
from meshdemo.suite.changes import probing
from meshdemo.suite.model import Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.ui.scene import Scene
    from meshdemo.verdict.traffic import Request


def presets(scene: Scene) -> list[dict[str, Any]]:
    """Give a request that each rule takes, and one that none takes, where there is one."""
    found: dict[str, dict[str, Any]] = {}
    rule = scene.trace.dialled.rule if scene.trace.dialled else None
    wanted = len(rule.http) if rule else 0
    for request in _requests(scene):
        try:
            trace = replace(scene.context, request=request).traced()
        except InputError:
            continue  # one that nobody can send
        if trace.undecided:
            continue
        taking = f"http[{trace.chosen.tried.number}]" if trace.chosen else ""
        if taking not in found:
            path = urlunsplit(("", "", *urlsplit(request.url)[2:]))
            words = [request.method, path, *(f"{n}: {v}" for n, v in request.headers)]
            found[taking] = {
                "rule": taking,
                "title": " ".join(words),
                "method": request.method,
                "url": request.url,
                "headers": [list(header) for header in request.headers],
            }
        if len(found) > wanted:
            break
    return sorted(
        found.values(), key=lambda each: (not each["rule"], len(each["rule"]), each["rule"])
    )


def _requests(scene: Scene) -> Iterator[Request]:
    """Give the request itself, and those to the same host that the matches make."""
    own = scene.context.request
    yield own
    if not scene.winner:
        return
    namespace = scene.context.sender.namespace
    scheme, place = urlsplit(own.url)[:2]
    for probe in probing.derived([scene.context.objects], namespace).every:
        if probe.source != Source() or hosts.dialled(probe.host, namespace) != scene.trace.called:
            continue
        parts = urlsplit(probe.request.url)
        if parts.hostname == probe.host:  # as it is called now, with its port
            parts = parts._replace(scheme=scheme, netloc=place)
        yield replace(probe.request, url=urlunsplit(parts), wants_headers=False)
