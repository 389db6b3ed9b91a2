"""Commands for a person to type, spelled so that they work where they are read."""

from __future__ import annotations

import re

from msgspec import Struct

JOINT, KEPT = "\x1f", "\x1e"
"""Stand for the spaces of a command in a text whose lines are yet to be broken: a line may end at
the first kind with a backslash, and never at the second, which is within quotes."""

_TOOLS = ("kubectl", "sudo", "mkdir")
"""Whose commands stand in our texts as well."""
_ENDS = (".", ",", ";", ":", ")", "`")
"""What a clause ends with, and so a command within it."""
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_WORD = re.compile(r"-.*|['\"].*|[A-Z]+|v\d+|.*[=/].*")
"""Which words after a command of ours belong to it: options, placeholders, versions, paths."""
_TAKES_VALUE = re.compile(r"-[a-z]|--")


class Commands(Struct, frozen=True):
    """How this program is called here; texts say ``meshdemo NAME`` and know nothing of it."""

    names: tuple[str, ...] = ()
    program: str = "meshdemo"
    flags: str = ""
    """The shared options that another command needs to be about the same mesh."""

    def spell(self, text: str) -> str:
        """Give a text with its commands as they are to be typed."""
        return plain(self.mark(text))

    def mark(self, text: str) -> str:
        """Give the same with ``JOINT`` and ``KEPT`` in its commands, for whoever breaks its lines.

        Where a command ends in a sentence is guessed. A wrong guess breaks a line early, no more.
        """
        if self.names:
            names = "|".join(map(re.escape, self.names))
            pattern = rf"(?<![\w./-])meshdemo ({names})(?![\w-])"
            text = re.sub(pattern, lambda found: joined(self._typed(found[1])), text)
            text = re.sub(r"(?<![\w./-])meshdemo(?= --help)", joined(self.program), text)
        marked: list[str] = []
        words = text.split(" ")
        while words:
            command = [words.pop(0)]
            while words and _goes_on(command, words[0]):
                command.append(words.pop(0))
            marked.append(joined(" ".join(command)) if len(command) > 1 else command[0])
        return " ".join(marked)

    def _typed(self, name: str) -> str:
        return " ".join(filter(None, (self.program, name, self.flags)))


def joined(command: str) -> str:
    """Mark the spaces of a command."""
    kept = _QUOTED.sub(lambda found: found[0].replace(" ", KEPT), command)
    return kept.replace(" ", JOINT)


def plain(marked: str) -> str:
    """Give a marked text as it is to be read."""
    return marked.replace(JOINT, " ").replace(KEPT, " ")


def _goes_on(command: list[str], word: str) -> bool:
    """Tell whether a word belongs to what may be a command."""
    first, last = command[0].lstrip("`("), command[-1]
    if last.endswith(_ENDS) or not word:
        return False
    if first in _TOOLS:
        return True
    ours = JOINT in first
    return ours and bool(
        "--" in command or _TAKES_VALUE.fullmatch(last) or _WORD.fullmatch(word.rstrip("`.,;:)"))
    )
