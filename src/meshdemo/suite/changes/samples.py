"""A text that fulfils a condition of a match, and for paths also one below it."""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ANY = "any"
"""The value of a header that only must be there."""
LETTERS = "a0-_/.~A9"
"""The letters that are tried first where a regex leaves it open."""
MOST_REPEATS = 3


def texts(condition: Mapping[str, Any] | None) -> list[str]:
    """Give texts that fulfil a StringMatch; none where none is found."""
    condition = condition or {}
    if "exact" in condition:
        return [str(condition["exact"])]
    if "prefix" in condition:
        return [f"{condition['prefix']}{ANY}"]
    if regex := condition.get("regex"):
        return [ANY] if regex == "*" else of_regex(str(regex))
    return [ANY]


def paths(condition: Mapping[str, Any] | None) -> list[str]:
    """Give paths that fulfil a condition; of a prefix itself, and one below it."""
    if not condition:
        return ["/"]
    if prefix := str(condition.get("prefix") or ""):
        return list(dict.fromkeys([prefix, f"{prefix.rstrip('/')}/{ANY}"]))
    return [text for text in texts(condition) if text.startswith("/")]


def of_regex(regex: str) -> list[str]:
    """Give the shortest and a longer text that a regex matches whole."""
    if "[[" in regex or "[:" in regex:  # RE2 reads classes there, and re does not
        return []
    try:
        parsed = _parsed(regex)
        found = ["".join(_written(parsed, longer)) for longer in (False, True)]
        return [text for text in dict.fromkeys(found) if re.fullmatch(regex, text)]
    except (re.error, KeyError, NotImplementedError, StopIteration, RuntimeError):
        return []


def _parsed(regex: str) -> Any:  # noqa: ANN401 - the parser of re has no types
    parser = getattr(re, "_parser", None) or importlib.import_module("sre_parse")  # before 3.11
    return parser.parse(regex)


def _written(parsed: Any, longer: bool) -> Iterator[str]:  # noqa: ANN401, FBT001 - as above
    for kind, value in parsed:
        yield from _part(str(kind), value, longer)


def _part(kind: str, value: Any, longer: bool) -> Iterator[str]:  # noqa: ANN401, FBT001 - as above
    if kind == "LITERAL":
        yield chr(value)
    elif kind in ("ANY", "NOT_LITERAL", "IN"):
        yield _letter(kind, value)
    elif kind in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        least, most, inner = value
        for _ in range(min(int(most), least + MOST_REPEATS) if longer else least):
            yield from _written(inner, longer)
    elif kind == "SUBPATTERN":
        yield from _written(value[-1], longer)
    elif kind == "BRANCH":
        _, branches = value
        yield from _written(branches[-1 if longer else 0], longer)
    elif kind != "AT":
        raise NotImplementedError(kind)


def _letter(kind: str, value: Any) -> str:  # noqa: ANN401 - as above
    if kind == "ANY":
        return LETTERS[0]
    if kind == "NOT_LITERAL":
        return LETTERS[ord(LETTERS[0]) == value]
    every = (*LETTERS, *map(chr, range(33, 127)))
    return str(next(each for each in every if _is_in(each, value)))


def _is_in(letter: str, options: Any) -> bool:  # noqa: ANN401 - as above
    negated, found = False, False
    for kind, value in options:
        name = str(kind)
        if name == "NEGATE":
            negated = True
        elif name == "LITERAL":
            found = found or ord(letter) == value
        elif name == "RANGE":
            found = found or value[0] <= ord(letter) <= value[1]
        else:
            found = found or re.fullmatch(CATEGORIES[str(value)], letter) is not None
    return found != negated


CATEGORIES = {
    "CATEGORY_DIGIT": r"\d",
    "CATEGORY_NOT_DIGIT": r"\D",
    "CATEGORY_SPACE": r"\s",
    "CATEGORY_NOT_SPACE": r"\S",
    "CATEGORY_WORD": r"\w",
    "CATEGORY_NOT_WORD": r"\W",
}
