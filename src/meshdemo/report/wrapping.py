"""Lines broken for a screen: between words, and never so that a command cannot be copied."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from unicodedata import east_asian_width

from meshdemo.report.commands import JOINT, joined, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_HAN = "\u4e00-\u9fff"
_GAP = re.compile(
    rf"((?<! ) (?! |%|m?s\b)|(?<=[{_HAN}\u3001\u3002\uff09\uff0c\uff1a\uff1b])(?=[{_HAN}\uff08]))"
)
"""Where a line may end: not before a unit, and several spaces are a column's. Chinese has no
spaces: there a line may end between any two characters, but not before a mark of punctuation."""
_STYLE = re.compile(r"\x1b\[[\d;]*m")
_HANG = 2
"""How much farther in a sentence goes on in its next line."""
_ON = " \\"
"""What a shell takes for: the command goes on in the next line."""


def wrapped(marked: str, width: int | None, hang: int = _HANG) -> Iterator[str]:
    """Break a text with marked commands; without a width only where it says so itself.

    What goes on in the next line stands ``hang`` columns further in.
    """
    for line in marked.split("\n"):
        if width is None or _length(line) <= width:
            yield plain(line)
            continue
        indent = len(line) - len(line.lstrip(" ")) + hang
        current = ""
        first, *others = _GAP.split(line)
        for gap, word in (("", first), *zip(others[::2], others[1::2], strict=True)):
            longer = f"{current}{gap}{word}"
            if current and _length(longer) > width:
                yield plain(current)
                longer = " " * indent + word
            *over, current = _shell_lines(longer, width, indent + _HANG)
            yield from map(plain, over)
        yield plain(current)


def with_reasons(commands: Sequence[tuple[str, str]], width: int | None) -> Iterator[str]:
    """List commands, each with its reason, if any, as a comment: beside it, or else above it."""
    longest = max(len(command) for command, _ in commands)
    beside = [
        f"  {command.ljust(longest)}   # {why}" if why else f"  {command}"
        for command, why in commands
    ]
    if width is None or all(len(line) <= width for line in beside):
        yield from beside
        return
    for command, why in commands:
        if why:
            yield from wrapped(f"  # {why}", width)
        yield from wrapped(f"  {joined(command)}", width)


def _shell_lines(line: str, width: int, indent: int) -> list[str]:
    """Break what is too long at the joints of its command, if it ends with one."""
    if _length(line) <= width or JOINT not in line:
        return [line]
    first, *words = line.split(JOINT)
    lines = [first]
    for number, word in enumerate(words, 1):
        room = width - (len(_ON) if number < len(words) else 0)
        if _length(f"{lines[-1]} {word}") <= room:
            lines[-1] += f" {word}"
        else:
            lines[-1] += _ON
            lines.append(" " * indent + word)
    return lines


def _length(text: str) -> int:
    """Give how many columns a text takes: a Chinese character takes two."""
    shown = _STYLE.sub("", text)
    if shown.isascii():
        return len(shown)
    return sum(2 if east_asian_width(each) in "WF" else 1 for each in shown)
