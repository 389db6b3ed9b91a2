"""What GitHub shows of a result: annotations at lines of files, and a summary of the step.

Its runner says by its environment that it runs us; it reads annotations from what is printed, and
the summary from a file that it names. Which of them there are says ``github_results``.
"""

from __future__ import annotations

import os
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from msgspec import Struct

from meshdemo.report.junit import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from meshdemo.errors import Problem
    from meshdemo.report.terminal import Terminal

MOST_SHOWN = 10
"""Annotations of a kind that GitHub shows of a step; it drops all others."""
MOST_BYTES = 1024 * 1024
"""Of the summary of a step; GitHub drops a longer one as a whole."""
RESERVE = 1024
"""Bytes that stay free for what says that something is left out."""
LONGEST_CELL = 2_000
"""Characters of a cell; what is longer is in the log."""
ERROR, WARNING, NOTICE = "error", "warning", "notice"


class Annotation(Struct, frozen=True):
    """A remark that GitHub shows beside a line of a change, and on the page of the run."""

    level: str
    title: str
    message: str
    file: str = ""
    """As seen from the current folder."""
    line: int = 0

    def command(self, environment: Mapping[str, str]) -> str:
        """Write it as a workflow command, escaped as ``@actions/core`` escapes."""
        file = in_repository(self.file, environment)
        line = str(self.line) if file and self.line else ""
        given = {"title": self.title, "file": file, "line": line}
        properties = ",".join(f"{name}={_property(text)}" for name, text in given.items() if text)
        place = "" if file or not self.file else f"{_place(self.file, self.line)}: "
        return f"::{self.level} {properties}::{_data(place + self.message)}"


class Table(Struct, frozen=True):
    """A table of the summary; a cell may be a place, which becomes a link."""

    heads: tuple[str, ...]
    rows: Sequence[tuple[str | Problem, ...]]
    title: str = ""
    folded: bool = False
    """Whether only its title is seen until somebody opens it."""


class Told(Struct, frozen=True):
    """What GitHub is told of one result."""

    title: str
    annotations: Sequence[Annotation] = ()
    tables: Sequence[Table] = ()
    sentences: tuple[str, ...] = ()
    """What stands between the title and the tables."""


def tell(told: Told, terminal: Terminal, environment: Mapping[str, str] = os.environ) -> None:
    """Print the annotations, and add to the summary. What cannot be written changes no result.

    The runner reads both streams: on standard error they are in nobody's way.
    """
    for annotation in shown(told.annotations, environment):
        terminal.line(annotation.command(environment))
    name = environment.get("GITHUB_STEP_SUMMARY", "")
    if not name:
        return
    file = Path(name)
    try:
        room = MOST_BYTES - (file.stat().st_size if file.exists() else 0)
        with file.open("a", encoding="utf-8") as stream:
            stream.write(summary(told, room, environment))
    except OSError as error:
        why = f"the summary cannot be written: {error.strerror}"
        terminal.line(Annotation(WARNING, "meshdemo", why).command(environment))


def shown(every: Iterable[Annotation], environment: Mapping[str, str]) -> Iterator[Annotation]:
    """Give those that GitHub shows: of each kind the most specific ones, in the order of lines."""
    unique = list(dict.fromkeys(every))
    for level in (ERROR, WARNING, NOTICE):
        alike = [each for each in unique if each.level == level]
        # A place that is not in the repository is none that GitHub can show.
        placed = {each: in_repository(each.file, environment) for each in alike}
        yield from sorted(alike, key=lambda a: -bool(placed[a]) - bool(placed[a] and a.line))[
            :MOST_SHOWN
        ]


def in_repository(file: str, environment: Mapping[str, str]) -> str:
    """Name a file as seen from the repository's folder; empty where it is not in there."""
    if not file or not Path(file).is_file():
        return ""
    root = Path(environment.get("GITHUB_WORKSPACE") or ".").resolve()
    found = Path(file).resolve()
    return found.relative_to(root).as_posix() if found.is_relative_to(root) else ""


def _data(text: str) -> str:
    """Escape as ``escapeData`` of the toolkit."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Escape as ``escapeProperty`` of the toolkit."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")


# --- the summary ---------------------------------------------------------------------------------


def summary(told: Told, room: int, environment: Mapping[str, str]) -> str:
    """Write the summary in at most so many bytes: rows that have no room are left out, and counted.

    All of it is HTML, as the tables of ``@actions/core``: nothing is taken for Markdown, whatever
    an app has answered.
    """
    budget = room - RESERVE
    written = [f"<h3>{_cell(told.title, environment)}</h3>\n\n"]
    written += [f"<p>{_cell(sentence, environment)}</p>\n\n" for sentence in told.sentences]
    budget -= sum(_size(part) for part in written)
    if budget < 0:
        return ""
    left_out = 0
    for table in told.tables:
        begin, end = _around(table)
        budget -= _size(begin) + _size(end)
        rows = []
        for row in table.rows if budget > 0 else ():
            cells = "".join(f"<td>{_cell(cell, environment)}</td>" for cell in row)
            text = f"<tr>{cells}</tr>\n"
            if _size(text) > budget:
                break
            budget -= _size(text)
            rows.append(text)
        left_out += len(table.rows) - len(rows)
        if rows:
            written += [begin, *rows, end]
    if left_out:
        written.append(f"<p>{left_out:,} more rows have no room here; the log has them.</p>\n\n")
    return "".join(written)


def _around(table: Table) -> tuple[str, str]:
    heads = "".join(f"<th>{escape(head)}</th>" for head in table.heads)
    begin, end = f"<table>\n<tr>{heads}</tr>\n", "</table>\n\n"
    title = escape(table.title)
    if table.folded:
        return f"<details><summary>{title}</summary>\n{begin}", "</table>\n</details>\n\n"
    return (f"<p>{title}</p>\n{begin}" if title else begin), end


def _cell(content: str | Problem, environment: Mapping[str, str]) -> str:
    if isinstance(content, str):
        return escape(_short(content)).replace("\n", "<br>")
    text = escape(_short(_place(content.file, content.line)))
    link = _link(content, environment)
    return f'<a href="{escape(link)}">{text}</a>' if link else text


def _place(file: str, line: int) -> str:
    return f"{file}:{line}" if file and line else file


def _link(place: Problem, environment: Mapping[str, str]) -> str:
    """Give the page of a line, as it was in this run."""
    file = in_repository(place.file, environment)
    names = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_SHA")
    server, repository, commit = (environment.get(name, "") for name in names)
    if not (file and server and repository and commit):
        return ""
    line = f"#L{place.line}" if place.line else ""
    return f"{server}/{repository}/blob/{commit}/{quote(file)}{line}"


def _short(text: str) -> str:
    """Leave out what no page can show, and the end of what is long."""
    text = clean(text).replace("\r\n", "\n").replace("\r", "\n")
    return text if len(text) <= LONGEST_CELL else f"{text[:LONGEST_CELL]} ..."


def _size(text: str) -> int:
    return len(text.encode("utf-8"))
