"""What rules speak of and is not there, and which of them do not hold: a word about it. Pure.

Istio's own analyzer says much of it too, takes half a second for it, and wants to see
cluster-wide what a student may not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from meshdemo.objects.model import traffic_rules
from meshdemo.rules.analysis import analyzer
from meshdemo.rules.analysis.inventory import Inventory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshdemo.engines.results import Pod
    from meshdemo.errors import Problem
    from meshdemo.objects.model import Object

YET_TO_COME = "9999"
"""Later than all that is there: the server says when an object is created, not our clock."""


def warnings(
    objects: Sequence[Object], seen: Sequence[Object], pods: Sequence[Pod], namespace: str
) -> tuple[Problem, ...]:
    """Look at the rules among the objects, beside what is ``seen``: that of one namespace."""
    there = Inventory.after(objects, seen, YET_TO_COME)
    running = tuple((pod.namespace, pod.labels) for pod in pods)
    there = replace(there, running=running, namespace=namespace)
    return tuple(analyzer.warnings(traffic_rules(objects), there))
