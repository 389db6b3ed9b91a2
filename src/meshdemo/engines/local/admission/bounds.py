"""How much the local engine takes: far above what is meant, and below what ends in no time.

Each bound is said by its number, so that nobody waits for minutes to learn of it.
"""

from __future__ import annotations

from collections import Counter
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from meshdemo.engines.local import plan, pod_names
from meshdemo.objects.place import Place, top
from meshdemo.rules import service_entries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from meshdemo.errors import Problem
    from meshdemo.objects.documents import FieldPath
    from meshdemo.objects.model import Object

MOST_ITEMS = 1_000
"""Of one list."""
MOST_VALUES_OF_OBJECT = 20_000
"""Of one object: a cluster takes 1.5 MiB, which is about as much."""
MOST_OBJECTS = 5_000
"""Of all together: a thousand services, with a rule of each kind and room to spare."""
MOST_PODS = 200
"""Each is a process and an Envoy, with 70 MB."""
MOST_PORTS = 5_000
"""Of all Services: every sidecar has a cluster for each, and for each of its subsets."""
MOST_POD_PORTS = 1_000
"""Of all pods: each is a listener, and two ports on loopback."""


def size_problems(item: Object) -> Iterator[Problem]:
    """Judge the size of one object. What is too large is not to be looked at more closely."""
    count = 0
    for path, value in _values(item.data, ()):
        count += 1
        if isinstance(value, list) and len(value) > MOST_ITEMS:
            message = f"{len(value):,} items are more than the local engine takes: {MOST_ITEMS:,}"
            yield item.problem(message, *path)
    if count > MOST_VALUES_OF_OBJECT:
        message = f"the local engine takes {MOST_VALUES_OF_OBJECT:,} values in one object"
        yield item.problem(f"{count:,} values are too many: {message}")


def total_problems(objects: Sequence[Object], existing: Sequence[Object]) -> Iterator[Problem]:
    """Judge how much there will be of it all, once ``objects`` are beside what exists."""
    given = {item.key for item in objects}
    staying = [item for item in existing if item.key not in given]
    for count, most, what in _TOTALS:
        counted = [count(top(item)) for item in objects]
        total = sum(number for number, _ in (*counted, *(count(top(item)) for item in staying)))
        number, most_of_it = max(counted, key=itemgetter(0), default=(0, None))
        if number and most_of_it and total > most:
            message = f"in all there are {total:,} {what}, and the local engine takes {most:,}"
            yield most_of_it.problem(message)


def pod_port_problems(objects: Sequence[Object], existing: Sequence[Object]) -> Iterator[Problem]:
    """Judge how many ports the pods will have: those declared, and those that Services ask for."""
    every = {item.key: item for item in (*existing, *objects)}
    sizes: Counter[tuple[str, str, str]] = Counter()
    for blueprint in plan.blueprints(every.values()):
        sizes[plan.owner(blueprint.pod)] += len(blueprint.ports)

    def size(item: Object) -> int:
        return sizes[item.kind, item.namespace, item.name] or len(item.spec.get("ports") or ())

    if (total := sum(sizes.values())) > MOST_POD_PORTS:
        message = f"in all there are {total:,} ports of pods, and the local engine takes"
        yield max(objects, key=size).problem(f"{message} {MOST_POD_PORTS:,}")


def _values(value: Any, path: FieldPath) -> Iterator[tuple[FieldPath, Any]]:  # noqa: ANN401 - any data
    yield path, value
    inner = value.items() if isinstance(value, dict) else ()
    for name, below in enumerate(value) if isinstance(value, list) else inner:
        yield from _values(below, (*path, name))


def _objects(whole: Place) -> tuple[int, Place]:
    return 1, whole


def _pods(whole: Place) -> tuple[int, Place]:
    """Count the pods of an object, and say where it asks for so many."""
    spec = whole["spec"]
    count = pod_names.pod_count(whole.item)
    asked = (spec[name] for name in ("replicas", "completions", "parallelism") if name in spec)
    return count, next(asked, whole)


def _ports(whole: Place) -> tuple[int, Place]:
    ports = whole["spec"]["ports"]
    if whole.item.kind == service_entries.KIND:  # each host has them all
        return len(ports.items) * len(whole["spec"]["hosts"].items), ports
    return (len(ports.items), ports) if whole.item.kind == "Service" else (0, whole)


_TOTALS: tuple[tuple[Callable[[Place], tuple[int, Place]], int, str], ...] = (
    (_objects, MOST_OBJECTS, "objects"),
    (_pods, MOST_PODS, "pods"),
    (_ports, MOST_PORTS, "ports of Services"),
)
