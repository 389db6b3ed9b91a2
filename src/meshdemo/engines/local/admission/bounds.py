"""How much the local engine takes: far above what is meant, and below what ends in no time.

Each bound is said by its number, so that nobody waits for minutes to learn of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshdemo.engines.node import Node, top

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from meshdemo.documents import FieldPath
    from meshdemo.errors import Problem
    from meshdemo.manifests import Object

MOST_ITEMS = 1_000
"""Of one list."""
MOST_VALUES = 20_000
"""Of one object: a cluster takes 1.5 MiB, which is about as much."""
MOST_OBJECTS = 1_000
MOST_PODS = 200
"""Each is a process and an Envoy, with 70 MB."""
MOST_PORTS = 1_000
"""Of all Services: for each of them every sidecar has a cluster, and its pods have listeners."""


def size_problems(item: Object) -> Iterator[Problem]:
    """Judge the size of one object. What is too large is not to be looked at more closely."""
    count = 0
    for path, value in _values(item.data, ()):
        count += 1
        if isinstance(value, list) and len(value) > MOST_ITEMS:
            message = f"{len(value):,} items are more than the local engine takes: {MOST_ITEMS:,}"
            yield item.problem(message, *path)
    if count > MOST_VALUES:
        message = f"the local engine takes {MOST_VALUES:,} values in one object"
        yield item.problem(f"{count:,} values are too many: {message}")


def total_problems(objects: Sequence[Object], existing: Sequence[Object]) -> Iterator[Problem]:
    """Judge how much there will be of it all, once ``objects`` are beside what exists."""
    given = {item.key for item in objects}
    staying = [item for item in existing if item.key not in given]
    for count, most, what in _TOTALS:
        total = sum(count(top(item))[0] for item in staying)
        for item in objects:
            number, node = count(top(item))
            total += number
            if number and total > most:
                message = f"with it there are {total:,} {what}, and the local engine takes {most:,}"
                yield node.problem(message)
                break


def _values(value: Any, path: FieldPath) -> Iterator[tuple[FieldPath, Any]]:  # noqa: ANN401 - any data
    yield path, value
    inner = value.items() if isinstance(value, dict) else ()
    for name, below in enumerate(value) if isinstance(value, list) else inner:
        yield from _values(below, (*path, name))


def _objects(whole: Node) -> tuple[int, Node]:
    return 1, whole


def _pods(whole: Node) -> tuple[int, Node]:
    """Count the pods of an object, and say where it asks for so many."""
    replicas = whole["spec"]["replicas"]
    asked = replicas.value if isinstance(replicas.value, int) else 1  # else it is refused anyway
    return (asked, replicas) if whole.item.makes_pods else (0, whole)


def _ports(whole: Node) -> tuple[int, Node]:
    ports = whole["spec"]["ports"]
    return (len(ports.items), ports) if whole.item.kind == "Service" else (0, whole)


_TOTALS: tuple[tuple[Callable[[Node], tuple[int, Node]], int, str], ...] = (
    (_objects, MOST_OBJECTS, "objects"),
    (_pods, MOST_PODS, "pods"),
    (_ports, MOST_PORTS, "ports of Services"),
)
