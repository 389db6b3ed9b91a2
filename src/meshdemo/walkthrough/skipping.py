"""Kinds that are left out of the user's objects, as ``--skip Gateway`` says; and that is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from meshdemo.objects import kinds
from meshdemo.walkthrough.events import Note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.objects.model import Object


class Skipping(Struct, frozen=True):
    """Which kinds are left out, and which objects that were."""

    words: tuple[str, ...] = ()
    """As kubectl takes them: ``Gateway``, ``gw``, ``gateways.networking.istio.io``."""
    left_out: dict[str, None] = field(default_factory=dict)
    """The titles of objects, as they are read."""

    def keeps(self, item: Object) -> bool:
        """Tell whether an object is not left out; remember it if it is."""
        kind = kinds.of(item.kind, str(item.data.get("apiVersion")))
        if not any(kind.is_called(word) for word in self.words):
            return True
        self.left_out[item.title] = None
        return False

    def notes(self) -> Iterator[Note]:
        """Say what was left out."""
        if self.left_out:
            titles = ", ".join(self.left_out)
            yield Note(f"left out by --skip, so not in effect here: {titles}", warning=True)
        elif self.words:
            yield Note(f"--skip {' --skip '.join(self.words)}: nothing is of this kind")
