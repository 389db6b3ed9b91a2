"""The words in which the table of fields is written: what a field may hold, what becomes of it."""

from __future__ import annotations

import base64
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct, field

from meshdemo.engines.local.fields.findings import is_istio, owner
from meshdemo.objects import durations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshdemo.engines.local.fields.findings import Findings
    from meshdemo.objects.place import Place

INT32 = 2**31 - 1
UINT32 = 2**32 - 1


class Standing(Enum):
    """What the local engine makes of a field."""

    HONOURED = "honoured"
    IDLE = "without effect here"
    UNSUPPORTED = "not supported here"


class Type(Protocol):
    """What a field may hold."""

    def check(self, place: Place, findings: Findings) -> None:
        """Report what is wrong at a place, and inside of it."""


class Row(Struct, frozen=True):
    """One field: what it may hold, and what becomes of it."""

    standing: Standing
    type: Type
    required: bool = False
    because: str = ""
    """Why it is not supported; empty if it only is not yet."""

    def check(self, place: Place, findings: Findings) -> None:
        if not place.there:
            return  # a server drops it: of its own kinds, and of others where it has their schema
        if self.standing is Standing.IDLE and place.value not in ({}, [], ""):
            findings.note_idle(place)
        if self.standing is Standing.UNSUPPORTED and not findings.is_refused(place):
            if place.value == [] or (not place.value and not is_istio(place)):
                return  # an empty list says nothing, and of Kubernetes' own no empty field does
            findings.report_unsupported(place, because=self.because)
        self.type.check(place, findings)


def honoured(kind: Type, *, required: bool = False) -> Row:
    """Say that a field is honoured, if what is around it is."""
    return Row(Standing.HONOURED, kind, required=required)


def unsupported(kind: Type | None = None, because: str = "") -> Row:
    """Say that a field is refused as not supported; with its type, its value is judged too."""
    return Row(Standing.UNSUPPORTED, kind or ANYTHING, because=because)


def without_effect(kind: Type | None = None) -> Row:
    """Say that a field is accepted and has no effect here; with its type, its value is judged."""
    return Row(Standing.IDLE, kind or ANYTHING)


class Anything(Struct, frozen=True):
    """Whatever is there."""

    def check(self, place: Place, findings: Findings) -> None:
        """Find nothing wrong."""


class Text(Struct, frozen=True):
    """A string."""

    def check(self, place: Place, findings: Findings) -> None:
        if not place.is_text:
            findings.report_type(place, "text")


class Base64(Struct, frozen=True):
    """Bytes, written in base64."""

    def check(self, place: Place, findings: Findings) -> None:
        if not place.is_text:
            findings.report_type(place, "text in base64")
            return
        try:
            # As Go's encoding/base64, which passes over line breaks.
            base64.b64decode(place.text.replace("\r", "").replace("\n", ""), validate=True)
        except ValueError:
            findings.report(place, f'"{place.text}" is not base64')


class Boolean(Struct, frozen=True):
    """A boolean."""

    def check(self, place: Place, findings: Findings) -> None:
        if not isinstance(place.value, bool):
            findings.report_type(place, "a boolean")


class Integer(Struct, frozen=True):
    """A whole number within bounds."""

    low: int = -INT32 - 1
    high: int = INT32

    def check(self, place: Place, findings: Findings) -> None:
        if not place.is_integer:
            findings.report_type(place, "a whole number")
        elif not self.low <= place.number <= self.high:
            findings.report(place, f"{place.number} is not in the range {self.low} to {self.high}")


class Number(Struct, frozen=True):
    """A number, whole or not."""

    def check(self, place: Place, findings: Findings) -> None:
        if not place.is_number:
            findings.report_type(place, "a number")


class Percentage(Struct, frozen=True):
    """A share in percent, 0 or at least ``least``."""

    least: float = 0.0001
    """Envoy counts faults in millionths."""

    def check(self, place: Place, findings: Findings) -> None:
        share = place.number
        if not place.is_number:
            findings.report_type(place, "a number")
        elif share and not self.least <= share <= 100:  # noqa: PLR2004 - of a hundred
            wanted = f"0, or {self.least} to 100" if self.least else "0 to 100"
            findings.report(place, f"the percentage {share} is not in the range {wanted}")


class Duration(Struct, frozen=True):
    """A duration; Istio wants a millisecond at least for most, in whole milliseconds."""

    least: int | None = 1
    """In milliseconds; None where Istio does not look."""

    def check(self, place: Place, findings: Findings) -> None:
        if not place.is_text:
            findings.report_type(place, "a duration as 1.5s or 2m")
            return
        length, said = durations.seconds(place.text), f'the duration "{place.text}"'
        if length is None:
            hint = "write a number and its unit: 500ms, 1.5s, 2m, 1h"
            findings.report(place, f'"{place.text}" is not a valid duration', hint)
        elif abs(length) >= durations.LONGEST_SECONDS:
            findings.report(place, f"{said} is longer than Envoy takes: 2562047h47m15s at most")
        elif self.least is None:
            return
        elif length < self.least * durations.MILLISECOND:
            hint = "leave the field out for none" if length == 0 else ""
            findings.report(place, f"{said} is less than {self.least}ms", hint)
        elif self.least and length % durations.MILLISECOND:
            findings.report(place, f"{said} is finer than a millisecond")


class Choice(Struct, frozen=True):
    """One of some words; ``unsupported`` ones are words that the local engine refuses.

    Those that are ``idle`` it accepts, and does nothing about.
    """

    words: tuple[str, ...]
    unsupported: tuple[str, ...] = ()
    idle: tuple[str, ...] = ()

    def check(self, place: Place, findings: Findings) -> None:
        word = place.text
        if not place.is_text:
            findings.report_type(place, "text")
        elif word in self.unsupported:
            findings.report_unsupported(place, f'the value "{word}"')
        elif word in self.idle:
            findings.note_idle(place, word)
        elif word not in self.words:
            known = f"{owner(place)} knows: {', '.join((*self.words, *self.unsupported))}"
            findings.report(place, f'"{word}" is not among the values that {known}')


class Port(Struct, frozen=True):
    """A port's number, or with ``named`` its name."""

    named: bool = False
    zero: bool = False
    """0 is allowed, and means that none is given."""

    def check(self, place: Place, findings: Findings) -> None:
        number = place.number
        if self.named and place.is_text:
            return
        if not place.is_integer:
            wanted = "a port's name or number" if self.named else "a port's number"
            findings.report_type(place, wanted)
        elif not (1 <= number <= 65535 or (number == 0 and self.zero)):  # noqa: PLR2004 - TCP's last
            findings.report(place, f"port number {number} is not in the range 1 to 65535")


class ListOf(Struct, frozen=True):
    """A list of things of one type."""

    of: Type

    def check(self, place: Place, findings: Findings) -> None:
        if not isinstance(place.value, list):
            findings.report_type(place, "a list")
        for item in place.rows:
            self.of.check(item, findings)


class MapOf(Struct, frozen=True):
    """A mapping from any name to things of one type."""

    of: Type

    def check(self, place: Place, findings: Findings) -> None:
        if not isinstance(place.value, dict):
            findings.report_type(place, "a mapping")
        for entry in place.entries.values():
            if entry.there or not is_istio(entry):  # see Row; Go reads "" for one of its own
                self.of.check(entry, findings)


class Annotations(Struct, frozen=True):
    """Notes for whoever reads them; those for Istio are honoured, without effect or refused."""

    honoured: frozenset[str]
    unsupported: str
    """The domain of those that would change where traffic goes."""

    def check(self, place: Place, findings: Findings) -> None:
        TEXT_MAP.check(place, findings)
        for name, entry in place.entries.items():
            domain = name.partition("/")[0]
            if domain == self.unsupported:
                message = "the local engine does not support annotations that redirect traffic"
                findings.report(entry, message, "take it out")
            elif domain.endswith("istio.io") and name not in self.honoured:
                findings.note_idle(entry)


class Record(Struct, frozen=True):
    """A mapping with known fields; of each group in ``one_of`` at most one may be there."""

    rows: Mapping[str, Row]
    one_of: tuple[tuple[str, ...], ...] = field(default=())

    def check(self, place: Place, findings: Findings) -> None:
        if not isinstance(place.value, dict):
            findings.report_type(place, "a mapping")
            return
        for name, entry in place.entries.items():
            if row := self.rows.get(name):
                row.check(entry, findings)
            else:
                findings.report_unknown(entry, self.rows)
        for name, row in self.rows.items():
            if row.required and name not in place:
                findings.report(place[name], "it is missing")
        for group in self.one_of:
            there = [name for name in group if name in place]
            if len(there) > 1:
                findings.report(place, f"only one of these may be there: {', '.join(there)}")


ANYTHING = Anything()
TEXT = Text()
BOOLEAN = Boolean()
TEXTS = ListOf(TEXT)
TEXT_MAP = MapOf(TEXT)
