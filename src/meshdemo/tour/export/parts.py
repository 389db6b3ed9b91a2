"""What pages are made of, in any form."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from meshdemo.tour.lessons import FILE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from meshdemo.tour.lessons import Lesson
    from meshdemo.tour.words import Words

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def console(commands: Sequence[str]) -> str:
    """Show commands to be typed."""
    typed = "".join(f"$ {command}\n" for command in commands)
    return f"```console\n{typed}```"


def with_file(text: str, file: str, bare: str) -> str:
    """Put the learner's file into a text; ``bare`` where it stands in a block."""
    blocks = BLOCK.sub(lambda found: found[0].replace(FILE, bare), text)
    return blocks.replace(FILE, file)


def folded(lesson: Lesson, words: Words, file: str) -> Iterator[str]:
    """Give hints, the solution and the why, which are seen when they are opened."""
    hints = lesson.hints(words.language)
    for number, hint in enumerate(hints, 1):
        title = words("export, hint", shown=number, count=len(hints))
        yield _details(title, hint.replace(FILE, file))
    solution = lesson.solution.read_text(encoding="utf-8")
    yield _details(words("export, solution"), f"```yaml\n{solution}```")
    yield _details(words("why"), lesson.why(words.language).replace(FILE, file))


def holds_objects(file: Path) -> bool:
    """Tell whether there is more than comments in a manifest."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return any(line.strip() and not line.lstrip().startswith("#") for line in lines)


def _details(summary: str, text: str) -> str:
    return f"<details>\n<summary>{summary}</summary>\n\n{text.rstrip()}\n\n</details>"
