"""Where a field of the input stands, and what was found there so far."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from meshdemo.objects.shapes import mismatch

if TYPE_CHECKING:
    from collections.abc import Collection

    from meshdemo.errors import Problem
    from meshdemo.objects.documents import FieldPath
    from meshdemo.objects.model import Object

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


@dataclass(frozen=True)
class Place:
    """One field of one object."""

    item: Object
    findings: Findings
    path: FieldPath = ()
    refused: bool = False
    """What is around it is refused already: it is not said again for each part."""

    @property
    def is_istio(self) -> bool:
        """Tell whose field it is: Istio's, or else Kubernetes'."""
        return self.item.group.endswith("istio.io")

    @property
    def owner(self) -> str:
        return "Istio" if self.is_istio else "Kubernetes"

    def at(self, *path: str | int) -> Place:
        return replace(self, path=(*self.path, *path))

    def report(self, message: str, hint: str = "") -> None:
        self.findings.problems.append(self.item.problem(message, *self.path, hint=hint))

    def report_type(self, wanted: str, value: Any) -> None:  # noqa: ANN401 - a field holds any data
        """Say which type is wanted and which is there."""
        self.report(*mismatch(wanted, value))

    def report_unknown(self, name: str, known: Collection[str]) -> None:
        close = closest(name, known)
        listed = f"known are {', '.join(sorted(known))}" if len(known) <= MOST_NAMES else ""
        self.at(name).report(
            f"{self.owner} does not know this field", f"did you mean {close}?" if close else listed
        )

    def report_unsupported(self, what: str = "it") -> None:
        message = f"{self.owner} knows {what}, but the local engine does not support it yet"
        hint = "take it out, or use a cluster: --engine cluster"
        self.findings.unsupported.append(self.item.problem(message, *self.path, hint=hint))

    def note_idle(self) -> None:
        """Remember that the field has no effect here."""
        self.findings.idle[f"{self.item.kind} {pattern(self.path)}"] = None


def pattern(path: FieldPath) -> str:
    """Write a path for all items of its lists: ``spec.http[].route[].weight``."""
    parts = ["[]" if isinstance(part, int) else f".{part}" for part in path]
    return "".join(parts).removeprefix(".")


def closest(name: str, known: Collection[str]) -> str:
    """Give the known name that was probably meant, or nothing."""
    folded = {item.lower(): item for item in known}
    found = difflib.get_close_matches(name.lower().replace("_", ""), folded, n=1, cutoff=0.7)
    return folded[found[0]] if found else ""
