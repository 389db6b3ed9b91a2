"""Istio's admission of load balancing by locality, ``region/zone/subzone``.

Source: Istio's pkg/config/validation/agent (ValidateLocalityLbSetting).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meshdemo.errors import Problem
    from meshdemo.objects.place import Place

TOPOLOGY = frozenset(
    {
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
        "topology.istio.io/subzone",
    }
)
ALL = 100


def problems(balancer: Place) -> Iterator[Problem]:
    """Judge both ways to say it, which exclude each other."""
    by_locality, by_zone = balancer["localityLbSetting"], balancer["zoneAwareLbSetting"]
    if by_locality.there and by_zone.there:
        yield by_zone.problem("localityLbSetting and zoneAwareLbSetting cannot be set together")
    distribute = by_locality["distribute"].items
    if distribute and by_locality["failover"].items:
        yield by_locality.problem("distribute and failover cannot be set together")
    for entry in distribute:
        yield from _weight_problems(entry["to"])
    yield from _overlaps([entry["from"] for entry in distribute])
    yield from _priority_problems(by_locality, only_with_failover=True)
    yield from _priority_problems(by_zone, only_with_failover=False)
    for setting in (by_locality, by_zone):
        for entry in setting["failover"].items:
            yield from _failover_problems(entry)


def _weight_problems(to: Place) -> Iterator[Problem]:
    weights = to.entries
    for weight in weights.values():
        if not 1 <= weight.number <= ALL:
            yield weight.problem(f"the weight of a locality is not in the range 1 to {ALL}")
    total = sum(weight.number for weight in weights.values())
    if total != ALL:
        yield to.problem(f"the weights of the localities sum to {total}, not to {ALL}")
    for locality, weight in weights.items():
        if wrong := _locality_problem(locality):
            yield weight.problem(wrong)
    for one, other in _overlapping(list(weights)):
        yield weights[other].problem(f'the localities "{one}" and "{other}" overlap')


def _overlaps(places: Sequence[Place]) -> Iterator[Problem]:
    for place in places:
        if place.is_text and (wrong := _locality_problem(place.text)):
            yield place.problem(wrong)
    named = {place.text: place for place in places}
    localities = [place.text for place in places]
    for one, other in _overlapping(localities):
        yield named[other].problem(f'the localities "{one}" and "{other}" overlap')


def _overlapping(localities: Sequence[str]) -> Iterator[tuple[str, str]]:
    for index, one in enumerate(localities):
        for other in localities[index + 1 :]:
            parts = [_significant(one), _significant(other)]
            length = min(map(len, parts))
            if parts[0][:length] == parts[1][:length]:
                yield one, other


def _significant(locality: str) -> list[str]:
    """Split a locality, without a ``*`` at its end."""
    return [part for part in locality.split("/", 2) if part != "*"]


def _locality_problem(locality: str) -> str:
    if not all(locality.split("/", 2)):
        return f'the locality "{locality}" has an empty part'
    if "*" in locality[:-1]:
        return f'the locality "{locality}" has a "*" that is not at its end'
    return ""


def _priority_problems(setting: Place, *, only_with_failover: bool) -> Iterator[Problem]:
    if only_with_failover and not setting["failover"].items:
        return
    for label in setting["failoverPriority"].items:
        if label.text in TOPOLOGY:
            yield label.problem(f'"{label.text}" cannot be in failoverPriority here')


def _failover_problems(entry: Place) -> Iterator[Problem]:
    origin, target = entry["from"], entry["to"]
    if origin.text == target.text:
        yield entry.problem("the failover goes to the region that it comes from")
    for place in (origin, target):
        if "/" in place.text or "*" in place.text:
            yield place.problem(f'"{place.text}" is not the name of a region')
