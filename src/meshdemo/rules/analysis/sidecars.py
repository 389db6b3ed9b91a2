"""Warnings about Sidecars that hold for the same pods: Istio follows one, and merges none. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.rules.hosts import within

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from meshdemo.errors import Problem
    from meshdemo.objects.place import Place
    from meshdemo.rules.analysis.inventory import Inventory

SAME_POD = "IST0110"
SEVERAL_FOR_ALL = "IST0111"


def sidecar_warnings(sidecar: Place, inventory: Inventory) -> Iterator[Problem]:
    """Compare a Sidecar with the others of its namespace."""
    item = sidecar.item
    mine = _selector(sidecar)
    for other in inventory.of("Sidecar"):
        if other.item.namespace != item.namespace or other.item.key == item.key:
            continue
        theirs = _selector(other)
        hint = f"of the two {_first(sidecar, other, inventory)} is followed, the older one or, "
        hint += "within one second, the first by name"
        if mine is None and theirs is None:
            message = f"{other.item.title} is for all pods of the namespace, too"
            yield sidecar["metadata"]["name"].problem(message, hint, SEVERAL_FOR_ALL)
        if mine is None or theirs is None:
            continue
        if any(
            namespace == item.namespace and within({**mine, **theirs}, labels)
            for namespace, labels in inventory.pods
            if all(mine.get(key, value) == value for key, value in theirs.items())
        ):
            message = f"{other.item.title} selects some of the same pods"
            yield sidecar["spec"]["workloadSelector"].problem(message, hint, SAME_POD)


def _selector(sidecar: Place) -> Mapping[str, str] | None:
    selector = sidecar["spec"]["workloadSelector"]
    return selector["labels"].texts if selector.there else None


def _first(one: Place, other: Place, inventory: Inventory) -> str:
    by_age = sorted((one.item, other.item), key=lambda item: (inventory.age(item), item.name))
    return by_age[0].title
