"""Commands for a person to type, spelled so that they work where they are read."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Commands:
    """How this program is called here; texts say ``meshdemo NAME`` and know nothing of it."""

    names: tuple[str, ...] = ()
    program: str = "meshdemo"
    flags: str = ""
    """The shared options that another command needs to be about the same mesh."""

    def spell(self, text: str) -> str:
        """Give a text with its commands as they are to be typed."""
        if not self.names:
            return text
        names = "|".join(map(re.escape, self.names))
        pattern = rf"(?<![\w./-])meshdemo ({names})(?![\w-])"
        return re.sub(pattern, lambda found: self._typed(found[1]), text)

    def _typed(self, name: str) -> str:
        return " ".join(filter(None, (self.program, name, self.flags)))
