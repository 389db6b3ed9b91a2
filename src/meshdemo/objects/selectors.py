"""Label selectors as kubectl takes them: ``app=shop,version!=v1,tier in (web, api),!canary``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEY = r"(?:[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9](?:[-\w.]*[A-Za-z0-9])?"
_VALUE = r"(?:[A-Za-z0-9](?:[-\w.]*[A-Za-z0-9])?)?"
_REQUIREMENT = re.compile(
    rf"""\s*(?: (?P<no>!)\s*(?P<absent>{_KEY})
          | (?P<key>{_KEY}) \s* (?: (?P<equal>==?|!=) \s* (?P<value>{_VALUE})
                                  | \s(?P<set>in|notin) \s* \( (?P<values>[^()]*) \) )?
          )\s*(?:,|$)""",
    re.VERBOSE | re.ASCII,
)


class Requirement(Struct, frozen=True):
    """One condition on a label: it has one of these values, or with ``negated`` none of them."""

    key: str
    values: frozenset[str] | None
    """None means any value."""
    negated: bool

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Tell whether labels meet it; one that is not there has none of the values."""
        found = self.key in labels and (self.values is None or labels[self.key] in self.values)
        return found != self.negated


class Selector(Struct, frozen=True):
    """Conditions that all have to hold."""

    requirements: tuple[Requirement, ...] = ()

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Tell whether labels meet all of them; without any they do."""
        return all(requirement.holds(labels) for requirement in self.requirements)


def read(text: str, option: str = "--selector") -> Selector:
    """Read the selector that was given to an option. Raises UsageError."""
    found, position = [], 0
    while position < len(text):
        part = _REQUIREMENT.match(text, position)
        if part is None or text.endswith(","):
            hint = "As in app=shop,version!=v1 or 'version in (v1, v2)'."
            raise UsageError(f"{option}: {text!r} is not a valid label selector", hint=hint)
        found.append(_requirement(part))
        position = part.end()
    return Selector(tuple(found))


def _requirement(part: re.Match[str]) -> Requirement:
    if part["no"]:
        return Requirement(part["absent"], None, negated=True)
    if part["set"]:
        values = frozenset(value.strip() for value in part["values"].split(","))
        return Requirement(part["key"], values, negated=part["set"] == "notin")
    if part["equal"]:
        return Requirement(part["key"], frozenset({part["value"]}), negated=part["equal"] == "!=")
    return Requirement(part["key"], None, negated=False)
