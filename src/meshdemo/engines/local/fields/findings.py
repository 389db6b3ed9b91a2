"""What reading the fields of an object brought to light, said in the words of their owner."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshdemo.engines.local import images
from meshdemo.objects.shapes import mismatch

if TYPE_CHECKING:
    from collections.abc import Collection

    from meshdemo.errors import Problem
    from meshdemo.objects.documents import FieldPath
    from meshdemo.objects.model import Object
    from meshdemo.objects.place import Place

MOST_NAMES = 8
"""So many names of fields are listed in a hint, when no close one is among them."""


@dataclass
class Findings:
    """What reading an object brought to light."""

    problems: list[Problem] = field(default_factory=list)
    unsupported: list[Problem] = field(default_factory=list)
    """What its owner takes and this engine does not."""
    idle: dict[str, None] = field(default_factory=dict)
    """The fields without effect, as ``Deployment spec.template.spec.containers[].resources``."""
    idle_kinds: dict[str, None] = field(default_factory=dict)
    """The kinds that have no effect as a whole."""
    _refused: set[FieldPath] = field(default_factory=set)
    """Where the unsupported ones stand."""

    def report(self, place: Place, message: str, hint: str = "") -> None:
        self.problems.append(place.problem(message, hint))

    def report_type(self, place: Place, wanted: str) -> None:
        """Say which type is wanted and which is there."""
        self.report(place, *mismatch(wanted, place.value))

    def report_unknown(self, place: Place, known: Collection[str]) -> None:
        close = closest(str(place.path[-1]), known)
        listed = f"known are {', '.join(sorted(known))}" if len(known) <= MOST_NAMES else ""
        hint = f"did you mean {close}?" if close else listed
        self.report(place, f"{owner(place)} does not know this field", hint)

    def report_unsupported(self, place: Place, what: str = "it", because: str = "") -> None:
        if images.is_spared(place.item, place.path):
            return  # it is about the inside of a container that has a stand-in
        reason = f": {because}" if because else " yet"
        message = f"{owner(place)} knows {what}, but the local engine does not support it{reason}"
        hint = "take it out, or use a cluster: --engine cluster"
        self.unsupported.append(place.problem(message, hint))
        self._refused.add(place.path)

    def note_kind(self, item: Object) -> None:
        """Remember that the whole kind has no effect here."""
        self.idle_kinds[item.kind] = None

    def is_refused(self, place: Place) -> bool:
        """Tell whether something around a place is unsupported: it is not said again for a part."""
        return any(place.path[:length] in self._refused for length in range(len(place.path)))

    def note_idle(self, place: Place, word: str = "") -> None:
        """Remember that the field, or this word as its value, has no effect here."""
        self.idle[f"{place.item.kind} {_pattern(place.path)} {word}".rstrip()] = None


def is_istio(place: Place) -> bool:
    """Tell whose field it is: Istio's, or else Kubernetes'."""
    return place.item.group.endswith("istio.io")


def owner(place: Place) -> str:
    """Name who decides what the field may hold."""
    return "Istio" if is_istio(place) else "Kubernetes"


def closest(name: str, known: Collection[str]) -> str:
    """Give the known name that was probably meant, or nothing."""
    folded = {item.lower(): item for item in known}
    found = difflib.get_close_matches(name.lower().replace("_", ""), folded, n=1, cutoff=0.7)
    return folded[found[0]] if found else ""


def _pattern(path: FieldPath) -> str:
    """Write a path for all items of its lists: ``spec.http[].route[].weight``."""
    parts = ["[]" if isinstance(part, int) else f".{part}" for part in path]
    return "".join(parts).removeprefix(".")
