"""Warnings about http rules that are handed to a delegate: what Istio drops of them silently. Pure.

``istioctl analyze`` says nothing of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.errors import Problem
    from meshdemo.objects.place import Place
    from meshdemo.rules.analysis.inventory import Inventory

DROPPED = "Istio leaves this rule out, and those after it decide"
OTHERS_DROPPED = "Istio leaves the others out, and the rules after this one decide"


def delegate_warnings(service: Place, inventory: Inventory) -> Iterator[Problem]:
    """Look at the http rules of a VirtualService that name a delegate."""
    for rule in service["spec"]["http"].items:
        if "delegate" not in rule:
            continue
        namespace, _ = inventory.delegates.named_by(rule.value, service.item)
        handed = inventory.delegates.handed_over(rule.value, service.item)
        if handed.lost and inventory.namespace in ("", namespace):
            hint = OTHERS_DROPPED if handed.rules else DROPPED
            yield rule["delegate"].problem(handed.lost, hint)
