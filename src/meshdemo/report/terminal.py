"""One output stream: what it can show, and how lines, tables and bars are written to it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TextIO

from meshdemo.report.commands import Commands

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from meshdemo.report.spinner import Spinner

BAR_WIDTH = 40
_CODES = {"green": "32", "red": "31", "yellow": "33", "bold": "1", "dim": "2", "cyan": "36"}


class Terminal:
    """A text stream. Without a terminal behind it there is no colour and nothing that moves."""

    def __init__(self, stream: TextIO, environment: Mapping[str, str] = os.environ) -> None:
        self.stream = stream
        self.interactive = stream.isatty() and environment.get("TERM") != "dumb"
        self.colour = self.interactive and not environment.get("NO_COLOR")
        self.unicode = (getattr(stream, "encoding", "") or "").lower().startswith("utf")
        self.commands = Commands()
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
            encoding = getattr(self.stream, "encoding", None) or "ascii"
            text = text.encode(encoding, "backslashreplace").decode(encoding)
        if self.gone:
            return
        try:
            self.stream.write(text + "\n")
            self.stream.flush()
        except OSError as error:
            self.give_up(error)

    def advise(self, text: str) -> None:
        """Write one line of ours that may hold commands to type."""
        self.line(self.commands.spell(text))

    def give_up(self, error: OSError) -> None:
        """Let what is written from now on go nowhere."""
        self.error = error
        # Python flushes what is left when it ends, and would fail then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())

    def paint(self, text: str, style: str) -> str:
        """Colour a text if that shows here."""
        return f"\033[{_CODES[style]}m{text}\033[0m" if self.colour else text

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
        console = Console(
            file=self.stream,
            width=10_000,
            no_color=not self.colour,
            force_terminal=self.colour,
            highlight=False,
        )
        with console.capture() as captured:
            console.print(table)
        for text in captured.get().splitlines():
            self.line(text.rstrip())

    def bar(self, share: float) -> str:
        """Draw a share of 1 as a bar."""
        full, empty = ("█", "░") if self.unicode else ("#", ".")
        length = round(share * BAR_WIDTH)
        return self.paint(full * length, "cyan") + self.paint(empty * (BAR_WIDTH - length), "dim")

    def spinner(self, text: str) -> Spinner | None:
        """Start something that turns while one waits; nothing where nothing may move."""
        if not self.colour:
            return None
        from meshdemo.report.spinner import Spinner  # noqa: PLC0415 - late, it takes time

        return Spinner(self.stream, text)
