"""What of the rule that takes a request can be moved without an editor, and what comes of it. Pure.

Weights, a fault and a timeout, each where the rule has them in a form of one number or two; what it
says in another way stays as it is. What is moved becomes whole objects, to be applied as ``route``
applies them: nothing else of the rule is changed.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct

from meshdemo.errors import InputError
from meshdemo.language import said
from meshdemo.objects import durations
from meshdemo.rules.hosts import full_name, service_host
from meshdemo.rules.virtual_services import OTHER_ACTIONS
from meshdemo.verdict.expectation import Split

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from meshdemo.objects.model import Object
    from meshdemo.walkthrough.splits import Splitting

ALL = 100
_SPLIT_FIELDS = frozenset({"destination", "weight"})
_SUBSET_FIELDS = frozenset({"host", "subset"})

Percent = Annotated[float, Meta(gt=0, le=100)]
Weight = Annotated[int, Meta(ge=0, le=100)]
Seconds = Annotated[float, Meta(ge=0.001, le=3600)]
Status = Annotated[int, Meta(ge=200, le=599)]


class Abort(Struct, frozen=True, forbid_unknown_fields=True):
    """How many of the requests the sidecar answers itself, and with what."""

    percent: Percent
    status: Status


class Delay(Struct, frozen=True, forbid_unknown_fields=True):
    """How many of the requests the sidecar holds up, and for how long."""

    percent: Percent
    seconds: Seconds


class Position(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the levers stand. None: the rule says nothing of it."""

    weights: tuple[Weight, ...]
    """One for each way; they add up to 100, whatever numbers the rule divides by."""
    abort: Abort | None = None
    delay: Delay | None = None
    timeout: Seconds | None = None


class Way(Struct, frozen=True):
    """One destination: of the rule's own, or a version that it could name."""

    name: str
    place: int | None
    """Which of the rule's routes it is; None for a version that is not among them."""
    version: str = ""
    """The version, where the rule can lose it and get it back: nothing but a subset and a weight
    is said of it."""


class Levers(Struct, frozen=True):
    """The levers of one http rule as it is now."""

    splitting: Splitting
    known: tuple[str, ...]
    """The versions that the Service's pods have."""
    rule: Object | None
    """The VirtualService that has it; None where none does, and one is made."""
    number: int
    """Which of its http rules it is."""
    ways: tuple[Way, ...]
    position: Position
    kept: tuple[str, ...] = ()
    """What the rule says in a way that no lever has, so it stays."""

    @classmethod
    def of(
        cls, splitting: Splitting, known: Sequence[str], origin: tuple[Object, int] | None
    ) -> Levers:
        """Read them off a rule, or off none. Raises InputError for a rule that has none."""
        if origin is None:
            if not known:
                raise InputError(said("no pod of the Service has a label version"))
            splitting.refuse_rivals(splitting.route)
            ways = tuple(Way(version, None, version) for version in known)
            return cls(splitting, tuple(known), None, 0, ways, Position(_of_all([1] * len(ways))))
        rule, number = origin
        http = rule.spec["http"][number]
        if any(http.get(name) for name in OTHER_ACTIONS) or not http.get("route"):
            raise InputError(said("the rule that takes the request has no destinations of its own"))
        ways = tuple(_ways(splitting, known, rule, http))
        weights = _of_all([_weight(http["route"], way.place) for way in ways])
        abort, delay = _abort(http), _delay(http)
        seconds = durations.seconds(str(http.get("timeout") or "0"))
        position = Position(weights, abort, delay, float(seconds) if seconds else None)
        fault = http.get("fault") or {}
        kept = [name for name, read in (("abort", abort), ("delay", delay)) if fault.get(name)]
        kept = [name for name in kept if getattr(position, name) is None]
        if http.get("timeout") and not position.timeout:
            kept.append("timeout")
        return cls(splitting, tuple(known), rule, number, ways, position, tuple(kept))

    @property
    def base(self) -> str:
        """Tell this state of the rules from any other one."""
        near = [
            item
            for item in self.splitting.objects
            if item.kind == "DestinationRule" and item.namespace == self.splitting.namespace
        ]
        state = [
            [[item.key, item.spec] for item in ([self.rule] if self.rule else []) + near],
            self.number,
            [way.name for way in self.ways],
        ]
        return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def before(self) -> tuple[Object, ...]:
        """Give the objects that may be changed, as they are."""
        return tuple(
            item
            for item in self.splitting.objects
            if item.kind == "DestinationRule" or (self.rule and item.key == self.rule.key)
        )

    def moved(self, wanted: Position) -> tuple[Object, ...]:
        """Give the objects that put the levers there; none where they stand there already.

        Raises InputError for what cannot be.
        """
        if len(wanted.weights) != len(self.ways):
            counts = {"wanted": len(self.ways), "found": len(wanted.weights)}
            raise InputError(said("there are {wanted} weights, and not {found}", **counts))
        if sum(wanted.weights) != ALL:
            sums = {"found": sum(wanted.weights), "wanted": ALL}
            raise InputError(said("the weights add up to {found}, and not to {wanted}", **sums))
        for name in self.kept:
            if getattr(wanted, name) is not None:
                raise InputError(
                    said("{field} is said in a way that no lever has: edit the rule", field=name)
                )
        if self.rule is not None and wanted == self.position:
            return ()
        split = Split(
            tuple(
                (way.version, weight)
                for way, weight in zip(self.ways, wanted.weights, strict=True)
                if way.version and weight
            )
        )
        added = [way.version for way in self._added(wanted)]
        subsets = self.splitting.subsets(added, self.known) if added else []
        rule = self.rule or self.splitting.virtual_service(split)
        every = list(rule.spec["http"])
        every[self.number] = self._http(every[self.number], wanted)
        spec = {**rule.spec, "http": every}
        return (*subsets, rule.with_data({**rule.data, "spec": spec}))

    def _added(self, wanted: Position) -> Iterator[Way]:
        for way, weight in zip(self.ways, wanted.weights, strict=True):
            if way.place is None and weight:
                yield way

    def _http(self, http: Mapping[str, Any], wanted: Position) -> dict[str, Any]:
        found = dict(http)
        if self.rule is not None and wanted.weights != self.position.weights:
            found["route"] = self._routes(http["route"], wanted)
        fault = dict(found.get("fault") or {})
        if wanted.abort != self.position.abort:
            _put(fault, "abort", wanted.abort and _abort_fields(wanted.abort))
        if wanted.delay != self.position.delay:
            _put(fault, "delay", wanted.delay and _delay_fields(wanted.delay))
        _put(found, "fault", fault or None)
        if wanted.timeout != self.position.timeout:
            _put(found, "timeout", None if wanted.timeout is None else _seconds(wanted.timeout))
        return found

    def _routes(self, before: Sequence[Any], wanted: Position) -> list[dict[str, Any]]:
        weights = {
            way.place: (way, weight)
            for way, weight in zip(self.ways, wanted.weights, strict=True)
            if way.place is not None
        }
        routes = []
        for place, route in enumerate(before):
            way, weight = weights[place]
            if weight or not way.version:
                routes.append({**route, "weight": weight})
        routes += [
            {"destination": {"host": self.splitting.service, "subset": way.version}, "weight": w}
            for way, w in zip(self.ways, wanted.weights, strict=True)
            if way.place is None and w
        ]
        if len(routes) == 1:
            del routes[0]["weight"]  # as in the article: so `route v2` writes the same
        return routes


def _ways(
    splitting: Splitting, known: Sequence[str], rule: Object, http: Mapping[str, Any]
) -> Iterator[Way]:
    """Give the rule's destinations, and the versions that could join them, by their names."""
    own = service_host(splitting.service, splitting.namespace)
    found: list[Way] = []
    others = False
    for place, route in enumerate(http["route"]):
        destination = route.get("destination") or {}
        host, subset = str(destination.get("host", "")), str(destination.get("subset") or "")
        is_own = full_name(host, rule.namespace) == own
        others = others or not is_own
        plain = is_own and route.keys() <= _SPLIT_FIELDS and destination.keys() <= _SUBSET_FIELDS
        name = subset if subset and is_own else f"{subset} of {host}" if subset else host
        found.append(Way(name, place, subset if plain and subset in known else ""))
    named = {way.name for way in found}
    if not others and rule.namespace == splitting.namespace:
        found += [Way(version, None, version) for version in known if version not in named]
    yield from sorted(found, key=lambda way: way.name)


def _of_all(weights: Sequence[int]) -> tuple[int, ...]:
    """Give weights in whole per cent: rounded so that nothing is lost or added."""
    total, so_far = sum(weights) or 1, 0
    found = []
    for weight in weights:
        before, so_far = so_far, so_far + weight
        found.append(ALL * so_far // total - ALL * before // total)
    return tuple(found)


def _weight(routes: Sequence[Mapping[str, Any]], place: int | None) -> int:
    """Give the weight of one of a rule's routes; an only one gets all, whatever it says."""
    if place is None:
        return 0
    return ALL if len(routes) == 1 else int(routes[place].get("weight") or 0)


def _abort(http: Mapping[str, Any]) -> Abort | None:
    fault = (http.get("fault") or {}).get("abort") or {}
    status, share = fault.get("httpStatus"), _percent(fault)
    if not share or not isinstance(status, int) or "grpcStatus" in fault:
        return None
    return Abort(share, status)


def _delay(http: Mapping[str, Any]) -> Delay | None:
    fault = (http.get("fault") or {}).get("delay") or {}
    seconds, share = durations.seconds(str(fault.get("fixedDelay") or "0")), _percent(fault)
    return Delay(share, float(seconds)) if seconds and share else None


def _percent(fault: Mapping[str, Any]) -> float:
    percentage = fault.get("percentage")
    found = percentage.get("value") if isinstance(percentage, dict) else fault.get("percent")
    return float(found or 0)


def _abort_fields(abort: Abort) -> dict[str, Any]:
    return {"percentage": {"value": _number(abort.percent)}, "httpStatus": abort.status}


def _delay_fields(delay: Delay) -> dict[str, Any]:
    return {"percentage": {"value": _number(delay.percent)}, "fixedDelay": _seconds(delay.seconds)}


def _seconds(value: float) -> str:
    return f"{value:g}s"


def _number(value: float) -> float:
    """Give a whole number without a point, as people write it."""
    return int(value) if value == int(value) else value


def _put(where: dict[str, Any], name: str, value: object) -> None:
    if value is None:
        where.pop(name, None)
    else:
        where[name] = value
