"""Admission: what a Kubernetes server with Istio would refuse, and what this engine cannot do.

Pure: objects in, findings out. All problems of all objects come together, each with its place.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.engines.local import fields
from meshdemo.engines.local.admission import (
    bounds,
    client_reach,
    config_data,
    destination_rule,
    metadata,
    policy_limits,
    service,
    virtual_service,
    workload,
)
from meshdemo.engines.local.fields import other_kinds
from meshdemo.engines.local.store import now
from meshdemo.errors import in_order
from meshdemo.objects.documents import without_nulls
from meshdemo.objects.model import WORKLOAD_KINDS, traffic_rules
from meshdemo.objects.place import top
from meshdemo.rules.analysis import analyzer
from meshdemo.rules.analysis.inventory import Inventory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshdemo.errors import Problem
    from meshdemo.objects.model import Object

_PROBLEMS_BY_KIND = {
    "Service": service.problems,
    "ConfigMap": config_data.problems,
    "Secret": config_data.problems,
    **dict.fromkeys((kind for kind in WORKLOAD_KINDS if kind in fields.TABLE), workload.problems),
    "DestinationRule": destination_rule.problems,
    "ServiceEntry": client_reach.entry_problems,
    "Sidecar": client_reach.sidecar_problems,
    "VirtualService": virtual_service.problems,
}

_LIMITS_BY_KIND = {
    "DestinationRule": policy_limits.problems,
    "VirtualService": virtual_service.limits,
}
"""What Istio takes and Envoy does not."""


class Admission(Struct, frozen=True):
    """What is to be said about some objects. With a problem none of them may be applied."""

    objects: tuple[Object, ...] = ()
    """They as a server stores them: what is null is not there."""
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    """What is accepted, as Istio accepts it, and probably not meant."""
    notes: tuple[str, ...] = ()
    """Fields without effect here, each named once."""


class Alone(Struct, frozen=True):
    """What is to be said about one object, whatever is beside it."""

    problems: tuple[Problem, ...]
    stored: Object | None = None
    """It as a server stores it; None if its kind is not known, or it is too large to be read."""
    idle: tuple[str, ...] = ()
    idle_kinds: tuple[str, ...] = ()


class Examiner:
    """Examines each object once, however often one command applies it."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str, str], tuple[Object, Alone]] = {}

    def examine(self, item: Object) -> Alone:
        """Examine an object, unless it is as it was the last time."""
        before = self._known.get(item.key)
        if before and before[0] == item:
            return before[1]
        found = _examine(item)
        self._known[item.key] = item, found
        return found


def admit(
    objects: Sequence[Object], existing: Sequence[Object], examiner: Examiner | None = None
) -> Admission:
    """Judge objects that shall be applied beside those that exist already."""
    problems: list[Problem] = []
    idle: dict[str, None] = {}
    idle_kinds: dict[str, None] = {}
    known = []
    examiner = examiner or Examiner()
    for item in objects:
        found = examiner.examine(item)
        problems += found.problems
        idle |= dict.fromkeys(found.idle)
        idle_kinds |= dict.fromkeys(found.idle_kinds)
        if found.stored:
            known.append(found.stored)
    problems += bounds.total_problems(known, existing)
    if not problems:  # else there may be no end of pods, or none that can be planned
        problems += bounds.pod_port_problems(known, existing)
    if problems:
        return Admission(problems=in_order(problems))
    notes = [f"{name} has no effect on the local engine" for name in idle]
    if idle_kinds:
        kept = "no effect on traffic, and are kept for get and delete"
        notes.insert(0, f"these kinds have {kept}: {', '.join(sorted(idle_kinds))}")
    notes += [*service.notes(known), *workload.notes(known)]
    given = {item.key for item in known}
    beside = [item for item in existing if item.kind == "Service" and item.key not in given]
    notes += client_reach.outside_notes([*known, *beside])
    return Admission(tuple(known), (), _warnings(known, existing), tuple(notes))


def _examine(item: Object) -> Alone:
    if item.kind in fields.TABLE and (too_large := tuple(bounds.size_problems(item))):
        return Alone(too_large)
    findings = fields.read(item)
    problems = [*findings.problems, *findings.unsupported]
    idle, idle_kinds = tuple(findings.idle), tuple(findings.idle_kinds)
    if not fields.is_known(item):
        return Alone(tuple(problems), None, idle, idle_kinds)
    stored = _as_stored(item)
    whole = top(stored)
    problems += metadata.problems(whole)
    if judge := _PROBLEMS_BY_KIND.get(item.kind):
        problems += judge(whole)
    if limits := _LIMITS_BY_KIND.get(item.kind):
        problems += limits(whole)
    return Alone(tuple(problems), stored, idle, idle_kinds)


def _warnings(known: Sequence[Object], existing: Sequence[Object]) -> tuple[Problem, ...]:
    inventory = Inventory.after(known, existing, now())
    found = analyzer.warnings(known, inventory)
    for item in known:
        if item.kind == "VirtualService":
            found += virtual_service.gateway_warnings(top(item))
            found += virtual_service.subnet_warnings(top(item), inventory)
        found += filter(None, [other_kinds.warning(item)])
    return tuple(found)


def _as_stored(item: Object) -> Object:
    """Give an object as a server stores it: without nulls, a Secret's values all in base64."""
    data = without_nulls(item.data)
    before, written = data.get("data") or {}, data.get("stringData")
    if item.kind != "Secret" or not isinstance(written, dict) or not isinstance(before, dict):
        return item.with_data(data)
    encoded = {
        key: base64.b64encode(str(value).encode()).decode() for key, value in written.items()
    }
    rest = {name: value for name, value in data.items() if name != "stringData"}
    return item.with_data({**rest, "data": {**before, **encoded}})


class Judged(Struct, frozen=True):
    """What others than this engine have against one object."""

    item: Object
    """It as a server stores it."""
    refused: tuple[Problem, ...] = ()
    """What its owner refuses, Istio or Kubernetes."""
    rejected: tuple[Problem, ...] = ()
    """What Istio takes, and Envoy is known not to."""
    unseen: tuple[Problem, ...] = ()
    """The fields that this engine does not translate, so that no Envoy of ours sees them."""


def judge(item: Object) -> Judged:
    """Judge an object as it is judged elsewhere, also in fields that this engine does not support.

    What it would take to run a workload here does not count, nor does how much this engine takes.
    """
    findings = fields.read(item)
    if not fields.is_known(item):
        return Judged(item, tuple(findings.problems))
    stored = _as_stored(item)
    whole = top(stored)
    refused = [*findings.problems, *metadata.problems(whole)]
    if not item.makes_pods and item.kind in _PROBLEMS_BY_KIND:
        refused += _PROBLEMS_BY_KIND[item.kind](whole)
    limits = _LIMITS_BY_KIND.get(item.kind)
    rejected = tuple(limits(whole)) if limits else ()
    return Judged(stored, in_order(refused), rejected, tuple(findings.unsupported))


def istio_problems(objects: Sequence[Object]) -> tuple[Problem, ...]:
    """Give what Istio itself has against rules, also in fields that this engine does not support.

    A cluster asks it where its own Istio cannot say so, or says it without the field's place.
    """
    problems: list[Problem] = []
    for item in traffic_rules(objects):
        problems += fields.read(item).problems
        if fields.is_known(item):
            stored = item.with_data(without_nulls(item.data))
            problems += _PROBLEMS_BY_KIND[item.kind](top(stored))
    return in_order(problems)
