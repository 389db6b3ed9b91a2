"""What to expect: a share of the answers for each outcome, and the split that a route asks for.

An outcome is a version, a status (``503``) or ``error``: any answer that nothing else names.

Shares are fractions, so that three times 33.4 % is over 100 % and 33.3 + 33.3 + 33.4 is not.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from meshdemo.errors import InputError, Problem
from meshdemo.language import said
from meshdemo.verdict.traffic import VERSION_NAME, status_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_Number = TypeVar("_Number")

EXAMPLE = "v2=100% or v1=50%,v2=50%"
SPLIT_EXAMPLE = "v2, or v1=90 v2=10, or v1=90%,v2=10%"
MAX_WEIGHT = 1_000_000
"""Far below what Envoy can add up (32 bits), and finer than anyone can measure."""

ERROR = "errors and unknown answers"
"""The outcome ``error``; it cannot be a version's name, and neither can the kinds of answers."""

_STATUS = re.compile(r"[1-5][0-9]{2}")
_VERSION = "version:"
"""What a version is written with that looks like another outcome."""
_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{0,12})?|\.[0-9]{1,12}")
_WHOLE_NUMBER = re.compile(r"[0-9]{1,12}")


class Expectation(Struct, frozen=True):
    """The share of the answers that each outcome shall have, in the order it was said.

    What the shares leave up to 1 may come from any known version, and never from an error.
    """

    shares: tuple[tuple[str, Fraction], ...]

    @classmethod
    def of(cls, shares: Mapping[str, Fraction]) -> Expectation:
        """Make one from a mapping."""
        return cls(tuple(shares.items()))

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions that are named."""
        return tuple(name for name, _ in self.shares if VERSION_NAME.fullmatch(name))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of other answers that are named, as a tally has them."""
        return tuple(
            name for name, _ in self.shares if name != ERROR and not VERSION_NAME.fullmatch(name)
        )

    @property
    def rest(self) -> Fraction:
        """What is left to any version."""
        return 1 - sum((share for _, share in self.shares), Fraction(0))

    @property
    def is_exact(self) -> bool:
        """Tell whether every share is all or nothing, so that one wrong answer decides."""
        return all(is_exact(share) for _, share in self.shares)

    def __str__(self) -> str:
        return ",".join(f"{outcome_text(name)}={percent(share)}%" for name, share in self.shares)


class Split(Struct, frozen=True):
    """Weights for versions, as a VirtualService takes them."""

    weights: tuple[tuple[str, int], ...]

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions that are named."""
        return tuple(version for version, _ in self.weights)

    @property
    def expectation(self) -> Expectation:
        """What this split promises."""
        total = sum(weight for _, weight in self.weights)
        return Expectation(tuple((v, Fraction(weight, total)) for v, weight in self.weights))

    def __str__(self) -> str:
        return ",".join(f"{version}={weight}" for version, weight in self.weights)


def outcome_text(name: str) -> str:
    """Write an outcome as ``--expect`` reads it."""
    if name == ERROR:
        return "error"
    if not VERSION_NAME.fullmatch(name):
        return name.rpartition(" ")[2]
    return f"{_VERSION}{name}" if _is_other(name) else name


def _is_other(text: str) -> bool:
    return text == "error" or bool(_STATUS.fullmatch(text))


def is_exact(share: Fraction) -> bool:
    """Tell whether a share is all or nothing."""
    return share in (0, 1)


def percent(share: Fraction) -> str:
    """Write a share in per cent: exactly if it has an end, else with two decimals."""
    value = share * 100
    decimals = next((places for places in range(13) if (value * 10**places).denominator == 1), 2)
    # Not through a float: that would round what has an end.
    scaled = round(value * 10**decimals)
    whole, fraction = divmod(scaled, 10**decimals)
    text = f"{whole}.{fraction:0{decimals}d}" if decimals else str(whole)
    return text.rstrip("0").rstrip(".") if decimals else text


def parse(text: str | Sequence[str]) -> Expectation:
    """Read ``v1=50%,v2=50%``, also in several pieces; a bare number is per cent too.

    ``503=10%`` is about a status and ``error=0%`` about all other errors; a version that is called
    so is written ``version:503``. Raises InputError with all problems.
    """
    shares, problems = _read(text, _share, _outcome)
    total = sum(shares.values(), Fraction(0))
    if total > 1:
        problems.append(Problem(f"the shares sum to {percent(total)} %, which is over 100 %"))
    if problems:
        hint = said("write it as {example}", example=EXAMPLE)
        raise InputError("the expectation cannot be used", problems, hint=hint)
    return Expectation.of(shares)


def parse_split(text: str | Sequence[str]) -> Split:
    """Read ``v1=90 v2=10`` (in proportion), ``v1=90%,v2=10%`` (100 in all) or one ``v2``.

    Raises InputError with all problems.
    """
    parts = _parts(text)
    if len(parts) == 1 and VERSION_NAME.fullmatch(parts[0]):
        return Split(((parts[0], 100),))
    weights, problems = _read(text, _weight, _version)
    if not problems:
        problems += _sum_problems(weights, [part.endswith("%") for part in parts])
    if problems:
        hint = said("write it as {example}", example=SPLIT_EXAMPLE)
        raise InputError("the split cannot be used", problems, hint=hint)
    return Split(tuple(weights.items()))


def _read(
    text: str | Sequence[str], number: Callable[[str], _Number], name: Callable[[str], str]
) -> tuple[dict[str, _Number], list[Problem]]:
    """Read what each version is given, and everything that is wrong with it."""
    values: dict[str, _Number] = {}
    problems: list[Problem] = []
    seen: set[str] = set()
    for part in _parts(text):
        try:
            said, value = _pair(part, name, seen)
            values[said] = number(value)
        except ValueError as error:
            problems.append(Problem(str(error), subject=f"'{part}'"))
    if not seen:
        problems.append(Problem("no version is named"))
    return values, problems


def _parts(text: str | Sequence[str]) -> list[str]:
    pieces = [text] if isinstance(text, str) else text
    return [part.strip() for piece in pieces for part in piece.split(",")]


def _pair(part: str, name: Callable[[str], str], seen: set[str]) -> tuple[str, str]:
    """Take a part into name and number; ValueError says what is wrong with it."""
    written, equals, value = (piece.strip() for piece in part.partition("="))
    found = name(written)
    if found in seen:
        raise ValueError(f"{written} is a duplicate")
    seen.add(found)
    if not equals or not value:
        raise ValueError(f"it says no number for {written}")
    if value.startswith("-"):
        raise ValueError(f"{value} is negative")
    return found, value


def _outcome(text: str) -> str:
    if text == "error":
        return ERROR
    return status_kind(int(text)) if _is_other(text) else _version(text.removeprefix(_VERSION))


def _version(text: str) -> str:
    if not VERSION_NAME.fullmatch(text):
        raise ValueError(
            "a version is 1 to 63 letters, digits, '-', '_' and '.', "
            "and begins and ends with a letter or digit"
        )
    return text


def _share(value: str) -> Fraction:
    number = value.removesuffix("%").strip()
    if not _NUMBER.fullmatch(number):
        raise ValueError(f"'{value}' is not a percentage")
    share = Fraction(number) / 100
    if share > 1:
        raise ValueError(f"{value} is over 100 %")
    return share


def _weight(value: str) -> int:
    number = value.removesuffix("%").strip()
    if not _WHOLE_NUMBER.fullmatch(number):
        raise ValueError(f"'{value}' is not a whole number")
    if int(number) > MAX_WEIGHT:
        raise ValueError(f"{value} is over {MAX_WEIGHT:,}")
    return int(number)


def _sum_problems(weights: Mapping[str, int], signs: list[bool]) -> Iterator[Problem]:
    total = sum(weights.values())
    if any(signs) and not all(signs):
        yield Problem("some numbers have a % and some have not")
    elif any(signs) and total != 100:  # noqa: PLR2004 - per cent
        yield Problem(f"the shares sum to {total} %, not to 100 %")
    elif total == 0:
        yield Problem("all weights are 0, so no version would get the traffic")
    elif len(weights) == 1 and total != 100:  # noqa: PLR2004 - per cent
        (version,) = weights
        yield Problem(f"{version} alone gets everything, whatever its weight: name the others too")
