"""Which objects have a part in a private mesh, and which cannot even be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.engines.local import fields
from meshdemo.engines.local.admission import judge
from meshdemo.engines.local.fields import gateway
from meshdemo.errors import in_order
from meshdemo.objects.kinds import NETWORKING_GROUP
from meshdemo.rules import gateways

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshdemo.errors import Problem
    from meshdemo.objects.model import Object

KINDS = frozenset({"Service", "ServiceEntry", "Sidecar", "VirtualService", "DestinationRule"})
"""What routes requests, beside workloads and Gateways."""
BESIDE = frozenset(
    {gateways.KIND, "Namespace", "ServiceAccount", "ConfigMap", "Secret", "Kustomization"}
)
"""What does not, and nobody wonders about."""


def is_used(item: Object) -> bool:
    """Tell whether it has a part in a mesh."""
    return item.kind in KINDS or (item.makes_pods and item.kind not in ("Job", "CronJob"))


def left_out(objects: Iterable[Object]) -> list[str]:
    """Name those that have none, and that somebody may miss."""
    return sorted({o.title for o in objects if not is_used(o) and o.kind not in BESIDE})


def unreadable(objects: Iterable[Object]) -> tuple[Problem, ...]:
    """Say all that is wrong with objects in which a value is of a wrong type: nobody can read on.

    Empty where all can be read: then the mesh says what is refused.
    """
    every = list(objects)
    used = [item for item in every if is_used(item)]
    problems = [
        problem
        for item in every
        if (item.group, item.kind) == (NETWORKING_GROUP, gateways.KIND)
        for problem in gateway.problems(item)
    ]
    if not problems and not any(fields.read(item).problems for item in used):
        return ()
    return in_order([*problems, *(problem for item in used for problem in judge(item).refused)])
