"""The pods of a private mesh: those that the objects ask for, each port on a free one here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.engines.local import plan
from meshdemo.engines.local.private import stand_ins

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

    from meshdemo.engines.local.model import PlannedPod
    from meshdemo.objects.model import Object


def placed(objects: Iterable[Object]) -> tuple[tuple[PlannedPod, ...], list[socket.socket]]:
    """Give the pods, and the sockets on which their ports are."""
    taken: list[socket.socket] = []

    def take(count: int) -> list[int]:
        taken.extend(stand_ins.sockets(count))
        return [each.getsockname()[1] for each in taken]

    return plan.place(plan.blueprints(objects), (), take), taken
