"""Texts that fulfil a condition of a match, and for paths also some below it."""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ANY = "any"
"""The value of a header that only must be there."""
LETTERS = "a0-_/.~A9"
"""The letters that are tried where a regex leaves it open."""
PRINTABLE = (*map(chr, range(33, 127)), " ")
MORE_REPEATS = 3
"""How many more than the least are tried where a regex names no most."""
LONGEST = 1000
"""Characters of a repetition; of a longer one the least and some more repeats are tried."""
MOST_TEXTS = 64
"""Texts of one regex: far more than one that people read needs."""


def texts(condition: Mapping[str, Any] | None) -> list[str]:
    """Give texts that fulfil a StringMatch, the plainest one first; none where none is found."""
    condition = condition or {}
    if "exact" in condition:
        return [str(condition["exact"])]
    if "prefix" in condition:
        return [f"{condition['prefix']}{ANY}"]
    if regex := condition.get("regex"):
        return [ANY] if regex == "*" else of_regex(str(regex))
    return [ANY]


def paths(condition: Mapping[str, Any] | None) -> list[str]:
    """Give paths that fulfil a condition; of a prefix itself, one below it, and one beside that."""
    if not condition:
        return ["/"]
    if prefix := str(condition.get("prefix") or ""):
        return list(dict.fromkeys([prefix, f"{prefix.rstrip('/')}/{ANY}", f"{prefix}{ANY}"]))
    return [text for text in texts(condition) if text.startswith("/")]


def of_regex(regex: str) -> list[str]:
    """Give texts that a regex matches whole, the shortest first, then what each part of it allows.

    Of alternatives that is each, of repetitions the fewest and the most, of classes of letters each
    kind: so a regex that takes more than another one has mostly a text that the other refuses.
    """
    if "[[" in regex or "[:" in regex:  # RE2 reads classes there, and re does not
        return []
    try:
        found = _sequence(_parsed(regex))
        found.append(found[0].swapcase())  # which only (?i) takes
        return [text for text in dict.fromkeys(found) if _is_sent(text) and _takes(regex, text)]
    except (re.error, NotImplementedError, RecursionError, OverflowError):
        return []


def _takes(regex: str, text: str) -> bool:
    return re.fullmatch(regex, text, re.ASCII) is not None


def _is_sent(text: str) -> bool:
    """Tell whether a text comes to a proxy as it is: without spaces around it."""
    return text.isprintable() and text == text.strip()


def _parsed(regex: str) -> Any:  # noqa: ANN401 - the parser of re has no types
    parser = getattr(re, "_parser", None) or importlib.import_module("sre_parse")  # before 3.11
    return parser.parse(regex)


def _sequence(parsed: Any) -> list[str]:  # noqa: ANN401 - as above
    """Put parts together: all at their first, then one part after the other as it may be, too."""
    parts = [_part(str(kind), value) for kind, value in parsed]
    first = [options[0] for options in parts]
    found = ["".join(first)]
    for place, options in enumerate(parts):
        found += ["".join([*first[:place], each, *first[place + 1 :]]) for each in options[1:]]
    return found[:MOST_TEXTS]


def _part(kind: str, value: Any) -> list[str]:  # noqa: ANN401 - as above
    """Give what a part of a regex may be; never nothing."""
    if kind == "LITERAL":
        return [chr(value)]
    if kind in ("ANY", "NOT_LITERAL", "IN"):
        return list(_letters(kind, value))
    if kind in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        return _repeated(*value)
    if kind == "SUBPATTERN":
        return _sequence(value[-1])
    if kind == "BRANCH":
        branches = [_sequence(branch) for branch in value[1]]
        return [branch[0] for branch in branches] + [t for b in branches for t in b[1:]]
    if kind == "AT":
        return [""]
    raise NotImplementedError(kind)


def _repeated(least: int, most: int, inner: Any) -> list[str]:  # noqa: ANN401 - as above
    """Give the fewest and the most repeats of the first, and each other one among the fewest."""
    first, *others = _sequence(inner)
    upper = int(most) if len(first) * int(most) <= LONGEST else least + MORE_REPEATS
    rest = first * (max(least, 1) - 1)
    return [first * least, first * upper, *(each + rest for each in others if upper)]


def _letters(kind: str, value: Any) -> Iterator[str]:  # noqa: ANN401 - as above
    """Give a letter of each kind that a class has: of LETTERS, and the ends of its ranges."""
    if kind == "ANY":
        options: Any = [("NEGATE", None)]
    elif kind == "NOT_LITERAL":
        options = [("NEGATE", None), ("LITERAL", value)]
    else:
        options = value
    known = [each for each in (*LETTERS, *_named(options)) if _is_in(each, options)]
    if not known:
        known = [each for each in PRINTABLE if _is_in(each, options)][:1]
    if not known:
        raise NotImplementedError(kind)  # no letter that a request may have
    yield from dict.fromkeys(known)


def _named(options: Any) -> Iterator[str]:  # noqa: ANN401 - as above
    for kind, value in options:
        if str(kind) == "LITERAL":
            yield chr(value)
        elif str(kind) == "RANGE":
            yield from (chr(end) for end in value if chr(end) in PRINTABLE)


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
