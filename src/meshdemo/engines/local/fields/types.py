"""The words in which the table of fields is written: what a field may hold, what becomes of it."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from meshdemo.objects import durations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshdemo.engines.local.fields.reading import Place

INT32 = 2**31 - 1
UINT32 = 2**32 - 1


class Standing(Enum):
    """What the local engine makes of a field."""

    HONOURED = "honoured"
    IDLE = "without effect here"
    UNSUPPORTED = "not supported here"


class Type(Protocol):
    """What a field may hold."""

    def read(self, value: Any, place: Place) -> None:  # noqa: ANN401 - a field holds any data
        """Report what is wrong with a value, and what is inside of it."""


@dataclass(frozen=True)
class Row:
    """One field: what it may hold, and what becomes of it."""

    standing: Standing
    type: Type
    required: bool = False

    def read(self, value: Any, place: Place) -> None:  # noqa: ANN401 - a field holds any data
        if value is None:
            return  # a server drops it: of its own kinds, and of others where it has their schema
        if self.standing is Standing.IDLE and value not in ({}, [], ""):
            place.note_idle()
        if self.standing is Standing.UNSUPPORTED and not place.refused:
            if value == [] or (not value and not place.is_istio):
                return  # an empty list says nothing, and of Kubernetes' own no empty field does
            place.report_unsupported()
            place = replace(place, refused=True)
        self.type.read(value, place)


def yes(kind: Type, *, required: bool = False) -> Row:
    """Say that a field is honoured, if what is around it is."""
    return Row(Standing.HONOURED, kind, required=required)


def later(kind: Type | None = None) -> Row:
    """Say that a field is refused as not supported; with its type, its value is judged too."""
    return Row(Standing.UNSUPPORTED, kind or ANYTHING)


def idle(kind: Type | None = None) -> Row:
    """Say that a field is accepted and has no effect here; with its type, its value is judged."""
    return Row(Standing.IDLE, kind or ANYTHING)


@dataclass(frozen=True)
class Anything:
    """Whatever is there."""

    def read(self, value: Any, place: Place) -> None:  # noqa: ANN401 - a field holds any data
        """Find nothing wrong."""


@dataclass(frozen=True)
class Text:
    """A string."""

    def read(self, value: Any, place: Place) -> None:  # noqa: ANN401 - a field holds any data
        if not isinstance(value, str):
            place.report_type("text", value)


@dataclass(frozen=True)
class Base64:
    """Bytes, written in base64."""

    def read(self, value: Any, place: Place) -> None:  # noqa: ANN401 - a field holds any data
        if not isinstance(value, str):
            place.report_type("text in base64", value)
            return
        try:
            base64.b64decode(value, validate=True)
        except ValueError:
            place.report(f'"{value}" is not base64')


@dataclass(frozen=True)
class Boolean:
    """A boolean."""

    def read(self, value: Any, place: Place) -> None:  # noqa: ANN401 - a field holds any data
        if not isinstance(value, bool):
            place.report_type("a boolean", value)


@dataclass(frozen=True)
class Integer:
    """A whole number within bounds."""

    low: int = -INT32 - 1
    high: int = INT32

    def read(self, value: Any, place: Place) -> None:  # noqa: ANN401 - a field holds any data
        if not isinstance(value, int) or isinstance(value, bool):
            place.report_type("a whole number", value)
        elif not self.low <= value <= self.high:
            place.report(f"{value} is not in the range {self.low} to {self.high}")


@dataclass(frozen=True)
class Number:
    """A number, whole or not."""

    def read(self, value: Any, place: Place) -> None:  # noqa: ANN401 - a field holds any data
        if not isinstance(value, int | float) or isinstance(value, bool):
            place.report_type("a number", value)


@dataclass(frozen=True)
class Percentage:
    """A share in percent, 0 or at least ``least``."""

    least: float = 0.0001
    """Envoy counts faults in millionths."""

    def read(self, value: Any, place: Place) -> None:  # noqa: ANN401 - a field holds any data
        if not isinstance(value, int | float) or isinstance(value, bool):
            place.report_type("a number", value)
        elif value and not self.least <= value <= 100:  # noqa: PLR2004 - of a hundred
            wanted = f"0, or {self.least} to 100" if self.least else "0 to 100"
            place.report(f"the percentage {value} is not in the range {wanted}")


@dataclass(frozen=True)
class Duration:
    """A duration; Istio wants a millisecond at least for most, in whole milliseconds."""

    least: int | None = 1
    """In milliseconds; None where Istio does not look."""

    def read(self, value: Any, place: Place) -> None:  # noqa: ANN401 - a field holds any data
        if not isinstance(value, str):
            place.report_type("a duration as 1.5s or 2m", value)
            return
        length = durations.seconds(value)
        if length is None:
            place.report(
                f'"{value}" is not a valid duration',
                "write a number and its unit: 500ms, 1.5s, 2m, 1h",
            )
        elif abs(length) >= durations.LONGEST_SECONDS:
            place.report(
                f'the duration "{value}" is longer than Envoy takes: 2562047h47m15s at most'
            )
        elif self.least is None:
            return
        elif length < self.least * durations.MILLISECOND:
            hint = "leave the field out for none" if length == 0 else ""
            place.report(f'the duration "{value}" is less than {self.least}ms', hint)
        elif self.least and length % durations.MILLISECOND:
            place.report(f'the duration "{value}" is finer than a millisecond')


@dataclass(frozen=True)
class Choice:
    """One of some words; ``unsupported`` ones are words that the local engine refuses."""

    words: tuple[str, ...]
    unsupported: tuple[str, ...] = ()

    def read(self, value: Any, place: Place) -> None:  # noqa: ANN401 - a field holds any data
        if not isinstance(value, str):
            place.report_type("text", value)
        elif value in self.unsupported:
            place.report_unsupported(f'the value "{value}"')
        elif value not in self.words:
            known = ", ".join((*self.words, *self.unsupported))
            place.report(f'"{value}" is not among the values that {place.owner} knows: {known}')


@dataclass(frozen=True)
class Port:
    """A port's number, or with ``named`` its name."""

    named: bool = False
    zero: bool = False
    """0 is allowed, and means that none is given."""

    def read(self, value: Any, place: Place) -> None:  # noqa: ANN401 - a field holds any data
        if self.named and isinstance(value, str):
            return
        if not isinstance(value, int) or isinstance(value, bool):
            wanted = "a port's name or number" if self.named else "a port's number"
            place.report_type(wanted, value)
        elif not (1 <= value <= 65535 or (value == 0 and self.zero)):  # noqa: PLR2004 - TCP's last
            place.report(f"port number {value} is not in the range 1 to 65535")


@dataclass(frozen=True)
class ListOf:
    """A list of things of one type."""

    of: Type

    def read(self, value: Any, place: Place) -> None:  # noqa: ANN401 - a field holds any data
        if not isinstance(value, list):
            place.report_type("a list", value)
            return
        for index, item in enumerate(value):
            self.of.read(item, place.at(index))


@dataclass(frozen=True)
class MapOf:
    """A mapping from any name to things of one type."""

    of: Type

    def read(self, value: Any, place: Place) -> None:  # noqa: ANN401 - a field holds any data
        if not isinstance(value, dict):
            place.report_type("a mapping", value)
            return
        for name, item in value.items():
            if item is not None or not place.is_istio:  # see Row; Go reads "" for one of its own
                self.of.read(item, place.at(str(name)))


@dataclass(frozen=True)
class Annotations:
    """Notes for whoever reads them; those for Istio are honoured, without effect or refused."""

    honoured: frozenset[str]
    unsupported: str
    """The domain of those that would change where traffic goes."""

    def read(self, value: Any, place: Place) -> None:  # noqa: ANN401 - a field holds any data
        MapOf(TEXT).read(value, place)
        for name in value if isinstance(value, dict) else ():
            domain = str(name).partition("/")[0]
            if domain == self.unsupported:
                message = "the local engine does not support annotations that redirect traffic"
                place.at(name).report(message, "take it out")
            elif domain.endswith("istio.io") and name not in self.honoured:
                place.at(name).note_idle()


@dataclass(frozen=True)
class Record:
    """A mapping with known fields; of each group in ``one_of`` at most one may be there."""

    rows: Mapping[str, Row]
    one_of: tuple[tuple[str, ...], ...] = field(default=())

    def read(self, value: Any, place: Place) -> None:  # noqa: ANN401 - a field holds any data
        if not isinstance(value, dict):
            place.report_type("a mapping", value)
            return
        for name, item in value.items():
            if row := self.rows.get(name):
                row.read(item, place.at(name))
            else:
                place.report_unknown(str(name), self.rows)
        for name, row in self.rows.items():
            if row.required and value.get(name) is None:
                place.at(name).report("it is missing")
        for group in self.one_of:
            there = [name for name in group if value.get(name) is not None]
            if len(there) > 1:
                place.report(f"only one of these may be there: {', '.join(there)}")


ANYTHING = Anything()
TEXT = Text()
BOOLEAN = Boolean()
TEXTS = ListOf(TEXT)
TEXT_MAP = MapOf(TEXT)
