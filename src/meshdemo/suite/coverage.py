"""Which http rules, matches and destinations the tests have touched, and which not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from meshdemo.objects.documents import field_name
from meshdemo.rules import delegates, hosts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from meshdemo.objects.documents import FieldPath
    from meshdemo.objects.model import Object
    from meshdemo.rules.request_trace import Destination, Trace

Json = dict[str, Any]
RULE, MATCH, DESTINATION = "rule", "match", "destination"


class Part(Struct, frozen=True):
    """A part of a VirtualService that requests may touch."""

    kind: str
    item: Object
    path: FieldPath

    @property
    def key(self) -> tuple[object, ...]:
        return (*self.item.key, *self.path)

    @property
    def file(self) -> str:
        return self.item.file

    @property
    def line(self) -> int:
        return self.item.line(*self.path)

    @property
    def field(self) -> str:
        return field_name(self.path)


class Coverage(Struct):
    """What is touched of some objects; it fills as requests are answered."""

    parts: tuple[Part, ...]
    touched: set[tuple[object, ...]] = field(default_factory=set)

    @classmethod
    def of(cls, objects: Iterable[Object]) -> Coverage:
        """Look for all parts of the VirtualServices."""
        return cls(tuple(part for item in objects for part in _parts(item)))

    @classmethod
    def union(cls, several: Iterable[Coverage]) -> Coverage:
        """Give what several files touched together: they may be about the same rules."""
        parts: dict[tuple[object, ...], Part] = {}
        touched: set[tuple[object, ...]] = set()
        for each in several:
            parts |= {part.key: part for part in each.parts}
            touched |= each.touched
        return cls(tuple(parts.values()), touched)

    @property
    def percent(self) -> float:
        """How much is touched; all of it where there is nothing."""
        return 100 * self.count / len(self.parts) if self.parts else 100.0

    @property
    def count(self) -> int:
        return sum(part.key in self.touched for part in self.parts)

    @property
    def untouched(self) -> list[Part]:
        return [part for part in self.parts if part.key not in self.touched]

    def add(self, trace: Trace, pods: Iterable[tuple[str, Mapping[str, str]]]) -> None:
        """Count what a request touched; ``pods`` got it, or copies of it: namespace and labels."""
        step = trace.chosen
        if step is None:
            return
        item, path = step.origin.item, step.origin.path
        self.touched.add((*item.key, *path))
        own = _at(item, path)
        if step.tried.match is not None:
            index = len(step.tried.failed)  # those before it were tried in vain
            if index < len(own.get("match") or ()):
                self.touched.add((*item.key, *path, "match", index))
        reached = list(pods)
        destinations = [*trace.destinations, *(each for _, each in trace.mirrors)]
        for name, at, written in _destinations(own):
            for each in destinations:
                if each.target.subset != (written.get("subset") or ""):
                    continue
                if _leads_to(written, item, each) and any(each.takes(*pod) for pod in reached):
                    self.touched.add((*item.key, *path, name, *at))


def _leads_to(written: Json, item: Object, destination: Destination) -> bool:
    """Tell whether a destination of a rule is the one that a request was sent to."""
    host = hosts.resolve(str(written.get("host", "")), item.namespace)
    port = written.get("port")
    number = port.get("number") if isinstance(port, dict) else None
    target = destination.target
    return host == target.host and number in (None, target.port)


def _parts(item: Object) -> Iterator[Part]:
    if item.kind != "VirtualService":
        return
    for number, http in enumerate(item.spec.get("http") or ()):
        path = ("spec", "http", number)
        if not delegates.hands_over(http):
            yield Part(RULE, item, path)
        for index, _ in enumerate(http.get("match") or ()):
            if not delegates.hands_over(http):
                yield Part(MATCH, item, (*path, "match", index))
        for name, at, _ in _destinations(http):
            yield Part(DESTINATION, item, (*path, name, *at))


def _destinations(http: Json) -> Iterator[tuple[str, tuple[int, ...], Json]]:
    """Give each destination of a rule, and where it stands in it."""
    for name in ("route", "mirrors"):
        entries = http.get(name)
        for index, each in enumerate(entries if isinstance(entries, list) else ()):
            yield name, (index,), each.get("destination") or {}
    mirror = http.get("mirror")
    if isinstance(mirror, dict):
        yield "mirror", (), mirror


def _at(item: Object, path: FieldPath) -> Json:
    found: Json = item.spec["http"][path[-1]]
    return found
