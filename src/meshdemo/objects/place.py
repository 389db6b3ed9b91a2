"""One place inside of an object, to judge what is there whatever it is.

Asked for a type that a value does not have, a place gives what is empty. The table of fields says
which types are wrong, so rules need not ask again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from meshdemo.errors import Problem
    from meshdemo.objects.documents import FieldPath
    from meshdemo.objects.model import Object


class Place(Struct, frozen=True):
    """A value, and where it stands."""

    item: Object
    value: Any
    path: FieldPath = ()

    def __getitem__(self, name: str) -> Place:
        value = self.value.get(name) if isinstance(self.value, dict) else None
        return Place(self.item, value, (*self.path, name))

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
        return self.value if self.is_number else 0

    @property
    def is_number(self) -> bool:
        """Tell whether it is a number, whole or not; to Python a boolean is one as well."""
        return isinstance(self.value, int | float) and not isinstance(self.value, bool)

    @property
    def is_integer(self) -> bool:
        return isinstance(self.value, int) and not isinstance(self.value, bool)

    @property
    def items(self) -> list[Place]:
        """The items of a list that were written."""
        return [place for place in self.rows if place.there]

    @property
    def entries(self) -> dict[str, Place]:
        """What a mapping holds."""
        names = self.value if isinstance(self.value, dict) else {}
        return {str(name): Place(self.item, names[name], (*self.path, str(name))) for name in names}

    @property
    def texts(self) -> dict[str, str]:
        """The strings that a mapping holds."""
        return {name: place.text for name, place in self.entries.items() if place.is_text}

    @property
    def is_text(self) -> bool:
        return isinstance(self.value, str)

    @property
    def is_empty_list(self) -> bool:
        return self.value is None or self.value == []

    @property
    def rows(self) -> list[Place]:
        """All items of a list, also those that were left empty: their numbers count."""
        values = self.value if isinstance(self.value, list) else []
        return [Place(self.item, value, (*self.path, n)) for n, value in enumerate(values)]

    def problem(self, message: str, hint: str = "", code: str = "") -> Problem:
        return self.item.problem(message, *self.path, hint=hint, code=code)


def top(item: Object) -> Place:
    """Give the whole object."""
    return Place(item, item.data)
