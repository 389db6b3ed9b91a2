"""Where the rules of two states differ: object by object, field by field, whatever it does.

What has the same meaning is the same: another order of keys or hosts, a host's short name or its
full one, another file, name or version of the API.
"""

from __future__ import annotations

import json
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs

from meshdemo.objects.kinds import KINDS
from meshdemo.rules.hosts import HostIndex
from meshdemo.suite import usable
from meshdemo.suite.changes.meaning import ORDERLESS, hosts_of, meaning

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from meshdemo.errors import Problem
    from meshdemo.objects.documents import FieldPath
    from meshdemo.objects.model import Object

COMPARED = usable.KINDS | {kind.name for kind in KINDS if not kind.local}
"""The kinds that decide what becomes of a request, also those that have no part in a private mesh;
not workloads, which are no rules."""


NAMELESS = ("DestinationRule", "ServiceEntry", "VirtualService")
"""The kinds that nothing refers to by their names, if they have hosts."""


class Side(Struct, frozen=True):
    """A field of an object in one of the states."""

    item: Object | None
    """None where the state has no such object."""
    path: FieldPath = ("spec",)
    """Where the field is not there: the part around it."""
    is_there: bool = True

    @property
    def place(self) -> Problem | None:
        """Say where it stands; without a field where it is not there."""
        if self.item is None:
            return None
        found = self.item.problem("", *self.path)
        return found if self.is_there else structs.replace(found, field="")


class Differing(Struct, frozen=True):
    """A field that is another one in the new state, or in one of them only."""

    old: Side
    new: Side

    @property
    def kind(self) -> str:
        item = self.new.item or self.old.item
        return item.kind if item else ""

    @property
    def path(self) -> FieldPath:
        """Where it stands in the new state, or else in the old one."""
        return self.new.path if self.new.item and self.new.is_there else self.old.path


def differing(old: Iterable[Object], new: Iterable[Object]) -> tuple[Differing, ...]:
    """Compare the specs of all objects that decide what becomes of requests."""
    before, after = ({o.key: o for o in of if o.kind in COMPARED} for of in (old, new))
    gone = [item for key, item in before.items() if key not in after]
    come = [item for key, item in after.items() if key not in before]
    _drop_renamed(gone, come, [*before.values(), *after.values()])
    both = [(before[key], after[key]) for key in before if key in after]
    return (
        *(each for pair in both for each in _of_object(*pair)),
        *(Differing(Side(item), Side(None)) for item in gone),
        *(Differing(Side(None), Side(item)) for item in come),
    )


def _drop_renamed(gone: list[Object], come: list[Object], every: Sequence[Object]) -> None:
    """Take out what only has another name, where nothing goes by its name."""
    by_host = HostIndex((hosts_of(item), item) for item in every)
    alike: dict[str, list[Object]] = {}
    for other in come:
        alike.setdefault(_without_name(other), []).append(other)
    for item in list(gone):
        same = alike.get(_without_name(item), [])
        near = by_host.overlapping(*hosts_of(item)) if same else ()
        rivals = {each.key for each in near if each.kind == item.kind}
        # Where others are for the same hosts the name may decide which comes first.
        if renamed := next((each for each in same if rivals <= {item.key, each.key}), None):
            gone.remove(item)
            come.remove(renamed)
            same.remove(renamed)


def _without_name(item: Object) -> str:
    """Write what an object is but for its name; with it where others refer to it by that."""
    is_nameless = item.kind in NAMELESS and hosts_of(item)
    name = "" if is_nameless else item.name
    return written([item.kind, item.namespace, name, meaning(item)])


def _of_object(old: Object, new: Object) -> Iterator[Differing]:
    sides = _fields(_Part(meaning(old), Side(old)), _Part(meaning(new), Side(new)))
    return (Differing(before.side, after.side) for before, after in sides)


class _Part(Struct, frozen=True):
    """A part of a spec, and where it stands; without a value where it is not there."""

    value: Any
    side: Side

    def at(self, name: str | int | None) -> _Part:
        """Give a part of it; None names none."""
        is_there = name is not None and (isinstance(self.value, list) or name in self.value)
        if not is_there:
            return _Part(None, structs.replace(self.side, is_there=False))
        return _Part(self.value[name], structs.replace(self.side, path=(*self.side.path, name)))


def _fields(old: _Part, new: _Part) -> Iterator[tuple[_Part, _Part]]:
    """Go down to the parts that differ; one that has nothing in common differs as a whole."""
    before, after = old.value, new.value
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict) and before.keys() & after.keys():
        for name in {**before, **after}:
            yield from _fields(old.at(name), new.at(name))
    elif _is_of_parts(before) and _is_of_parts(after):
        path = old.side.path
        order_counts = path[-1] not in ORDERLESS or path[1:2] in (("tcp",), ("tls",))
        for i, j in aligned([written(each) for each in before], [written(each) for each in after]):
            parts = old.at(i), new.at(j)
            if parts[0].value != parts[1].value:
                yield from _fields(*parts)
            elif order_counts:
                yield parts
    else:
        yield old, new


def _is_of_parts(value: Any) -> bool:  # noqa: ANN401 - YAML is any data
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


def written(value: Any) -> str:  # noqa: ANN401 - as above
    """Write a value so that equal ones are written alike."""
    return json.dumps(value, sort_keys=True, default=str)


def aligned(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int | None, int | None]]:
    """Pair those entries of two lists that are others now, or stand elsewhere.

    None stands for an entry that one of the lists has no counterpart for.
    """
    steps = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    blocks = [(range(i, k), range(j, m)) for step, i, k, j, m in steps if step != "equal"]
    places = {new[j]: j for _, right in blocks for j in right}
    moved = {
        i: j for left, _ in blocks for i in left if (j := places.pop(old[i], None)) is not None
    }
    yield from moved.items()
    kept = set(moved.values())
    for left, right in blocks:
        yield from zip_longest(
            (i for i in left if i not in moved), (j for j in right if j not in kept)
        )
