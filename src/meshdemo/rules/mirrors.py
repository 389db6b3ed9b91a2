"""Where copies of requests go: ``mirror`` and ``mirrors``. Nobody waits for what they answer.

An app sees a copy as it sees the request: Istio adds no ``-shadow`` to its host since 1.28.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ALL = 100
OLD_SHARES = ("mirrorPercent", "mirror_percent")
"""The deprecated field, by both of its names."""


class Mirror(Struct, frozen=True):
    """One destination of copies."""

    destination: Mapping[str, Any]
    percent: float
    """So many of the requests are copied; 0 means none."""


def mirrors_of(http: Mapping[str, Any]) -> Iterator[Mirror]:
    """Give the mirrors of an http rule.

    Source: ``MirrorPercent`` and ``MirrorPercentByPolicy`` in istiod's core/route/route.go.
    """
    if destination := http.get("mirror"):
        yield Mirror(destination, _percent(http))
    for each in http.get("mirrors") or ():
        share = each.get("percentage")
        yield Mirror(each.get("destination") or {}, ALL if share is None else _value(share))


def _percent(http: Mapping[str, Any]) -> float:
    if "mirrorPercentage" in http:
        return _value(http["mirrorPercentage"])
    return next((http[name] for name in OLD_SHARES if name in http), ALL)


def _value(percentage: Mapping[str, Any]) -> float:
    return percentage.get("value") or 0
