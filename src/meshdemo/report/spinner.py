"""Something that turns while one waits, with a sentence beside it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from msgspec import Struct
from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class _Live(Struct, frozen=True):
    """A text that rich asks for anew each time; it may have several lines, and colours."""

    say: Callable[[], str]

    def __rich__(self) -> Text:
        return Text.from_ansi(self.say())


class Spinner:
    """It turns from the start until ``stop``."""

    def __init__(self, stream: TextIO, text: str | Callable[[], str]) -> None:
        """``text`` may also be what says how it goes each time that it is shown."""
        shown = _Live(text) if callable(text) else Text(text)
        # As Text, because a sentence may have brackets in it, which rich takes for markup.
        self._status = Console(file=stream).status(shown)
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
