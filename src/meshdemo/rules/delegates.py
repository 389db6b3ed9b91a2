"""Delegates: VirtualServices without hosts, whose http rules others take in.

What a sidecar gets is the whole: the rules of the one with hosts, each ``delegate`` in it replaced
by the delegate's own rules. Everything that asks what a rule means reads that (``whole``).

Source: ``mergeVirtualServices`` in istiod's model/virtualservice_controller.go, and
``MergeHTTPRoutes`` in its model/virtualservice.go.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct

from meshdemo.rules import hosts, visibility
from meshdemo.rules.delegate_matches import merged_matches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from meshdemo.objects.model import Object

Json: TypeAlias = "dict[str, Any]"
Key: TypeAlias = "tuple[str, str]"
"""The namespace and name of a VirtualService."""

INHERITED = (
    "rewrite",
    "directResponse",
    "timeout",
    "retries",
    "fault",
    "mirror",
    "mirrors",
    "mirrorPercentage",
    "mirrorPercent",
    "mirror_percent",
    "corsPolicy",
    "headers",
)
"""What a delegate's rule takes over where it says nothing itself."""


class HandedOver(Struct, frozen=True):
    """What becomes of an http rule that hands its requests to a delegate."""

    rules: tuple[Json, ...] = ()
    """What a sidecar gets in its place."""
    numbers: tuple[int, ...] = ()
    """Which of the delegate's rules each of them is, counted from 0."""
    lost: str = ""
    """Why it gets nothing, or not all of the delegate's rules; istiod drops them silently."""


class Origin(Struct, frozen=True):
    """Where an http rule that a sidecar gets was written."""

    item: Object
    number: int
    """Which of that object's http rules it is, counted from 0."""

    @property
    def path(self) -> tuple[str | int, ...]:
        return ("spec", "http", self.number)


class Delegates(Struct, frozen=True, dict=True):
    """The VirtualServices that may be delegates, among others."""

    known: Mapping[Key, Object]

    @classmethod
    def among(cls, objects: Iterable[Object]) -> Delegates:
        """Look for them among objects of any kind."""
        rules = [item for item in objects if item.kind == "VirtualService"]
        return cls({(rule.namespace, rule.name): rule for rule in rules})

    def whole(self, root: Object) -> Object:
        """Give a VirtualService with the rules of its delegates, as a sidecar gets it."""
        if not any(hands_over(http) for http in root.spec.get("http") or ()):
            return root
        found = [http for http, _ in self.rules_of(root)]
        return root.with_data({**root.data, "spec": {**root.spec, "http": found}})

    def rules_of(self, root: Object) -> Iterator[tuple[Json, Origin]]:
        """Give the http rules that a sidecar gets of a VirtualService, and where each stands."""
        for number, http in enumerate(root.spec.get("http") or ()):
            if not hands_over(http):
                yield http, Origin(root, number)
                continue
            handed = self.handed_over(http, root)
            for rule, own in zip(handed.rules, handed.numbers, strict=True):
                yield rule, Origin(self.known[self.named_by(http, root)], own)

    def handed_over(self, http: Json, root: Object) -> HandedOver:
        """Merge an http rule of a VirtualService with the rules of the delegate that it names."""
        key = self.named_by(http, root)
        if not key[1]:
            return HandedOver(lost="the delegate has no name")
        title = f"VirtualService {'/'.join(key)}"
        delegate = self.known.get(key)
        if delegate is None:
            return HandedOver(lost=f"{title} is not there")
        if not is_delegate(delegate):
            return HandedOver(lost=f"{title} has hosts of its own, so it is no delegate")
        exported = visibility.exported_to(delegate.spec.get("exportTo") or (), delegate.namespace)
        if not visibility.sees(exported, root.namespace):
            return HandedOver(lost=f"{title} is not exported to namespace {root.namespace}")
        own = list(delegate.spec.get("http") or ())
        if key[0] != root.namespace:  # else a short name means the same there
            own = [in_full(rule, key[0]) for rule in own]
        handing = _gateways_in_full(http, root.namespace)
        merged = [_merged(handing, _gateways_in_full(rule, key[0])) for rule in own]
        kept = tuple(rule for rule in merged if rule is not None)
        numbers = tuple(number for number, rule in enumerate(merged) if rule is not None)
        many = "none" if not kept else f"{len(kept)} of {len(merged)}"
        conflict = f"{many} of the rules of {title} match no more than this rule does"
        return HandedOver(kept, numbers, conflict if len(kept) < len(merged) else "")

    def handing_to(self, delegate: Object) -> Iterator[tuple[Object, HandedOver]]:
        """Give the VirtualServices that hand requests to a delegate, and what comes of it."""
        for root, http in self._handing.get((delegate.namespace, delegate.name), ()):
            yield root, self.handed_over(http, root)

    @cached_property
    def _handing(self) -> dict[Key, list[tuple[Object, Json]]]:
        """The rules that hand requests over, by the delegates that they name."""
        found: dict[Key, list[tuple[Object, Json]]] = {}
        for root in self.known.values():
            for http in () if is_delegate(root) else root.spec.get("http") or ():
                if hands_over(http):
                    found.setdefault(self.named_by(http, root), []).append((root, http))
        return found

    @staticmethod
    def named_by(http: Json, root: Object) -> Key:
        """Give the key of the delegate that an http rule names; its namespace is the rule's."""
        named = http["delegate"]
        return str(named.get("namespace") or root.namespace), str(named.get("name", ""))


def hands_over(http: Mapping[str, Any]) -> bool:
    """Tell whether an http rule has a delegate: also one that names none, which is never there."""
    return http.get("delegate") is not None


def is_delegate(rule: Object) -> bool:
    """Tell whether it is a VirtualService that holds only through others."""
    return rule.kind == "VirtualService" and not rule.spec.get("hosts")


def in_full(http: Json, own: str) -> Json:
    """Write the short names of an http rule in full, as its namespace ``own`` knows them."""
    found = dict(http)
    if mirror := http.get("mirror"):
        found["mirror"] = _destination_in_full(mirror, own)
    for field in ("route", "mirrors"):
        if entries := http.get(field):
            found[field] = [
                {**each, "destination": _destination_in_full(each.get("destination") or {}, own)}
                for each in entries
            ]
    return found


def _destination_in_full(destination: Json, namespace: str) -> Json:
    return {**destination, "host": hosts.resolve(str(destination.get("host", "")), namespace)}


def _gateways_in_full(http: Json, namespace: str) -> Json:
    """Write the gateways that its matches name with their namespaces, so that they compare."""
    if not any(match.get("gateways") for match in http.get("match") or ()):
        return http
    matches = [
        {
            **match,
            "gateways": [
                hosts.gateway_in_full(name, namespace) for name in match.get("gateways") or ()
            ],
        }
        for match in http["match"]
    ]
    return {**http, "match": matches}


def _merged(root: Json, delegate: Json) -> Json | None:
    """Merge one rule of a delegate with the rule that hands over; None if their matches conflict.

    A redirect, a route or a further delegate of the one that hands over would not be taken over.
    """
    matches = merged_matches(root.get("match") or [], delegate.get("match") or [])
    if matches is None:
        return None
    found = {**delegate, "match": matches}
    if name := "-".join(filter(None, (root.get("name"), delegate.get("name")))):
        found["name"] = name
    for field in INHERITED:
        if field in root and not _is_there(delegate, field):
            found[field] = root[field]
    return found


def _is_there(http: Json, field: str) -> bool:
    """Tell whether a rule says something itself; an empty list says nothing."""
    return http.get(field) not in (None, [])
