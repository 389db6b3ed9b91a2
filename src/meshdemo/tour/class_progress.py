"""How far a learner is, told to whoever teaches: a ConfigMap in the learner's namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.engines.protocol import CLUSTER
from meshdemo.tour import lessons

if TYPE_CHECKING:
    from meshdemo.engines.protocol import Engine
    from meshdemo.tour.progress import Desk


def tell(engine: Engine, desk: Desk) -> None:
    """Write the progress into the namespace, for ``class status``; without a cluster do nothing.

    The file in the state directory is what counts: where one may not write, nobody is told.
    """
    if engine.where.engine != CLUSTER:
        return
    from meshdemo.engines.cluster.classroom import progress  # noqa: PLC0415 - only on a cluster
    from meshdemo.engines.cluster.engine import ClusterEngine  # noqa: PLC0415 - the same

    if not isinstance(engine, ClusterEngine):
        return
    numbers = {lesson.name: lesson.number for lesson in lessons.every()}
    known = desk.progress
    last = known.last
    found = progress.Progress(
        numbers.get(known.lesson, 0),
        tuple(sorted(numbers[name] for name in known.passed if name in numbers)),
        progress.LastCheck(numbers[last.lesson], last.passed, last.at)
        if last and last.lesson in numbers
        else None,
    )
    progress.write(engine.kube, engine.where.namespace, found)
