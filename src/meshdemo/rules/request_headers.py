"""The headers of a request, as the conditions of rules see them in the client's sidecar.

A condition may name Envoy's pseudo-headers too, and ``host`` for ``:authority``: istiod hands every
name on as it is (``translateHeaderMatch`` in core/route), and Envoy has them among the headers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.rules.undecided import undecided

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from meshdemo.rules.http_matches import Call

_SET_BY_OTHERS = frozenset(
    {"accept", "accept-encoding", "connection", "host", "user-agent", "via", "x-request-id"}
)
"""Headers that client or sidecar set by themselves, to what nobody said."""
_SET_BY_OTHERS_PREFIXES = (":", "x-envoy-", "x-forwarded-", "x-b3-", "@request.")
_CHANGED_BY_SIDECARS = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"}
)
"""Headers about a connection: some of their values go no further than the sidecar's own filters."""
_CHANGED_BY_SIDECARS_PREFIX = "x-envoy-"
"""Of these a sidecar takes out some that a client sends."""
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
"""Methods for which some clients say that there is no body (``content-length: 0``), and some do
not, as curl."""


def of(headers: Sequence[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Give each header, by its name in small letters, with all of its values."""
    found: dict[str, tuple[str, ...]] = {}
    for name, value in headers:
        key = name.lower()
        found[key] = (*found.get(key, ()), value)
    return found


def values(call: Call, name: str) -> tuple[str, ...]:
    """Give the values that a condition is tried on; none where there is no such header.

    Raises InputError where client or sidecar set it, or change it, to what is not known.
    """
    key = name.lower()
    if (own := _pseudo_headers(call).get(key)) is not None:
        return (own,)
    found = call.headers.get(key, ())
    if found and (key in _CHANGED_BY_SIDECARS or key.startswith(_CHANGED_BY_SIDECARS_PREFIX)):
        raise undecided("a rule asks for the header {name}, which sidecars change", name=name)
    by_client = key == "content-length" and call.method in _WITH_BODY
    if not found and (
        by_client or key in _SET_BY_OTHERS or key.startswith(_SET_BY_OTHERS_PREFIXES)
    ):
        raise undecided(
            "a rule asks for the header {name}, which others set by themselves", name=name
        )
    return found


def _pseudo_headers(call: Call) -> Mapping[str, str]:
    return {
        ":method": call.method,
        ":scheme": call.scheme,
        ":authority": call.authority,
        "host": call.authority,
        ":path": call.target,
    }


def joined(values: Sequence[str]) -> str | None:
    """Give the values as one, as Envoy joins them; None where there are none."""
    return ",".join(values) if values else None


def fits(name: str, values: Sequence[str], holds: Callable[[str], bool]) -> bool:
    """Tell whether a condition holds for a header with these values, which may be several.

    Since 1.39 Envoy tries it on each of them, and one is enough; before, on all of them joined, and
    it still joins those of the headers that it keeps in a place of their own, as ``accept``. Raises
    InputError where that makes a difference.
    """
    if not values:
        return False
    each, whole = any(map(holds, values)), holds(",".join(values))
    if each != whole:
        raise undecided(
            "a rule asks for the header {name}, which is there more than once: an Envoy tries each "
            "of its values, one before 1.39 all of them joined",
            name=name,
        )
    return each
