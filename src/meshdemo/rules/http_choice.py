"""Which http rule of a VirtualService takes a request, and what keeps it from those before."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from meshdemo.errors import InputError
from meshdemo.rules.http_matches import Call, Condition, client_conditions, conditions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from meshdemo.rules.virtual_services import VirtualService


class Tried(Struct, frozen=True):
    """One http rule, tried on a request."""

    number: int
    """Which of the VirtualService's rules it is, as a sidecar gets them, counted from 0."""
    http: Mapping[str, Any]
    failed: tuple[Condition, ...]
    """Of each match before the one that takes it, the first condition that does not hold."""
    match: Mapping[str, Any] | None = None
    """The match that takes the request; None where none does, and for a rule without any."""

    @property
    def takes(self) -> bool:
        return self.match is not None or not self.http.get("match")


def tried(rule: VirtualService, port: int, call: Call) -> Iterator[Tried]:
    """Try the rules in their order, up to the first that takes a request to a port.

    Raises InputError from the iterator where that cannot be decided.
    """
    for number, http in enumerate(rule.http):
        failed: list[Condition] = []
        taking = None
        for written in http.get("match") or ():
            match = written or {}
            wrong = next((each for each in _all(match, port, call) if not each.holds), None)
            if wrong is None:
                taking = match
                break
            failed.append(wrong)
        found = Tried(number, http, tuple(failed), taking)
        yield found
        if found.takes:
            return


def chosen(rule: VirtualService, port: int, call: Call) -> Tried | None:
    """Give the rule that takes a request; None if none does. Raises InputError."""
    return next((each for each in tried(rule, port, call) if each.takes), None)


class Near(Struct, frozen=True):
    """A rule that does not take a request, and what is all that keeps it from it."""

    number: int
    differing: tuple[Condition, ...]


def closest(rule: VirtualService, port: int, call: Call) -> Near | None:
    """Give the rule of which the fewest conditions fail; of several the one where most hold."""
    found: list[tuple[int, int, Near]] = []
    for number, http in enumerate(rule.http):
        for match in http.get("match") or ():
            known: list[Condition] = []
            with suppress(InputError):  # what cannot be decided differs in nothing that is known
                known.extend(_all(match or {}, port, call))
            wrong = tuple(each for each in known if not each.holds)
            if wrong:
                found.append((len(wrong), len(wrong) - len(known), Near(number, wrong)))
    return min(found, key=lambda each: each[:2])[2] if found else None


def _all(match: Mapping[str, Any], port: int, call: Call) -> Iterator[Condition]:
    """Try what istiod decides for a sidecar, then what the sidecar decides for a request."""
    yield from client_conditions(match, port, call.namespace, call.labels)
    yield from conditions(match, call)
