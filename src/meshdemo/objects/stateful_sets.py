"""How the pods of a StatefulSet are called: they keep their names, and DNS knows them by these."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.objects.model import Object


def pod_names(item: Object) -> Iterator[str]:
    """Give the name of each pod, its ordinal at the end; without ``replicas`` there is one."""
    first = (item.spec.get("ordinals") or {}).get("start") or 0
    replicas = item.spec.get("replicas")
    count = replicas if isinstance(replicas, int) else 1
    for ordinal in range(first, first + count):
        yield f"{item.name}-{ordinal}"
