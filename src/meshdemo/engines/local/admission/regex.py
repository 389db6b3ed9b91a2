r"""Which regular expressions Istio takes: Go's RE2 syntax, which is not Python's.

RE2 knows no lookaround, no backreferences and no possessive quantifiers, but ``\pL``, ``\Q..\E``,
``\z`` and ``[[:alpha:]]``. The one library for Python has no wheels for musl; so the syntax is
read here: one pass, no recursion. Source of the rules: https://github.com/google/re2/wiki/Syntax
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

LONGEST_REGEX: Final = 1024
"""Istio takes no longer one: Envoy bounds the compiled size, which is larger still."""
MOST_REPEATS: Final = 1000

_REPEAT = re.compile(r"\{(\d+)(?:(,)(\d*))?\}", re.ASCII)
_GROUP = re.compile(r"\?(?:P?<(\w+)>|(?:[imsU]+(?:-[imsU]+)?|-[imsU]+)?[:)])", re.ASCII)
_CATEGORY = re.compile(r"[pP](?:([A-Z])|\{\^?(\w+)\})", re.ASCII)
_SET = re.compile(
    r"C[cfos]?|L[lmotu]?|M[cen]?|N[dlo]?|P[cdefios]?|S[ckmo]?|Z[lps]?|[A-Z][a-z]\w+", re.ASCII
)
"""A general category of Unicode, or the name of a script, which is not checked further."""
_NUMERIC_ESCAPE = re.compile(
    r"x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]+)\})|(0[0-7]{0,2}|[1-7][0-7]{1,2})"
)
_POSIX = re.compile(r"\[:\^?(\w*):\]", re.ASCII)
_POSIX_CLASS = re.compile(
    "al(num|pha)|ascii|blank|cntrl|digit|graph|lower|print|punct|space|upper|word|xdigit"
)
_CONTROL_ESCAPES = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_LAST_CHARACTER = 0x10FFFF


class _SyntaxError(Exception):
    pass


def problem(expression: str) -> str:
    """Say what is wrong with a regular expression, or nothing."""
    if not expression:
        return "the regular expression is empty"
    if len(expression.encode()) > LONGEST_REGEX:
        return f"the regular expression is longer than {LONGEST_REGEX} bytes"
    try:
        _Reader(expression).read()
    except _SyntaxError as error:
        return f'"{expression}" is not a regular expression in RE2 syntax: {error}'
    return ""


@dataclass
class _Reader:
    text: str
    at: int = 0
    depth: int = 0
    names: set[str] = field(default_factory=set)

    def read(self) -> None:
        repeatable = repeated = False
        while self.at < len(self.text):
            char = self.text[self.at]
            if quantifier := self.quantifier():
                if not repeatable:
                    raise _SyntaxError(f'nothing to repeat before "{quantifier}"')
                if repeated:
                    raise _SyntaxError(f'"{quantifier}" repeats a repetition')
                repeated = True
                continue
            repeatable, repeated = self.piece(char, is_repeatable=repeatable), False
        if self.depth:
            raise _SyntaxError('a ")" is missing')

    def quantifier(self) -> str:
        """Step over ``*``, ``+``, ``?`` or ``{2,3}``, and over the ``?`` that makes it lazy."""
        begin = self.at
        if self.text[begin] in "*+?":
            self.at += 1
        elif found := _REPEAT.match(self.text, begin):
            _check_repeat(found)
            self.at = found.end()
        else:
            return ""
        if self.text.startswith("?", self.at):
            self.at += 1
        return self.text[begin : self.at]

    def piece(self, char: str, *, is_repeatable: bool) -> bool:
        """Step over one piece; tell whether it can be repeated."""
        self.at += 1
        if char == "(":
            # Flags are no piece: what stands before them is repeated.
            return not self.open() and is_repeatable
        if char == ")":
            if not self.depth:
                raise _SyntaxError('a ")" without its "("')
            self.depth -= 1
        elif char == "[":
            self.character_class()
        elif char == "\\":
            return self.escape()
        return char != "|"

    def open(self) -> bool:
        """Step over what opens a group, or over flags; tell whether a group was opened."""
        if not self.text.startswith("?", self.at):
            self.depth += 1
            return True
        found = _GROUP.match(self.text, self.at)
        if not found:
            raise _SyntaxError(f'"({self.text[self.at : self.at + 3]}" is not known in RE2')
        if found[1] in self.names:
            raise _SyntaxError(f'two groups of the name "{found[1]}"')
        self.names |= {found[1]} - {None}
        self.at = found.end()
        is_group = found[0][-1] != ")"
        self.depth += is_group
        return is_group

    def escape(self) -> bool:
        if self.text.startswith("Q", self.at):
            literal, _, _ = self.text[self.at + 1 :].partition("\\E")
            self.at = min(self.at + len(literal) + 3, len(self.text))
            return bool(literal)
        if self.text[self.at : self.at + 1] in {"A", "b", "B", "z"}:
            self.at += 1
            return True
        if not self.shorthand():
            self.character_escape()
        return True

    def shorthand(self) -> bool:
        r"""Step over ``d`` or ``pL``, a set of characters after a backslash."""
        if self.text[self.at : self.at + 1] in {"d", "D", "s", "S", "w", "W"}:
            self.at += 1
            return True
        if not self.text.startswith(("p", "P"), self.at):
            return False
        found = _CATEGORY.match(self.text, self.at)
        name = (found[1] or found[2]) if found else ""
        if not _SET.fullmatch(name):
            raise _SyntaxError(f'no class of characters "\\{self.text[self.at : self.at + 8]}"')
        self.at += len(found[0]) if found else 0
        return True

    def character_escape(self) -> int:
        """Step over what stands after a backslash for one character; give its number."""
        if self.at >= len(self.text):
            raise _SyntaxError("a backslash at the end")
        if found := _NUMERIC_ESCAPE.match(self.text, self.at):
            self.at = found.end()
            code = int(found[1] or found[2], 16) if found[0][0] == "x" else int(found[3], 8)
            if code > _LAST_CHARACTER:
                raise _SyntaxError(f'no character "\\{found[0]}"')
            return code
        char = self.text[self.at]
        if char in _CONTROL_ESCAPES:
            self.at += 1
            return _CONTROL_ESCAPES[char]
        if char.isascii() and not char.isalnum():
            self.at += 1
            return ord(char)
        raise _SyntaxError(f'"\\{char}" is not known in RE2')

    def character_class(self) -> None:
        begin = self.at
        self.at += self.text.startswith("^", self.at)
        first = True
        while first or not self.text.startswith("]", self.at):
            if self.at >= len(self.text):
                raise _SyntaxError(f'the "]" is missing of "{self.text[begin - 1 :]}"')
            first = False
            if not self.set_in_class():
                self.range()
        self.at += 1

    def set_in_class(self) -> bool:
        if self.text.startswith("[:", self.at) and (found := _POSIX.match(self.text, self.at)):
            if not _POSIX_CLASS.fullmatch(found[1]):
                raise _SyntaxError(f'no class of characters "{found[0]}"')
            self.at = found.end()
            return True
        if not self.text.startswith("\\", self.at):
            return False
        self.at += 1
        if self.shorthand():
            return True
        self.at -= 1
        return False

    def range(self) -> None:
        begin = self.at
        low = high = self.class_character()
        follows = self.text[self.at : self.at + 2]
        if len(follows) > 1 and follows[0] == "-" and follows[1] != "]":
            self.at += 1
            high = self.class_character()
        if high < low:
            raise _SyntaxError(f'the range "{self.text[begin : self.at]}" is the wrong way round')

    def class_character(self) -> int:
        char = self.text[self.at]
        self.at += 1
        return self.character_escape() if char == "\\" else ord(char)


def _check_repeat(found: re.Match[str]) -> None:
    least = int(found[1])
    most = int(found[3]) if found[3] else least
    if max(least, most) > MOST_REPEATS or most < least:
        raise _SyntaxError(f'the count "{found[0]}" is not possible')
