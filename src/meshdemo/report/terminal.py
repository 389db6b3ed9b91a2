"""One output stream: what it can show, and how lines, tables and bars are written to it."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from io import StringIO
from typing import TYPE_CHECKING, TextIO

from meshdemo.language import ENGLISH, spoken
from meshdemo.report.commands import Commands, joined
from meshdemo.report.wrapping import with_reasons, wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from meshdemo.report.spinner import Spinner

NARROWEST = 20
"""Columns below which a line is left to the terminal: no sentence reads well in fewer."""
BAR_WIDTH = 40
ITEM = "- "
_CODES = {"green": "32", "red": "31", "yellow": "33", "bold": "1", "dim": "2", "cyan": "36"}


class Terminal:
    """A text stream. If it is not a terminal there is no colour and nothing that moves."""

    def __init__(self, stream: TextIO, environment: Mapping[str, str] = os.environ) -> None:
        self.stream, self.environment = stream, environment
        self.interactive = stream.isatty() and environment.get("TERM") != "dumb"
        forced = self.interactive or bool(environment.get("FORCE_COLOR"))
        self.colour = forced and not environment.get("NO_COLOR")  # as Python itself reads them
        self.unicode = (getattr(stream, "encoding", "") or "").lower().startswith("utf")
        self.commands = Commands()
        self.language = ENGLISH
        """In which sentences of ours are written, as far as they are translated."""
        self.margin = ""
        """What stands before each line, within ``indented``."""
        self.error: OSError | None = None
        """Why nothing can be written any more; what is written then goes nowhere."""

    @property
    def gone(self) -> bool:
        """Tell whether writing is in vain."""
        return self.error is not None

    @property
    def failed(self) -> bool:
        """Tell whether output is lost; not if its reader has gone, and wants no more of it."""
        return self.error is not None and not isinstance(self.error, BrokenPipeError)

    def line(self, text: str = "") -> None:
        """Write one line, now: the other stream may go to the same place."""
        if not self.unicode:
            text = text.replace("✔", "ok").replace("✘", "FAILED")
        # Also in Unicode: a path may hold bytes that are no text.
        encoding = getattr(self.stream, "encoding", None) or "ascii"
        text = text.encode(encoding, "backslashreplace").decode(encoding)
        if self.gone:
            return
        try:
            self.stream.write((f"{self.margin}{text}".rstrip() if self.margin else text) + "\n")
            self.stream.flush()
        except OSError as error:
            self.give_up(error)

    @contextmanager
    def indented(self, margin: str) -> Iterator[None]:
        """Have all lines of the block stand farther in."""
        before, self.margin = self.margin, self.margin + margin
        try:
            yield
        finally:
            self.margin = before

    @property
    def width(self) -> int | None:
        """How many columns a line has now; None if whoever reads it breaks lines by themselves."""
        if not self.stream.isatty():
            return None
        columns = 0
        with suppress(OSError, ValueError):  # a terminal without a size
            columns = os.get_terminal_size(self.stream.fileno()).columns
        with suppress(ValueError):
            columns = int(self.environment.get("COLUMNS", "")) or columns
        columns -= len(self.margin)
        return columns if columns >= NARROWEST else None

    def clear(self) -> None:
        """Begin a new page; in a file or a pipe one follows the other."""
        if self.interactive:
            self.stream.write("\033[H\033[2J")

    def advise(self, text: str) -> None:
        """Write a sentence of ours, which may hold commands to type; it is broken into lines."""
        for line in wrapped(self.commands.mark(spoken(text, self.language)), self.width):
            self.line(line)

    def paragraph(self, text: str) -> None:
        """Write a paragraph, or an item of a list, of a longer text: lines begin in one column."""
        hang = len(ITEM) if text.startswith(ITEM) else 0
        for line in wrapped(self.commands.mark(text), self.width, hang):
            self.line(line)

    def command(self, text: str) -> None:
        """Write a command to type, after a prompt; one of several lines stays as it is."""
        lines = [f"  $ {text}"] if "\n" in text else wrapped(f"  $ {joined(text)}", self.width)
        for line in lines:
            self.line(self.paint(line, "dim"))

    def commands_to_try(self, commands: Sequence[tuple[str, str]]) -> None:
        """Write commands to type, each with the reason for it."""
        spelled = [(self.commands.spell(command), why) for command, why in commands]
        for line in with_reasons(spelled, self.width):
            self.line(line)

    def give_up(self, error: OSError) -> None:
        """Let what is written from now on go nowhere."""
        self.error = error
        # Python flushes what is left when it ends, and would fail then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())

    def paint(self, text: str, style: str) -> str:
        """Colour a text if that shows here."""
        return f"\033[{_CODES[style]}m{text}\033[0m" if self.colour and text else text

    def mark(self, ok: bool) -> str:  # noqa: FBT001 - mark(check.ok) says it
        """Give the sign for a fact that holds or does not."""
        return self.paint("✔", "green") if ok else self.paint("✘", "red")

    def table(self, headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Write a table as kubectl does: columns, no lines, nothing cut off."""
        from rich.console import Console  # noqa: PLC0415 - late, it takes time
        from rich.table import Table  # noqa: PLC0415 - late, it takes time
        from rich.text import Text  # noqa: PLC0415 - late, it takes time

        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
        for header in headers:
            table.add_column(header, no_wrap=True)
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        # Wider than any row: a long line is the reader's to wrap, and a pipe's to cut.
        drawn = StringIO()
        console = Console(
            file=drawn,
            width=10_000,
            no_color=not self.colour,
            force_terminal=self.colour,
            highlight=False,
        )
        console.print(table)
        for text in drawn.getvalue().splitlines():
            self.line(text.rstrip())

    def bar(self, share: float, width: int = BAR_WIDTH) -> str:
        """Draw a share of 1 as a bar; only nothing looks like nothing, and only all like all."""
        full, empty = ("█", "░") if self.unicode else ("#", ".")
        length = round(share * width)
        if 0 < share < 1:
            length = min(max(length, 1), width - 1)
        return self.paint(full * length, "cyan") + self.paint(empty * (width - length), "dim")

    def spinner(self, text: str | Callable[[], str]) -> Spinner | None:
        """Start something that turns while one waits; nothing where nothing may move."""
        if not (self.colour and self.interactive):
            return None
        from meshdemo.report.spinner import Spinner  # noqa: PLC0415 - late, it takes time

        return Spinner(self.stream, text)
