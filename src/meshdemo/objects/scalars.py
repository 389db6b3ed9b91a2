"""Scalars without quotes as kubectl reads them: YAML 1.1, but no dates and no ``12:30`` for 750.

Source: ``resolve.go`` of go.yaml.in/yaml/v2, which kubectl uses by way of sigs.k8s.io/yaml, and
how Go writes the numbers that come of it as JSON.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Scalar: TypeAlias = "str | float | bool | None"

_WORDS: Mapping[str, Scalar] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "off", "Off", "OFF"), False),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_INTEGER = re.compile(
    r"[-+]?(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[bB](?P<binary>[01]+)|0[oO]?(?P<octal>[0-7]+)"
    r"|(?P<decimal>0|[1-9][0-9]*))"
)
_BASES = {"hex": 16, "binary": 2, "octal": 8, "decimal": 10}
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
MOST_DIGITS = 20
"""Decimal digits of 64 bits: a whole number with more is a float to Go."""
EXPONENT = 1e21
"""From here on Go writes a float with an exponent, so that JSON has no whole number any more."""


def read(text: str) -> Scalar:
    """Say what a scalar without quotes stands for; ``1e3`` is the whole number 1000."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    plain = text if text[0] == "." else text.replace("_", "")
    if (number := _integer(plain)) is not None:
        return number
    if not _FLOAT.fullmatch(plain) or not math.isfinite(value := float(plain)):
        return text
    return int(value) if value.is_integer() and abs(value) < EXPONENT else value


def key(text: str) -> str | None:
    """Say which key of JSON a key without quotes is: ``y`` is ``true``; None if it is none."""
    value = read(text)
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None else str(value)


def _integer(plain: str) -> int | None:
    """Read a whole number that fits into 64 bits."""
    found = _INTEGER.fullmatch(plain)
    if not found or not found.lastgroup:
        return None
    digits, base = found[found.lastgroup], _BASES[found.lastgroup]
    if found.lastgroup == "decimal" and len(digits) > MOST_DIGITS:
        return None
    number = int(digits, base) * (-1 if plain[0] == "-" else 1)
    last = 2**63 if plain[0] == "+" else 2**64  # only one without a sign may be unsigned
    return number if -(2**63) <= number < last else None
