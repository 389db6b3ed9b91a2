"""One place inside of an object, to judge what is there whatever it is.

The table of fields has said already which types are wrong; here a value of another type reads as
if it were empty, so that rules need not ask again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from meshdemo.errors import Problem
    from meshdemo.objects.documents import FieldPath
    from meshdemo.objects.model import Object


@dataclass(frozen=True)
class Node:
    """A value, and where it stands."""

    item: Object
    value: Any
    path: FieldPath = ()

    def __getitem__(self, name: str) -> Node:
        value = self.value.get(name) if isinstance(self.value, dict) else None
        return Node(self.item, value, (*self.path, name))

    def __contains__(self, name: str) -> bool:
        return self[name].there

    @property
    def there(self) -> bool:
        """Tell whether it was written, with whatever value."""
        return self.value is not None

    @property
    def text(self) -> str:
        return self.value if isinstance(self.value, str) else ""

    @property
    def number(self) -> float:
        is_number = isinstance(self.value, int | float) and not isinstance(self.value, bool)
        return self.value if is_number else 0

    @property
    def items(self) -> list[Node]:
        """The items of a list that were written."""
        return [node for node in self.rows if node.there]

    @property
    def entries(self) -> dict[str, Node]:
        """What a mapping holds."""
        names = self.value if isinstance(self.value, dict) else {}
        return {str(name): Node(self.item, names[name], (*self.path, str(name))) for name in names}

    @property
    def texts(self) -> dict[str, str]:
        """The strings that a mapping holds."""
        return {name: node.text for name, node in self.entries.items() if node.is_text}

    @property
    def is_text(self) -> bool:
        return isinstance(self.value, str)

    @property
    def is_empty_list(self) -> bool:
        return self.value is None or self.value == []

    @property
    def rows(self) -> list[Node]:
        """All items of a list, also those that were left empty: their numbers count."""
        values = self.value if isinstance(self.value, list) else []
        return [Node(self.item, value, (*self.path, n)) for n, value in enumerate(values)]

    def problem(self, message: str, hint: str = "", code: str = "") -> Problem:
        return self.item.problem(message, *self.path, hint=hint, code=code)


def top(item: Object) -> Node:
    """Give the whole object."""
    return Node(item, item.data)
