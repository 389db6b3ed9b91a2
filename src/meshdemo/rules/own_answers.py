"""Which requests a sidecar answers itself, in place of any pod."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from meshdemo.rules import cors
from meshdemo.rules.undecided import undecided

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshdemo.rules.http_matches import Call

MOVED = 301
"""The status of a redirect that names none."""
PREFLIGHT = 200
"""The status of an answer to a CORS preflight."""


class OwnAnswer(Struct, frozen=True):
    """A status that the sidecar answers with, and to which part of the requests."""

    status: int
    share: Fraction = Fraction(1)


def own_answers(http: Mapping[str, Any], call: Call) -> tuple[OwnAnswer, ...]:
    """Tell how an http rule has the sidecar itself answer a request; nothing where pods answer all.

    In the order of its filters: first what it aborts, then of the rest what never leaves it. Raises
    InputError if that cannot be decided.
    """
    aborted, status = _aborted(http), _status(http, call)
    found = [aborted] if aborted else []
    left = 1 - sum(each.share for each in found)
    if status and left:
        found.append(OwnAnswer(status, Fraction(left)))
    return tuple(found)


def _status(http: Mapping[str, Any], call: Call) -> int:
    """Give the status of an answer in the place of any pod's; 0 for none."""
    if redirect := http.get("redirect"):
        return redirect.get("redirectCode") or MOVED
    if response := http.get("directResponse"):
        return int(response["status"])
    return PREFLIGHT if cors.answers(http.get("corsPolicy") or {}, call) else 0


def _aborted(http: Mapping[str, Any]) -> OwnAnswer | None:
    abort = (http.get("fault") or {}).get("abort") or {}
    # Without a percentage or a status an abort does nothing.
    share = parts_of_a_million((abort.get("percentage") or {}).get("value") or 0)
    if share and abort.get("grpcStatus"):
        raise undecided("a rule aborts it with a status of gRPC")
    if share and abort.get("httpStatus"):
        return OwnAnswer(abort["httpStatus"], Fraction(share, 1_000_000))
    return None


def parts_of_a_million(percent: float) -> int:
    """Give a percentage as Envoy is told it; what is smaller than a millionth is cut off."""
    return int(percent * 10_000)
