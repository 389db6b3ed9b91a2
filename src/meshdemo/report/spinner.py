"""Something that turns while one waits, with a sentence beside it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator


class Spinner:
    """It turns from the start until ``stop``."""

    def __init__(self, stream: TextIO, text: str) -> None:
        # As Text, because a sentence may have brackets in it, which rich takes for markup.
        self._status = Console(file=stream).status(Text(text))
        self._status.start()

    def say(self, text: str) -> None:
        """Replace the sentence."""
        self._status.update(Text(text))

    def stop(self) -> None:
        """Remove it from the screen."""
        self._status.stop()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Leave the screen to lines that shall stay."""
        self._status.stop()
        try:
            yield
        finally:
            self._status.start()
